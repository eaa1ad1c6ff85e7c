"""Writes brevitas.zip: small networks of few bits as Brevitas exports them, in the QONNX dialect
and in the QCDQ form (QuantizeLinear, Clip, DequantizeLinear), by both of PyTorch's exporters.
What they give is what qonnx and ONNX Runtime make of the files, compared here with what
Brevitas itself computes: where the two differ the exporter has written something else.

usage: make_brevitas.py [NAME...]

The kept file was made with torch 2.9.1, brevitas 0.13.4, qonnx 1.0.0, onnxruntime 1.32.0 and onnx 1.23.2 (PyPI).
"""

import os
import sys
import tempfile
import warnings

import brevitas
import brevitas.nn as qnn
import numpy as np
import onnx
import onnxruntime
import torch
from brevitas.export import export_onnx_qcdq, export_qonnx
from brevitas.quant import (Int8ActPerTensorFixedPoint, Int8ActPerTensorFloat, Int8WeightPerChannelFloat, Int8WeightPerTensorFixedPoint,
                            Int8WeightPerTensorFloat, Int32Bias, ShiftedUint8ActPerTensorFloat, ShiftedUint8WeightPerTensorFloat,
                            SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst, SignedTernaryActPerTensorConst,
                            SignedTernaryWeightPerTensorConst, TruncTo8bit, Uint8ActPerTensorFixedPoint, Uint8ActPerTensorFloat)
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes
from torch import nn

import pack

warnings.filterwarnings("ignore")
here = os.path.dirname(os.path.abspath(__file__))


