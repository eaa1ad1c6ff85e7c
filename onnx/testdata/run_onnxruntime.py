"""Runs an ONNX model of one input by ONNX Runtime.

usage: run_onnxruntime.py MODEL IN OUT none|all [OPTIMIZER...]

IN and OUT are float32 numbers, little-endian, image after image. The fourth
word says which of the runtime's graph optimizations are on, but for those
optimizers that follow it. Prints the runtime's version.
"""

import sys

import numpy
import onnxruntime

model, source, target, optimize, *disabled = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
level = onnxruntime.GraphOptimizationLevel
options.graph_optimization_level = level.ORT_ENABLE_ALL if optimize == "all" else level.ORT_DISABLE_ALL
session = onnxruntime.InferenceSession(
    model, options, providers=["CPUExecutionProvider"], disabled_optimizers=disabled or None
)
wanted = session.get_inputs()[0]
images = numpy.fromfile(source, dtype="<f4").reshape([-1] + wanted.shape[1:])
session.run(None, {wanted.name: images})[0].astype("<f4").tofile(target)
print("ONNX Runtime", onnxruntime.__version__)
