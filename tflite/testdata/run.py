#!/usr/bin/env python3
"""Runs every DIR/*.tflite by the TFLite interpreter's reference kernels on the bytes of
the file's .in (several inputs one after the other) and writes the outputs' bytes as .out;
a model that the interpreter refuses gets a .err with its reason.

usage: run.py DIR
"""
import glob
import sys

import numpy as np

try:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
except ImportError:
    from tflite_runtime.interpreter import Interpreter, OpResolverType

for path in glob.glob(sys.argv[1] + "/*.tflite"):
    base = path[: -len(".tflite")]
    try:
        it = Interpreter(path, experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1)
        it.allocate_tensors()
        inp, out = it.get_input_details()[0], it.get_output_details()[0]
        result = b""
        for x in np.fromfile(base + ".in", dtype=inp["dtype"]).reshape(-1, *inp["shape"]):
            it.set_tensor(inp["index"], x)
            it.invoke()
            result += it.get_tensor(out["index"]).tobytes()
        open(base + ".out", "wb").write(result)
    except (RuntimeError, ValueError) as e:
        open(base + ".err", "w").write(str(e))