def conv(i, o, bits, k=3, s=1, g=1, quant=Int8WeightPerTensorFloat, **more):
    return qnn.QuantConv2d(i, o, k, s, k // 2, groups=g, bias=False, weight_quant=quant, weight_bit_width=bits, **more)


def identity(bits, quant=Int8ActPerTensorFloat, **more):
    return qnn.QuantIdentity(act_quant=quant, bit_width=bits, return_quant_tensor=True, **more)


def relu(bits, quant=Uint8ActPerTensorFloat, **more):
    return qnn.QuantReLU(act_quant=quant, bit_width=bits, return_quant_tensor=True, **more)


def plain(w, a, weights=Int8WeightPerTensorFloat, acts=Uint8ActPerTensorFloat, first=Int8ActPerTensorFloat):
    """Convolutions with batch norms and quantized ReLUs, as most users write them."""
    return nn.Sequential(
        identity(8, first), conv(3, 8, 8, quant=weights), nn.BatchNorm2d(8), relu(a, acts), conv(8, 8, w, quant=weights), nn.BatchNorm2d(8), relu(a, acts),
        nn.MaxPool2d(2), conv(8, 12, w, s=2, quant=weights), nn.BatchNorm2d(12), relu(a, acts), nn.Flatten(), qnn.QuantLinear(48, 5, bias=True, weight_quant=weights, weight_bit_width=8))


def finn(weights, acts, w, a):
    """As FINN's CNV and TFC: weights and signed activations of few bits, no ReLU."""
    return nn.Sequential(
        identity(8), conv(3, 8, w, quant=weights), nn.BatchNorm2d(8), identity(a, acts), conv(8, 8, w, quant=weights), nn.BatchNorm2d(8), identity(a, acts),
        nn.MaxPool2d(2), conv(8, 16, w, quant=weights), nn.BatchNorm2d(16), identity(a, acts), nn.Flatten(),
        qnn.QuantLinear(256, 8, bias=False, weight_quant=weights, weight_bit_width=w), nn.BatchNorm1d(8), identity(a, acts),
        qnn.QuantLinear(8, 4, bias=False, weight_quant=weights, weight_bit_width=w))


class Residual(nn.Module):  # both sides of the addition by one quantizer, so that their scales agree
    def __init__(self, w, a):
        super().__init__()
        self.first = nn.Sequential(identity(8), conv(3, 8, w), nn.BatchNorm2d(8))
        self.act, self.shared = relu(a), identity(a)
        self.body = nn.Sequential(conv(8, 8, w, quant=Int8WeightPerChannelFloat), nn.BatchNorm2d(8), relu(a), conv(8, 8, w), nn.BatchNorm2d(8))
        self.out, self.fc = relu(a), qnn.QuantLinear(8, 5, bias=True, weight_bit_width=w)

    def forward(self, x):
        x = self.act(self.first(x))
        x = self.out(self.shared(self.body(x)) + self.shared(x))
        x = x.value if hasattr(x, "value") else x
        return self.fc(x.mean((2, 3)))


class Separable(nn.Module):
    def __init__(self, w, a):
        super().__init__()
        self.body = nn.Sequential(
            identity(8), conv(3, 8, 8, s=2), nn.BatchNorm2d(8), relu(a), conv(8, 8, w, g=8, quant=Int8WeightPerChannelFloat), nn.BatchNorm2d(8), relu(a),
            conv(8, 12, w, k=1), nn.BatchNorm2d(12), relu(a), conv(12, 12, w, g=4), nn.BatchNorm2d(12), relu(a))
        self.fc = qnn.QuantLinear(12, 4, bias=True, weight_bit_width=8)

    def forward(self, x):
        x = self.body(x)
        x = x.value if hasattr(x, "value") else x
        return self.fc(x.mean((2, 3)))


class Branches(nn.Module):  # concatenation of two branches, each with its own quantizer
    def __init__(self, w, a):
        super().__init__()
        self.inp, self.a, self.b = identity(8), conv(3, 4, w, k=1), conv(3, 6, w)
        self.ra, self.rb, self.c = qnn.QuantReLU(bit_width=a), qnn.QuantReLU(bit_width=a), conv(10, 5, w)
        self.shared = identity(a)

    def forward(self, x):
        x = self.inp(x)
        x = torch.cat([self.ra(self.a(x)), self.rb(self.b(x))], 1)
        return self.c(self.shared(x))


class Truncated(nn.Module):  # an average of integers, its lowest bits cut off
    def __init__(self, a):
        super().__init__()
        self.body = nn.Sequential(identity(8), conv(3, 8, 4), nn.BatchNorm2d(8), relu(a))
        self.pool = qnn.TruncAvgPool2d(4, bit_width=a, trunc_quant=TruncTo8bit, float_to_int_impl_type="FLOOR")
        self.fc = qnn.QuantLinear(32, 4, bias=True, weight_bit_width=4)

    def forward(self, x):
        x = self.pool(self.body(x))
        x = x.value if hasattr(x, "value") else x
        return self.fc(x.flatten(1))


def shifted():  # zero points that are not 0
    return nn.Sequential(
        identity(8, ShiftedUint8ActPerTensorFloat), conv(3, 8, 8, quant=ShiftedUint8WeightPerTensorFloat), nn.BatchNorm2d(8), identity(8, ShiftedUint8ActPerTensorFloat),
        conv(8, 8, 4, quant=ShiftedUint8WeightPerTensorFloat), nn.ReLU(), identity(4, ShiftedUint8ActPerTensorFloat), nn.Flatten(), qnn.QuantLinear(512, 4, bias=True))


def biased(w, a):  # biases of 32 bits in the scale of the sums
    return nn.Sequential(
        identity(8), qnn.QuantConv2d(3, 8, 3, padding=1, weight_bit_width=w, bias_quant=Int32Bias), relu(a),
        qnn.QuantConv2d(8, 8, 3, 2, weight_bit_width=w, bias_quant=Int32Bias), relu(a), nn.Flatten(), qnn.QuantLinear(72, 4, bias=True, weight_bit_width=w, bias_quant=Int32Bias))


def mlp(w, a):
    return nn.Sequential(nn.Flatten(), identity(8), qnn.QuantLinear(192, 16, bias=False, weight_bit_width=w), nn.BatchNorm1d(16), nn.Dropout(0.2), relu(a),
                         qnn.QuantLinear(16, 12, bias=False, weight_bit_width=w), nn.BatchNorm1d(12), relu(a), qnn.QuantLinear(12, 4, bias=True, weight_bit_width=w))


def activations():
    return nn.Sequential(identity(8), conv(3, 6, 4), qnn.QuantHardTanh(bit_width=4, min_val=-1.0, max_val=1.0), conv(6, 6, 4), qnn.QuantSigmoid(bit_width=5),
                         conv(6, 6, 4), qnn.QuantTanh(bit_width=6), nn.Flatten(), qnn.QuantLinear(384, 4, bias=True))


networks = {
    "w8a8": lambda: plain(8, 8), "w4a4": lambda: plain(4, 4), "w2a2": lambda: plain(2, 2), "w3a5": lambda: plain(3, 5),
    "perchannel": lambda: plain(4, 4, Int8WeightPerChannelFloat),
    "fixedpoint": lambda: plain(4, 4, Int8WeightPerTensorFixedPoint, Uint8ActPerTensorFixedPoint, Int8ActPerTensorFixedPoint),
    "w1a1": lambda: finn(SignedBinaryWeightPerTensorConst, SignedBinaryActPerTensorConst, 1, 1),
    "w1a2": lambda: finn(SignedBinaryWeightPerTensorConst, Int8ActPerTensorFloat, 1, 2),
    "w1a2relu": lambda: plain(1, 2, SignedBinaryWeightPerTensorConst),
    "ternary": lambda: finn(SignedTernaryWeightPerTensorConst, SignedTernaryActPerTensorConst, 2, 2),
    "w2a2finn": lambda: finn(Int8WeightPerTensorFloat, Int8ActPerTensorFloat, 2, 2),
    "residual": lambda: Residual(4, 4), "residual8": lambda: Residual(8, 8), "separable": lambda: Separable(4, 4), "branches": lambda: Branches(4, 4),
    "truncated": lambda: Truncated(4), "shifted": shifted, "biased": lambda: biased(4, 4), "biased8": lambda: biased(8, 8), "mlp": lambda: mlp(2, 2), "mlp8": lambda: mlp(8, 8),
    "activations": activations,
}

WAYS = {  # how: exporter and its flags
    "qonnx": (export_qonnx, dict(dynamo=False, opset_version=13)), "qonnxnew": (export_qonnx, dict(dynamo=True)),
    "qcdq": (export_onnx_qcdq, dict(dynamo=False, opset_version=13)), "qcdqnew": (export_onnx_qcdq, dict(dynamo=True)),
}


def strip(proto):
    """Without stack traces, which name the machine's folders."""
    for n in proto.graph.node:
        del n.metadata_props[:]
        n.doc_string = ""
    for v in (*proto.graph.value_info, *proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        del v.metadata_props[:]
    del proto.graph.metadata_props[:]
    return proto


def run(way, m, x):
    if way.startswith("qcdq"):
        s = onnxruntime.InferenceSession(m.SerializeToString())
        return np.concatenate([s.run(None, {"x": x[i:i + 1]})[0] for i in range(len(x))])
    w = ModelWrapper(onnx.ModelProto.FromString(m.SerializeToString())).transform(InferShapes())
    return np.concatenate([execute_onnx(w, {"x": x[i:i + 1]})["y"] for i in range(len(x))])


def main(names):
    pack.versions(torch, brevitas, onnx)
    z = pack.Pack(os.path.join(here, "brevitas.zip"))
    for name, make in networks.items():
        if names and name not in names:
            continue
        seed = sum(map(ord, name))
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        model, shape = make(), (3, 8, 8)
        with torch.no_grad():  # activations' scales are what training would have found on such images
            for m in model.modules():
                if isinstance(m, (nn.BatchNorm2d, nn.BatchNorm1d)):
                    m.weight.copy_(torch.from_numpy(rng.uniform(0.5, 1.5, m.weight.shape).astype(np.float32)))
                    m.bias.copy_(torch.from_numpy(rng.normal(0, 0.3, m.bias.shape).astype(np.float32)))
            model.train()
            for _ in range(20):
                model(torch.from_numpy(rng.normal(0, 1, (16, *shape)).astype(np.float32)))
            model.eval()
            x = torch.from_numpy(rng.normal(0, 1, (pack.IMAGES, *shape)).astype(np.float32))
            y = model(x)
            y = (y.value if hasattr(y, "value") else y).numpy()
        for way, (export, flags) in WAYS.items():
            path = os.path.join(tempfile.mkdtemp(), "m.onnx")
            try:
                export(model, args=torch.zeros(1, *shape), export_path=path, input_names=["x"], output_names=["y"], **flags)
            except Exception as e:  # what Brevitas cannot write is not for us to read
                print(f"{name}_{way}: not exported: {type(e).__name__}: {str(e).splitlines()[0][:120]}")
                continue
            m = strip(onnx.load(path))
            got = run(way, m, x.numpy())
            if np.abs(got - y).max() > 1e-5 * max(1, np.abs(y).max()):
                print(f"{name}_{way}: {np.abs(got - y).max():.3g} from what Brevitas computes")
            z.add(f"{name}_{way}", {".onnx": m.SerializeToString()}, x.numpy(), got)
    z.close()


main(sys.argv[1:])
