"""Writes the logits of the built-in networks on the first 100 test images.

    python models/testdata/logits.py        (needs onnx, onnxruntime, numpy)

ONNX Runtime computes them, so that they are independent of this project's code.
BipolarQuant, which it does not know, is replaced by what it means: 1 where its input
is not negative, else -1.
"""

import csv
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import helper

here = pathlib.Path(__file__).parent
IMAGE = 3 * 32 * 32

raw = np.frombuffer((here.parent / "cifar10-sample.bin").read_bytes(), np.uint8)
images = raw.reshape(-1, 1 + IMAGE)[:100, 1:].reshape(-1, 3, 32, 32).astype(np.float32)

for dtype in ("float32", "binary"):
    model = onnx.load(here.parent / f"cifar10cnn-{dtype}.onnx")
    graph, nodes = model.graph, []
    for node in graph.node:
        if node.op_type != "BipolarQuant":
            nodes.append(node)
            continue
        x, y = node.input[0], node.output[0]
        nodes += [
            helper.make_node("GreaterOrEqual", [x, "zero"], [y + "/positive"]),
            helper.make_node("Where", [y + "/positive", "plus", "minus"], [y]),
        ]
    del graph.node[:]
    graph.node.extend(nodes)
    for name, value in (("zero", 0), ("plus", 1), ("minus", -1)):
        graph.initializer.append(helper.make_tensor(name, onnx.TensorProto.FLOAT, [], [value]))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    logits = np.concatenate([session.run(None, {"image": images[i : i + 1]})[0] for i in range(100)])
    with open(here / f"cifar10cnn-{dtype}-logits.csv", "w", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows([f"{v:.6f}" for v in row] for row in logits)
