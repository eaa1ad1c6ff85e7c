#!/usr/bin/env python3
"""Writes what the TFLite interpreter (PyPI: ai-edge-litert or tflite-runtime) computes
for the first images of CIFAR-10's test file, as CSV: the image's number, then the elements
of the tensor that the last FULLY_CONNECTED gives, then those of the output, as they are in
the file (int8 or float32).

usage: golden.py MODEL.tflite test_batch.bin IMAGES [ref|optimized|delegate] > golden.csv

ref are TFLite's reference kernels, optimized those for this CPU, delegate XNNPACK's, which
the interpreter takes by default and which round int8 in float32.
"""
import sys

import numpy as np

try:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
except ImportError:
    from tflite_runtime.interpreter import Interpreter, OpResolverType

model, images, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
kernels = {
    "ref": OpResolverType.BUILTIN_REF,
    "optimized": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "delegate": OpResolverType.AUTO,
}[sys.argv[4] if len(sys.argv) > 4 else "ref"]
it = Interpreter(model, experimental_op_resolver_type=kernels, experimental_preserve_all_tensors=True, num_threads=1)
it.allocate_tensors()
inp, out = it.get_input_details()[0], it.get_output_details()[0]
wanted = [o["outputs"][0] for o in it._get_ops_details() if o["op_name"] == "FULLY_CONNECTED"][-1:] + [out["index"]]
for i in range(count):
    record = np.fromfile(images, dtype=np.uint8, count=3073, offset=3073 * i)
    x = record[1:].reshape(3, 32, 32).transpose(1, 2, 0)[None]
    x = (x.astype(np.int16) - 128).astype(np.int8) if inp["dtype"] == np.int8 else x.astype(np.float32)
    it.set_tensor(inp["index"], x)
    it.invoke()
    print(i, *(repr(v.item()) for t in wanted for v in it.get_tensor(t).flatten()), sep=",")
