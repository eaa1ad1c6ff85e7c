"""Runs an ONNX model of one input by qonnx, one image at a time.

usage: run_qonnx.py MODEL IN OUT

IN and OUT are float32 numbers, little-endian, image after image. Prints the
version of qonnx.
"""

import sys
from importlib.metadata import version

import numpy
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

path, source, target = sys.argv[1:]
model = ModelWrapper(path)
wanted, given = model.graph.input[0], model.graph.output[0]
for value in (wanted, given):
    value.type.tensor_type.shape.dim[0].dim_value = 1  # it needs every extent
model = model.transform(InferShapes())
images = numpy.fromfile(source, dtype="<f4").reshape([-1] + model.get_tensor_shape(wanted.name)[1:])
outputs = [execute_onnx(model, {wanted.name: image[None]})[given.name] for image in images]
numpy.concatenate(outputs).astype("<f4").tofile(target)
print("qonnx", version("qonnx"))
