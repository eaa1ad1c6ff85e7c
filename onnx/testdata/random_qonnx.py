"""Writes random QONNX models, with what qonnx makes of them.

usage: random_qonnx.py FOLDER SEED COUNT

As random_quantized.py does: a dense layer or a convolution between Quant nodes of 2 to 8
bits, weights and activations, or a Trunc. Prints "i operator step".
"""

import os
import sys
import warnings
from importlib.metadata import version

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

warnings.filterwarnings("ignore")
folder, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(seed)
DOMAIN = "qonnx.custom_op.general"


def ints(low, high, size=None):
    r = rng.integers(low, high + 1, size)
    return int(r) if size is None else [int(x) for x in r]


for i in range(count):
    nodes, constants = [], []

    def constant(value):
        name = f"k{len(constants)}"
        constants.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def quant(x, scale, bits, out, signed=1, narrow=0):
        inputs = [x, constant(scale), constant(0.0), constant(float(bits))]
        nodes.append(helper.make_node("Quant", inputs, [out], out, domain=DOMAIN, signed=signed, narrow=narrow, rounding_mode="ROUND"))
        return out

    kind = ["dense", "conv", "trunc"][i % 3]
    shape = [ints(1, 9)] if kind == "dense" else [ints(1, 5), ints(2, 6), ints(2, 6)]
    signed = ints(0, 1)
    step = np.float32(rng.uniform(0.1, 0.5))
    if kind == "trunc":
        step = np.float32(1 / 8)
        x = quant("x", step, 8, "q", signed)
        inputs = [x, constant(step), constant(0.0), constant(8.0), constant(float(ints(3, 8)))]
        nodes.append(helper.make_node("Trunc", inputs, ["y"], "y", domain=DOMAIN, rounding_mode=["FLOOR", "CEIL", "ROUND"][ints(0, 2)]))
    else:
        x = quant("x", step, ints(2, 8), "q", signed, ints(0, 1))
        outs = ints(1, 6)
        dims = [shape[0], outs] if kind == "dense" else [outs, shape[0], ints(1, 2), ints(1, 2)]
        axis = 1 if kind == "dense" else 0
        scale = rng.uniform(0.05, 0.3, [n if j == axis else 1 for j, n in enumerate(dims)]) if ints(0, 1) else rng.uniform(0.05, 0.3)
        w = quant(constant(rng.normal(size=dims) * 0.5), scale, ints(2, 8), "qw", 1, 1)
        nodes.append(helper.make_node("MatMul" if kind == "dense" else "Conv", [x, w], ["f"], "f"))
        step = np.float32(rng.uniform(0.1, 0.5))
        quant("f", step, ints(2, 8), "y", ints(0, 1), ints(0, 1))
    graph = helper.make_graph(
        nodes,
        "qonnx",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1] + shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid(DOMAIN, 1)], ir_version=8)
    base = os.path.join(folder, str(i))
    with open(base + ".onnx", "wb") as f:
        f.write(model.SerializeToString())
    value = (rng.normal(size=[1] + shape) * 3).astype(np.float32)
    wrapped = ModelWrapper(model).transform(InferShapes())
    y = execute_onnx(wrapped, {"x": value})["y"]
    value.astype("<f4").tofile(base + ".in")
    y.astype("<f4").tofile(base + ".out")
    print(i, kind, step)
print("qonnx", version("qonnx"))
