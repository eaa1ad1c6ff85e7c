"""Writes random ONNX models of one operator each, with what ONNX Runtime makes of them.

usage: random_operators.py FOLDER SEED COUNT

For each model i the folder gets i.onnx, i.in and i.out: float32 numbers,
little-endian, two images one after the other. Prints a line for each model, "i operator",
and at the end the runtime's version. Models that the runtime itself refuses are
drawn anew; how many is printed too.
"""

import os
import sys

import numpy as np
import onnx
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
    """Nodes and constants on the way from x to y."""

    def __init__(self, shape, opset):
        self.shape, self.opset = shape, opset
        self.nodes, self.constants, self.n = [], [], 0

    def constant(self, value, kind=np.float32):
        self.n += 1
        name = f"k{self.n}"
        array = np.asarray(value, dtype=kind)
        if ints(0, 3) == 0:
            self.nodes.append(helper.make_node("Constant", [], [name], name, value=numpy_helper.from_array(array, name)))
        else:
            self.constants.append(numpy_helper.from_array(array, name))
        return name

    def integers(self, value):
        return self.constant(value, np.int64)

    def op(self, kind, inputs, out="y", outputs=None, **attrs):
        attrs = {k: v for k, v in attrs.items() if v is not None}
        self.nodes.append(helper.make_node(kind, inputs, outputs or [out], out, **attrs))
        return out

    def normal(self, *dims):
        return self.constant(rng.normal(size=dims))

    def bytes(self):
        graph = helper.make_graph(
            self.nodes,
            "random",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [one("N", IMAGES)] + self.shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            self.constants,
        )
        ir = 8 if self.opset <= 15 else 10
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=ir).SerializeToString()


def image(channels=None, low=1, high=9):
    return [channels or ints(1, 6), ints(low, high), ints(low, high)]


def signal():
    return [ints(1, 6), ints(3, 17)]


def spatial():
    return one(image(low=3), image(low=3), signal())


def any_shape():
    return ints(1, 5, ints(1, 4))


def window(n, kernel, dilated=True, count=True):
    """Random strides, dilations and padding of n dimensions."""
    attrs = {}
    if ints(0, 1):
        attrs["strides"] = ints(1, 3, n)
    if dilated and ints(0, 2) == 0:
        attrs["dilations"] = ints(1, 2, n)
    pads = one("none", "pads", "SAME_UPPER", "SAME_LOWER", "VALID")
    if pads == "pads":
        attrs["pads"] = [ints(0, kernel[i % n] - 1) for i in range(2 * n)]
    elif pads != "none":
        attrs["auto_pad"] = pads
        if pads.startswith("SAME"):
            attrs.pop("dilations", None)
    return attrs


