"""Writes random quantized ONNX models, with what ONNX Runtime makes of them.

usage: random_quantized.py FOLDER SEED COUNT

As random_operators.py does: i.onnx, i.in and i.out, a line "i operator step", where
step is that of the output's integers. Inputs are rounded to bytes, signed or unsigned,
with a zero point of their own, go through one operator, either between
DequantizeLinear and QuantizeLinear or as operator on bytes, and are dequantized.
"""

import os
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

folder, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(seed)
IMAGES = 2


def ints(low, high, size=None):
    r = rng.integers(low, high + 1, size)
    return int(r) if size is None else [int(x) for x in r]


def one(*choices):
    return choices[ints(0, len(choices) - 1)]


class Model:
    def __init__(self):
        self.nodes, self.constants, self.n = [], [], 0
        self.type = one(np.int8, np.uint8)

    def constant(self, value, kind=np.float32):
        self.n += 1
        name = f"k{self.n}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=kind), name))
        return name

    def op(self, kind, inputs, out, domain="", **attrs):
        self.nodes.append(helper.make_node(kind, inputs, [out], out, domain=domain, **attrs))
        return out

    def step(self, low, high):
        """A scale and a zero point of activations."""
        info = np.iinfo(self.type)
        zero = one(0, 1, ints(info.min, info.max)) if self.type is np.int8 else one(0, 127, 128, ints(0, 255))
        scale = np.float32(rng.uniform(low, high))
        return self.constant(scale), self.constant(zero, self.type), scale


def weights(m, shape, axis):
    """int8 weights of zero point 0, with a scale for all or for each output channel."""
    n = one(1, shape[axis])
    scale = rng.uniform(0.002, 0.02, n).astype(np.float32)
    if n == 1:
        scale = scale[0]
    zero = np.zeros(np.shape(scale), np.int8)
    return (
        m.constant(rng.integers(-127, 128, shape), np.int8),
        m.constant(scale),
        m.constant(zero, np.int8),
        scale,
        axis if n > 1 else None,
    )


def conv(m, q, shape, x_step, out):
    groups = one(1, 1, 2, shape[0])
    if shape[0] % groups:
        groups = 1
    kernel = ints(1, 3, 2)
    outs = groups * ints(1, 4)
    w, ws, wz, scale, axis = weights(m, [outs, shape[0] // groups] + kernel, 0)
    attrs = dict(group=groups, pads=ints(0, 1, 4), strides=ints(1, 2, 2))
    bias = rng.integers(-2000, 2000, outs)
    if q:
        inputs = ["q", x_step[0], x_step[1], w, ws, wz, out[0], out[1]] + one([], [m.constant(bias, np.int32)])
        return m.op("QLinearConv", inputs, "z", **attrs)
    dw = m.op("DequantizeLinear", [w, ws, wz], "dw", **({"axis": axis} if axis is not None else {}))
    m.op("Conv", ["d", dw] + one([], [m.constant(bias * x_step[2] * scale)]), "f", **attrs)


def matmul(m, q, shape, x_step, out):
    w, ws, wz, _, axis = weights(m, [shape[0], ints(1, 9)], 1)
    if q:
        return m.op("QLinearMatMul", ["q", x_step[0], x_step[1], w, ws, wz, out[0], out[1]], "z")
    dw = m.op("DequantizeLinear", [w, ws, wz], "dw", **({"axis": axis} if axis is not None else {}))
    m.op("MatMul", ["d", dw], "f")


def pair(kind):
    def build(m, q, shape, x_step, out):
        r_step = m.step(0.01, 0.03)
        m.op("Tanh", ["x"], "t")
        m.op("QuantizeLinear", ["t", r_step[0], r_step[1]], "q2")
        if q:
            return m.op("QLinear" + kind, ["q", x_step[0], x_step[1], "q2", r_step[0], r_step[1], out[0], out[1]], "z", "com.microsoft")
        m.op("DequantizeLinear", ["q2", r_step[0], r_step[1]], "d2")
        m.op(kind, ["d", "d2"], "f")

    return build


def average(m, q, shape, x_step, out):
    if q:
        return m.op("QLinearGlobalAveragePool", ["q", x_step[0], x_step[1], out[0], out[1]], "z", "com.microsoft", channels_last=0)
    m.op("GlobalAveragePool", ["d"], "f")


def relu(m, q, shape, x_step, out):
    m.op("Relu", ["d"], "f")


OPERATORS = [("Conv", conv, 3), ("MatMul", matmul, 1), ("Add", pair("Add"), 3), ("Mul", pair("Mul"), 3), ("GlobalAveragePool", average, 3), ("Relu", relu, 3)]

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
refused, i = 0, 0
while i < count:
    name, build, rank = OPERATORS[i % len(OPERATORS)]
    m = Model()
    shape = [ints(1, 9)] if rank == 1 else [ints(1, 6), ints(3, 8), ints(3, 8)]
    x_step = m.step(0.02, 0.05)
    out = m.step(0.02, 0.3)
    m.op("QuantizeLinear", ["x", x_step[0], x_step[1]], "q")
    on_bytes = name != "Relu" and ints(0, 1) == 1
    if not on_bytes:
        m.op("DequantizeLinear", ["q", x_step[0], x_step[1]], "d")
    z = build(m, on_bytes, shape, x_step, out)
    if not on_bytes:
        z = m.op("QuantizeLinear", ["f", out[0], out[1]], "z")
    if rank == 3 and name != "GlobalAveragePool" and ints(0, 3) == 0:
        z = m.op("MaxPool", [z], "pool", kernel_shape=[2, 1])
    m.op("DequantizeLinear", [z, out[0], out[1]], "y")
    graph = helper.make_graph(
        m.nodes,
        "quantized",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N"] + shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        m.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)], ir_version=8)
    data = model.SerializeToString()
    x = (rng.normal(size=[IMAGES] + shape) * 2).astype(np.float32)
    try:
        y = onnxruntime.InferenceSession(data, exact if on_bytes and m.type is np.uint8 else options, providers=["CPUExecutionProvider"]).run(["y"], {"x": x})[0]
        if y.size == 0:
            raise ValueError("nothing is left")
    except Exception as error:
        refused += 1
        if refused > count:
            sys.exit(f"ONNX Runtime refuses too much: {name}: {error}")
        continue
    base = os.path.join(folder, str(i))
    with open(base + ".onnx", "wb") as f:
        f.write(data)
    x.astype("<f4").tofile(base + ".in")
    y.astype("<f4").tofile(base + ".out")
    print(i, ("QLinear" if on_bytes else "") + name, out[2])
    i += 1
print(f"ONNX Runtime {onnxruntime.__version__}; {refused} models refused by the runtime")
