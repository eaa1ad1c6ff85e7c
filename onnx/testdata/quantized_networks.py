"""Writes networks that ONNX Runtime's quantizer made, with what the runtime makes of them.

usage: quantized_networks.py FOLDER

Small networks of random weights: residual, depthwise-separable with ReLU6, and one
with branches that are joined. Each is quantized in the QDQ form and as operators on bytes,
with signed and unsigned activations, per tensor and per channel. i.onnx, i.in and i.out
are as random_operators.py has them; prints "i name".
"""

import os
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

warnings.filterwarnings("ignore")
folder = sys.argv[1]
rng = np.random.default_rng(5)
IMAGES = 4


class Net:
    def __init__(self):
        self.nodes, self.constants, self.n = [], [], 0

    def constant(self, value):
        self.n += 1
        self.constants.append(numpy_helper.from_array(np.asarray(value, np.float32), f"k{self.n}"))
        return f"k{self.n}"

    def op(self, kind, *inputs, **attrs):
        self.n += 1
        out = f"{kind.lower()}{self.n}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], out, **attrs))
        return out

    def conv(self, x, cin, cout, kernel, stride=1, group=1, act="Relu"):
        fan = cin // group * kernel * kernel
        w = self.constant(rng.normal(size=(cout, cin // group, kernel, kernel)) * np.sqrt(2 / fan))
        x = self.op("Conv", x, w, self.constant(rng.normal(size=cout) * 0.1), pads=[kernel // 2] * 4, strides=[stride] * 2, group=group)
        if act == "Clip":
            return self.op("Clip", x, self.constant(0), self.constant(6))
        return self.op(act, x) if act else x

    def end(self, x, channels):
        x = self.op("Flatten", self.op("GlobalAveragePool", x))
        x = self.op("Gemm", x, self.constant(rng.normal(size=(10, channels)) * 0.3), self.constant(rng.normal(size=10)), transB=1)
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 16, 16])],
            [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["N", 10])],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def residual():
    n = Net()
    x = n.conv("x", 3, 16, 3)
    y = n.conv(n.conv(x, 16, 16, 3), 16, 16, 3, act=None)
    x = n.op("Relu", n.op("Add", x, y))
    y = n.conv(n.conv(x, 16, 24, 3, 2), 24, 24, 3, act=None)
    x = n.op("Relu", n.op("Add", y, n.conv(x, 16, 24, 1, 2, act=None)))
    return n.end(x, 24)


def separable():
    n = Net()
    x = n.conv("x", 3, 16, 3, 2, act="Clip")
    for cin, cout, stride in ((16, 24, 1), (24, 24, 2)):
        y = n.conv(x, cin, 2 * cin, 1, act="Clip")
        y = n.conv(n.conv(y, 2 * cin, 2 * cin, 3, stride, 2 * cin, act="Clip"), 2 * cin, cout, 1, act=None)
        x = n.op("Add", x, y) if cin == cout and stride == 1 else y
    return n.end(x, 24)


def branches():
    n = Net()
    x = n.op("MaxPool", n.conv("x", 3, 12, 3), kernel_shape=[2, 2], strides=[2, 2])
    y = n.op("Concat", n.conv(x, 12, 8, 1), n.conv(x, 12, 8, 3), n.op("MaxPool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1]), axis=1)
    return n.end(n.conv(y, 28, 16, 3), 16)


class Reader(CalibrationDataReader):
    def __init__(self):
        self.left = [rng.normal(size=(8, 3, 16, 16)).astype(np.float32) for _ in range(4)]

    def get_next(self):
        return {"x": self.left.pop()} if self.left else None


i = 0
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.log_severity_level = 4
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
# Without the instructions for it the runtime's products of unsigned and signed bytes saturate in
# pairs, unless it is asked to make both unsigned, which is an optimization.
exact = onnxruntime.SessionOptions()
exact.intra_op_num_threads = 1
exact.log_severity_level = 4
exact.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
exact.add_session_config_entry("session.x64quantprecision", "1")
for build in (residual, separable, branches):
    source = os.path.join(folder, "float.onnx")
    onnx.save(build(), source)
    for form in (QuantFormat.QDQ, QuantFormat.QOperator):
        for activations in (QuantType.QUInt8, QuantType.QInt8):
            for per_channel in (False, True):
                base = os.path.join(folder, str(i))
                quantize_static(source, base + ".onnx", Reader(), form, per_channel=per_channel, activation_type=activations, weight_type=QuantType.QInt8)
                x = rng.normal(size=(IMAGES, 3, 16, 16)).astype(np.float32)
                session = onnxruntime.InferenceSession(base + ".onnx", exact if form == QuantFormat.QOperator and activations == QuantType.QUInt8 else options, providers=["CPUExecutionProvider"])
                session.run(None, {"x": x})[0].astype("<f4").tofile(base + ".out")
                x.astype("<f4").tofile(base + ".in")
                print(i, f"{build.__name__}, {form}, {activations}, {'per channel' if per_channel else 'per tensor'}")
                i += 1
print("ONNX Runtime", onnxruntime.__version__)