def conv(m):
    n = len(m.shape) - 1
    groups = one(1, 1, 2, m.shape[0])
    if m.shape[0] % groups:
        groups = 1
    kernel = ints(1, 3, n)
    out = groups * ints(1, 4)
    inputs = ["x", m.normal(out, m.shape[0] // groups, *kernel)]
    if ints(0, 1):
        inputs.append(m.normal(out))
    attrs = window(n, kernel)
    if ints(0, 1):
        attrs["kernel_shape"] = kernel
    m.op("Conv", inputs, group=groups if groups > 1 else None, **attrs)


def pool(kind):
    def build(m):
        n = len(m.shape) - 1
        kernel = ints(1, 4, n)
        attrs = window(n, kernel, dilated=kind == "MaxPool" and m.opset >= 10)
        if m.opset >= 10 and "auto_pad" not in attrs:
            attrs["ceil_mode"] = ints(0, 1)
        # SAME would need padding below 0 where a stride leaps over elements.
        if attrs.get("auto_pad", "").startswith("SAME"):
            attrs["strides"] = [min(a, k) for a, k in zip(attrs.get("strides", [1, 1]), kernel)]
        # The runtime rounds a size below 1 towards 0 and gives a window that is not there.
        kernel = [min(k, (d - 1) // e + 1) for k, d, e in zip(kernel, m.shape[1:], attrs.get("dilations", [1, 1]))]
        if "pads" in attrs:
            attrs["pads"] = [min(p, kernel[i % n] - 1) for i, p in enumerate(attrs["pads"])]
        if kind == "AveragePool":
            attrs["count_include_pad"] = ints(0, 1)
        m.op(kind, ["x"], kernel_shape=kernel, **attrs)

    return build


def gemm(m):
    k, out, turned = m.shape[0], ints(1, 6), ints(0, 1)
    inputs = ["x", m.normal(out, k) if turned else m.normal(k, out)]
    if ints(0, 1) or m.opset < 11:
        inputs.append(one(m.normal(out), m.normal(1, out), m.normal(1)))
    m.op("Gemm", inputs, transB=turned, alpha=one(None, 0.5), beta=one(None, 2.0))


def matmul(m):
    if len(m.shape) == 2 and ints(0, 2) == 0:
        m.op("MatMul", [m.normal(ints(1, 5), m.shape[0]), "x"])
    else:
        m.op("MatMul", ["x", m.normal(m.shape[-1], ints(1, 5))])


def norm(m):
    c = m.shape[0]
    m.op("BatchNormalization", ["x", m.normal(c), m.normal(c), m.normal(c), m.constant(rng.uniform(0.1, 2, c))], epsilon=one(None, 1e-3))


def unary(kind, positive=False, **ranges):
    def build(m):
        x = "x"
        if positive:
            x = m.op("Exp", ["x"], "positive")
        m.op(kind, [x], **{k: one(None, float(rng.uniform(*r))) for k, r in ranges.items()})

    return build


def binary(kind):
    def build(m):
        how = ints(0, 4)
        if len(m.shape) == 4:  # beyond 3 dimensions only whole leading or trailing parts are stretched
            how = 1
        if how == 0:  # with another value of the same shape, or stretched
            axes = [i + 1 for i in range(len(m.shape)) if ints(0, 1)]
            other = m.op("Exp", ["x"], "e")
            if axes and m.opset < 18:
                other = m.op("ReduceMean", [other], "r", axes=axes, keepdims=1)
            m.op(kind, ["x", other] if ints(0, 1) or kind == "Div" else [other, "x"])
            return
        dims = [one(1, d) for d in m.shape]
        if how == 1:
            dims = [m.shape[0]] + [1] * (len(m.shape) - 1)
        if how == 2:
            dims = dims[ints(0, len(dims)) :]
        elif ints(0, 1):
            dims = [1] + dims
        k = m.constant(rng.uniform(0.5, 2, dims))
        m.op(kind, ["x", k] if ints(0, 1) else [k, "x"])

    return build


def clip(m):
    low, high = float(rng.normal()), float(rng.normal())
    if ints(0, 3):
        low, high = min(low, high), max(low, high)
    if m.opset < 11:
        m.op("Clip", ["x"], min=one(None, low), max=one(None, high))
        return
    m.op("Clip", ["x", one("", m.constant(low)), one("", m.constant(high))])


def prelu(m):
    m.op("PRelu", ["x", m.normal(*one([1], [m.shape[0]] + [1] * (len(m.shape) - 1)))])


def bound(kind):
    return lambda m: m.op(kind, one(["x", m.constant(0.25)], [m.constant([0.25]), "x"]))


def concat(m):
    axis = ints(1, len(m.shape))
    inputs = ["x"]
    for i in range(ints(1, 3)):
        dims = list(m.shape)
        dims[axis - 1] = ints(1, 4)
        inputs.append(one("x", m.op("Tanh", ["x"], f"t{i}")))
    m.op("Concat", inputs, axis=one(axis, axis - len(m.shape) - 1))


def reduce(kind, axes_input):
    def build(m):
        rank = len(m.shape)
        axes = [i + 1 for i in range(rank) if ints(0, 1)] or [rank]
        axes = [one(a, a - rank - 1) for a in axes]
        keep = one(None, 0, 1)
        if m.opset >= axes_input:
            m.op(kind, ["x", m.integers(axes)], keepdims=keep)
        else:
            m.op(kind, ["x"], axes=axes, keepdims=keep)

    return build


def reshape(m):
    size = int(np.prod(m.shape))
    dims, left = [], size
    for _ in range(ints(0, 3)):
        divisors = [d for d in range(1, left + 1) if left % d == 0]
        dims.append(one(*divisors))
        left //= dims[-1]
    dims.append(left)
    batch = 0
    if ints(0, 1):
        dims[ints(0, len(dims) - 1)] = -1
    elif ints(0, 1):
        batch = -1
    m.op("Reshape", ["x", m.integers([batch] + dims)])


def flatten(m):
    m.op("Flatten", ["x"], axis=one(None, 1, -len(m.shape)))


def transpose(m):
    m.op("Transpose", ["x"], perm=[0] + [int(i) + 1 for i in rng.permutation(len(m.shape))])


def squeeze(m):
    m.shape = [one(1, d) for d in m.shape] + [1]
    rank = len(m.shape)
    axes = [i + 1 for i, d in enumerate(m.shape) if d == 1 and ints(0, 1)] or [rank]
    axes = [one(a, a - rank - 1) for a in axes]
    if m.opset >= 13:
        m.op("Squeeze", ["x", m.integers(axes)])
    else:
        m.op("Squeeze", ["x"], axes=axes)


def unsqueeze(m):
    n = ints(1, 2)
    rank = len(m.shape) + 1 + n
    axes = sorted(int(a) + 1 for a in rng.permutation(rank - 1)[:n])
    if m.opset >= 13:
        m.op("Unsqueeze", ["x", m.integers(axes)])
    else:
        m.op("Unsqueeze", ["x"], axes=axes)


def pad(m):
    rank = len(m.shape)
    mode = one("constant", "constant", "reflect", "edge")
    pads = [0] + [ints(0, min(2, d - 1) if mode == "reflect" else 2) for d in m.shape]
    pads += [0] + [ints(0, min(2, d - 1) if mode == "reflect" else 2) for d in m.shape]
    if mode == "reflect" and rank == 3:
        pads[1] = pads[5] = 0
    if m.opset < 11:
        m.op("Pad", ["x"], "p", pads=pads, mode=mode, value=0.5 if mode == "constant" else None)
    else:
        m.op("Pad", ["x", m.integers(pads)] + ([m.constant(0.5)] if mode == "constant" and ints(0, 1) else []), "p", mode=mode)
    if rank == 3 and ints(0, 1):  # a convolution takes it in, or not
        m.op("Conv", ["p", m.normal(2, m.shape[0] + pads[1] + pads[5], 1, 1)])
    else:
        m.op("Identity", ["p"])


def softmax(kind):
    def build(m):
        axis = ints(1, len(m.shape))
        m.op(kind, ["x"], axis=one(axis, axis - len(m.shape) - 1) if m.opset >= 11 else axis)

    return build


def lrn(m):
    attrs = dict(alpha=float(rng.uniform(0, 2)), beta=one(0.75, float(rng.uniform(0, 2))), bias=float(rng.uniform(0.5, 3)))
    m.op("LRN", ["x"], size=one(1, 3, 5, 7), **{k: v for k, v in attrs.items() if ints(0, 2)})


def argmax(m):
    axis = ints(1, len(m.shape))
    x = m.op("Round", ["x"], "rounded") if m.opset >= 11 and ints(0, 1) else "x"
    last = one(None, 1) if m.opset >= 12 else None
    m.op("ArgMax", [x], "i", axis=axis, keepdims=one(None, 0, 1), select_last_index=last)
    m.op("Cast", ["i"], to=TensorProto.FLOAT)


def slicing(m):
    rank = len(m.shape)
    axes = sorted(int(a) for a in rng.permutation(rank)[: ints(1, rank)])
    starts, ends, steps = [], [], []
    for a in axes:
        d = m.shape[a]
        start = ints(0, d - 1)
        end = ints(start + 1, d)
        step = ints(1, 2)
        if m.opset >= 10 and ints(0, 2) == 0:
            start, end, step = end - 1, start - 1 if start else -(2**31), -step
        elif ints(0, 2) == 0:
            start, end = start - d, one(end, 2**31 - 1)
        starts, ends, steps = starts + [start], ends + [end], steps + [step]
    axes = [a + 1 for a in axes]
    if m.opset < 10:
        m.op("Slice", ["x"], starts=starts, ends=ends, axes=axes)
    else:
        m.op("Slice", ["x"] + [m.integers(v) for v in (starts, ends, axes, steps)])


def split(m):
    axis = ints(1, len(m.shape))
    m.shape[axis - 1] = n = ints(2, 6)
    first = ints(1, n - 1)
    if m.opset < 13:
        m.op("Split", ["x"], "a", ["a", "b"], axis=axis, split=[first, n - first])
    else:
        m.op("Split", ["x", m.integers([first, n - first])], "a", ["a", "b"], axis=axis)
    m.op("Concat", ["b", "a"], axis=axis)


def gather(m):
    axis = ints(1, len(m.shape))
    d = m.shape[axis - 1]
    index = one(ints(-d, d - 1), [ints(0, d - 1)], list(range(d)), list(range(d - 1, -1, -1)))
    m.op("Gather", ["x", m.integers(index)], axis=axis)


def dropout(m):
    if m.opset < 12:
        m.op("Dropout", ["x"], outputs=one(["y"], ["y", "mask"]), ratio=0.3)
    else:
        m.op("Dropout", ["x"] + one([], [m.constant(0.3)]))


def pow_(m):
    m.op("Exp", ["x"], "e")
    m.op("Pow", ["e", m.constant(one(2, 0.5, 1))])


def view(m):
    """x.view(x.size(0), -1), as exporters leave it."""
    m.op("Shape", ["x"], "s")
    index = m.integers(0)
    m.op("Gather", ["s", index], "b", axis=0)
    if m.opset >= 13:
        m.op("Unsqueeze", ["b", m.integers([0])], "u")
    else:
        m.op("Unsqueeze", ["b"], "u", axes=[0])
    m.op("Concat", ["u", m.integers(one([-1], [m.shape[0], -1], [-1, m.shape[0]]))], "t", axis=0)
    m.op("Reshape", ["x", "t"])


def shuffle(m):
    """Channels shuffled as ShuffleNet does."""
    m.shape[0] = c = one(4, 6)
    h, w = m.shape[1:]
    m.op("Reshape", ["x", m.integers([0, 2, c // 2, h, w])], "r")
    m.op("Transpose", ["r"], "t", perm=[0, 2, 1, 3, 4])
    m.op("Reshape", ["t", m.integers([0, c, h, w])])


def excite(m):
    """Squeeze and excite."""
    c = m.shape[0]
    m.op("GlobalAveragePool", ["x"], "g")
    m.op("Conv", ["g", m.normal(2, c, 1, 1)], "c1")
    m.op("Relu", ["c1"], "r")
    m.op("Conv", ["r", m.normal(c, 2, 1, 1)], "c2")
    m.op("HardSigmoid", ["c2"], "h", alpha=1 / 6)
    m.op("Mul", one(["h", "x"], ["x", "h"]))


# operator: how to build it, on which shapes, in which operator sets, how often.
OPERATORS = {
    "Conv": (conv, spatial, (7, 22), 12),
    "MaxPool": (pool("MaxPool"), spatial, (7, 22), 6),
    "AveragePool": (pool("AveragePool"), spatial, (7, 22), 6),
    "GlobalAveragePool": (unary("GlobalAveragePool"), spatial, (7, 22), 1),
    "GlobalMaxPool": (unary("GlobalMaxPool"), spatial, (7, 22), 1),
    "Gemm": (gemm, lambda: ints(1, 6, 1), (7, 22), 4),
    "MatMul": (matmul, any_shape, (7, 22), 4),
    "BatchNormalization": (norm, any_shape, (9, 22), 3),
    "Relu": (unary("Relu"), any_shape, (7, 22), 1),
    "LeakyRelu": (unary("LeakyRelu", alpha=(0, 1)), any_shape, (7, 22), 2),
    "PRelu": (prelu, any_shape, (7, 22), 2),
    "Clip": (clip, any_shape, (7, 22), 3),
    "HardSigmoid": (unary("HardSigmoid", alpha=(0.1, 0.5), beta=(0.1, 0.9)), any_shape, (7, 21), 2),
    "HardSwish": (unary("HardSwish"), any_shape, (14, 21), 1),
    "Sigmoid": (unary("Sigmoid"), any_shape, (7, 22), 1),
    "Tanh": (unary("Tanh"), any_shape, (7, 22), 1),
    "Elu": (unary("Elu", alpha=(0.1, 2)), any_shape, (7, 21), 1),
    "Selu": (unary("Selu", alpha=(0.1, 2), gamma=(0.5, 2)), any_shape, (7, 21), 1),
    "Celu": (unary("Celu", alpha=(0.1, 2)), any_shape, (12, 22), 1),
    "Softplus": (unary("Softplus"), any_shape, (7, 21), 1),
    "Softsign": (unary("Softsign"), any_shape, (7, 21), 1),
    "Exp": (unary("Exp"), any_shape, (7, 22), 1),
    "Log": (unary("Log", True), any_shape, (7, 22), 1),
    "Sqrt": (unary("Sqrt", True), any_shape, (7, 22), 1),
    "Reciprocal": (unary("Reciprocal", True), any_shape, (7, 22), 1),
    "Abs": (unary("Abs"), any_shape, (7, 22), 1),
    "Neg": (unary("Neg"), any_shape, (7, 22), 1),
    "Floor": (unary("Floor"), any_shape, (7, 22), 1),
    "Ceil": (unary("Ceil"), any_shape, (7, 22), 1),
    "Round": (unary("Round"), any_shape, (11, 21), 1),
    "Erf": (unary("Erf"), any_shape, (9, 22), 1),
    "Gelu": (lambda m: m.op("Gelu", ["x"], approximate=one(None, "none", "tanh")), any_shape, (20, 22), 1),
    "Add": (binary("Add"), any_shape, (7, 22), 5),
    "Sub": (binary("Sub"), any_shape, (7, 22), 5),
    "Mul": (binary("Mul"), any_shape, (7, 22), 5),
    "Div": (binary("Div"), any_shape, (7, 22), 5),
    "Min": (bound("Min"), any_shape, (8, 22), 1),
    "Max": (bound("Max"), any_shape, (8, 22), 1),
    "Pow": (pow_, any_shape, (7, 22), 1),
    "Concat": (concat, any_shape, (7, 22), 4),
    "ReduceMean": (reduce("ReduceMean", 18), any_shape, (7, 22), 4),
    "ReduceMax": (reduce("ReduceMax", 18), any_shape, (7, 22), 2),
    "ReduceSum": (reduce("ReduceSum", 13), any_shape, (7, 22), 2),
    "Flatten": (flatten, any_shape, (11, 22), 2),
    "Reshape": (reshape, any_shape, (7, 22), 4),
    "Transpose": (transpose, any_shape, (7, 22), 4),
    "Squeeze": (squeeze, any_shape, (11, 22), 3),
    "Unsqueeze": (unsqueeze, any_shape, (7, 22), 3),
    "Pad": (pad, lambda: one(image(low=3), image(low=3), signal(), ints(1, 5, 1)), (7, 22), 5),
    "Softmax": (softmax("Softmax"), any_shape, (7, 22), 4),
    "LogSoftmax": (softmax("LogSoftmax"), any_shape, (7, 22), 2),
    "LRN": (lrn, image, (7, 22), 3),
    "ArgMax": (argmax, any_shape, (7, 22), 3),
    "Slice": (slicing, any_shape, (7, 22), 5),
    "Split": (split, any_shape, (7, 17), 3),
    "Gather": (gather, any_shape, (11, 22), 3),
    "Identity": (unary("Identity"), any_shape, (7, 22), 1),
    "Dropout": (dropout, any_shape, (7, 21), 2),
    "view": (view, image, (7, 22), 3),
    "channel shuffle": (shuffle, image, (7, 22), 2),
    "squeeze and excite": (excite, image, (7, 21), 2),
}

names = [name for name, (_, _, _, often) in OPERATORS.items() for _ in range(often)]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.log_severity_level = 4
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
refused, i = 0, 0
while i < count:
    name = names[i % len(names)]
    build, shape, (low, high), _ = OPERATORS[name]
    m = Model(shape(), ints(low, high))
    build(m)
    if m.nodes[-1].op_type in ("Dropout", "Flatten", "Gather", "Identity", "Pow", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"):
        # the output must be more than the input by another name
        m.nodes[-1].output[0] = m.nodes[-1].name = "almost"
        m.op("Neg", ["almost"])
    data = m.bytes()
    x = rng.normal(size=[IMAGES] + m.shape).astype(np.float32) * 2
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        y = session.run(["y"], {"x": x})[0]
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
    print(i, name)
    i += 1
print(f"ONNX Runtime {onnxruntime.__version__}, onnx {onnx.__version__}; {refused} models refused by the runtime")
