"""Writes pytorch.zip: small networks as PyTorch exports them, by both of its exporters.

usage: make_pytorch.py [NAME...]

The kept file was made with torch 2.9.1, onnx 1.23.2 and onnxscript 0.7.2 (PyPI).
"""

import io
import os
import sys
import tempfile
import warnings

import numpy as np
import onnx
import onnxscript
import torch
import torch.nn.functional as F
from torch import nn

import pack

warnings.filterwarnings("ignore")
here = os.path.dirname(os.path.abspath(__file__))


def conv_bn(i, o, k=3, s=1, g=1, act=nn.ReLU):
    layers = [nn.Conv2d(i, o, k, s, k // 2, groups=g, bias=False), nn.BatchNorm2d(o)]
    return nn.Sequential(*layers, *([act()] if act else []))


class Block(nn.Module):  # of ResNet, https://arxiv.org/abs/1512.03385
    def __init__(self, i, o, s):
        super().__init__()
        self.body = nn.Sequential(conv_bn(i, o, 3, s), conv_bn(o, o, act=None))
        self.down = conv_bn(i, o, 1, s, act=None) if s > 1 or i != o else None

    def forward(self, x):
        y = self.body(x)
        return F.relu(y + (x if self.down is None else self.down(x)))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(conv_bn(3, 4), Block(4, 4, 1), Block(4, 8, 2), nn.AvgPool2d(4))
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        x = self.body(x)
        return self.fc(x.view(x.size(0), -1))


class OptionA(nn.Module):  # the CIFAR ResNet's shortcut without parameters
    def __init__(self):
        super().__init__()
        self.a, self.b, self.fc = conv_bn(3, 4), conv_bn(4, 8, 3, 2, act=None), nn.Linear(8, 4)

    def forward(self, x):
        x = self.a(x)
        x = F.relu(self.b(x) + F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2)))
        x = F.avg_pool2d(x, int(x.size()[3]))
        return self.fc(x.view(x.size()[0], -1))


class MobileV1(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(conv_bn(3, 4, 3, 2), conv_bn(4, 4, 3, 1, 4), conv_bn(4, 8, 1), conv_bn(8, 8, 3, 2, 8), conv_bn(8, 8, 1))
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(8, 5)

    def forward(self, x):
        return self.fc(torch.flatten(self.pool(self.body(x)), 1))


class Inverted(nn.Module):  # of MobileNet v2, https://arxiv.org/abs/1801.04381
    def __init__(self, i, o, s, act=nn.ReLU6, se=None):
        super().__init__()
        m = 2 * i
        self.body = nn.Sequential(conv_bn(i, m, 1, act=act), conv_bn(m, m, 3, s, m, act=act), *([se(m)] if se else []), conv_bn(m, o, 1, act=None))
        self.same = s == 1 and i == o

    def forward(self, x):
        return x + self.body(x) if self.same else self.body(x)


class MobileV2(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(conv_bn(3, 4, 3, 2, act=nn.ReLU6), Inverted(4, 4, 1), Inverted(4, 6, 2), conv_bn(6, 8, 1, act=nn.ReLU6))
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(8, 5))

    def forward(self, x):
        return self.head(self.body(x).mean([2, 3]))


class SE(nn.Module):  # squeeze and excitation, https://arxiv.org/abs/1709.01507
    def __init__(self, c, gate=nn.Hardsigmoid):
        super().__init__()
        self.body = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(c, 2, 1), nn.ReLU(), nn.Conv2d(2, c, 1), gate())

    def forward(self, x):
        return x * self.body(x)


class LinearSE(nn.Module):  # the same with dense layers, as most write it
    def __init__(self, c):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(c, 2, bias=False), nn.ReLU(), nn.Linear(2, c, bias=False), nn.Sigmoid())

    def forward(self, x):
        b, c, _, _ = x.size()
        y = self.fc(F.adaptive_avg_pool2d(x, 1).view(b, c)).view(b, c, 1, 1)
        return x * y.expand_as(x)


class MobileV3(nn.Module):  # https://arxiv.org/abs/1905.02244
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(conv_bn(3, 4, 3, 2, act=nn.Hardswish), Inverted(4, 4, 1, nn.ReLU, SE), Inverted(4, 6, 2, nn.Hardswish, SE))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 8), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(8, 5))

    def forward(self, x):
        return self.head(self.body(x))


def efficient():
    gate = lambda c: SE(c, nn.Sigmoid)
    return nn.Sequential(conv_bn(3, 4, 3, 2, act=nn.SiLU), Inverted(4, 4, 1, nn.SiLU, gate), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))


def linear_se():
    return nn.Sequential(conv_bn(3, 4, 3, 2), LinearSE(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))


class Inception(nn.Module):  # https://arxiv.org/abs/1409.4842
    def __init__(self, i):
        super().__init__()
        self.a, self.b = conv_bn(i, 3, 1), nn.Sequential(conv_bn(i, 2, 1), conv_bn(2, 4, 3))
        self.c = nn.Sequential(conv_bn(i, 2, 1), nn.Conv2d(2, 2, (1, 5), padding=(0, 2)), nn.Conv2d(2, 2, (5, 1), padding=(2, 0)))
        self.d = nn.Sequential(nn.MaxPool2d(3, 1, 1), conv_bn(i, 2, 1))

    def forward(self, x):
        return torch.cat([self.a(x), self.b(x), self.c(x), self.d(x)], 1)


def inception():
    return nn.Sequential(conv_bn(3, 4, 3, 2), Inception(4), nn.MaxPool2d(3, 2, ceil_mode=True), Inception(11), nn.AvgPool2d(3, 1, 1, count_include_pad=False),
                         nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(11, 5))


class Dense(nn.Module):  # DenseNet, https://arxiv.org/abs/1608.06993: batch norms before convolutions
    def __init__(self):
        super().__init__()
        self.stem, self.n = nn.Conv2d(3, 4, 3, 2, 1), nn.ModuleList([nn.BatchNorm2d(4 + 2 * i) for i in range(4)])
        self.c = nn.ModuleList([nn.Conv2d(4 + 2 * i, 2, 3, 1, 1, bias=False) for i in range(3)])
        self.transition, self.fc = nn.Conv2d(10, 5, 1), nn.Linear(5, 4)

    def forward(self, x):
        x = self.stem(x)
        for n, c in zip(self.n, self.c):
            x = torch.cat((x, c(F.relu(n(x)))), 1)
        x = F.avg_pool2d(self.transition(F.relu(self.n[3](x))), 2)
        return self.fc(F.relu(x).flatten(2).mean(-1))


class Shuffle(nn.Module):  # ShuffleNet v2, https://arxiv.org/abs/1807.11164
    def __init__(self):
        super().__init__()
        self.stem, self.body = conv_bn(3, 8, 3, 2), nn.Sequential(conv_bn(4, 4, 1), conv_bn(4, 4, 3, 1, 4, None), conv_bn(4, 4, 1))
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        a, b = self.stem(x).chunk(2, 1)
        x = torch.cat((a, self.body(b)), 1)
        n, c, h, w = x.size()
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
        return self.fc(x.mean(3).mean(2))


class ChannelShuffle(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.s = nn.Conv2d(4, 6, 1, groups=2), nn.Conv2d(6, 4, 3, groups=2), nn.ChannelShuffle(2)

    def forward(self, x):
        return self.b(self.s(F.relu(self.a(x))))


class Fire(nn.Module):  # SqueezeNet, https://arxiv.org/abs/1602.07360
    def __init__(self, i):
        super().__init__()
        self.s, self.a, self.b = nn.Conv2d(i, 2, 1), nn.Conv2d(2, 4, 1), nn.Conv2d(2, 4, 3, padding=1)

    def forward(self, x):
        x = F.relu(self.s(x), inplace=True)
        return torch.cat([F.relu(self.a(x)), F.relu(self.b(x))], 1)


def squeeze():
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True), Fire(4), Fire(8), nn.Dropout(0.5), nn.Conv2d(8, 5, 1), nn.ReLU(),
                         nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten())


class Permuted(nn.Module):  # ConvNeXt without its norm: dense layers over pixels
    def __init__(self):
        super().__init__()
        self.dw, self.a, self.b = nn.Conv2d(4, 4, 7, padding=3, groups=4), nn.Linear(4, 8), nn.Linear(8, 4)
        self.scale, self.act = nn.Parameter(torch.ones(4)), nn.GELU()

    def forward(self, x):
        y = self.dw(x).permute(0, 2, 3, 1)
        y = self.scale * self.b(self.act(self.a(y)))
        return x + y.permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):  # https://arxiv.org/abs/2201.03545
    def __init__(self):
        super().__init__()
        self.stem, self.block, self.norm = nn.Conv2d(3, 4, 4, 4), Permuted(), nn.LayerNorm(4)
        self.head = nn.Linear(4, 5)

    def forward(self, x):
        x = self.block(self.stem(x)).permute(0, 2, 3, 1)
        return self.head(self.norm(x).mean([1, 2]))


class Words(nn.Module):  # keyword spotting in one dimension
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv1d(2, 4, 8, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(4, 6, 3, padding=2, dilation=2), nn.BatchNorm1d(6), nn.ReLU())
        self.fc = nn.Linear(6, 4)

    def forward(self, x):
        x = self.body(x)
        x = F.avg_pool1d(x, int(x.shape[-1]))
        return F.log_softmax(self.fc(x.permute(0, 2, 1)), dim=2).squeeze(1)


class Tcn(nn.Module):  # causal: padded on one side, and a residual
    def __init__(self):
        super().__init__()
        self.a, self.b, self.fc = nn.Conv1d(3, 4, 1), nn.Conv1d(4, 4, 3, dilation=2, groups=4), nn.Linear(4, 3)

    def forward(self, x):
        x = self.a(x)
        x = x + torch.tanh(self.b(F.pad(x, (4, 0))))
        return self.fc(x[:, :, -1])


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.BatchNorm1d(8), nn.PReLU(), nn.Linear(8, 8), nn.LeakyReLU(0.1), nn.Dropout(), nn.Linear(8, 5), nn.Softmax(1))


def prelu():
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.PReLU(4), nn.Conv2d(4, 4, 3, 2), nn.PReLU(), nn.Flatten(start_dim=1), nn.Linear(36, 3))


def pads():
    return nn.Sequential(nn.ConstantPad2d((1, 2, 0, 1), 0.5), nn.Conv2d(3, 4, 3), nn.ZeroPad2d((1, 0, 1, 0)), nn.Conv2d(4, 4, 3, 2), nn.ReflectionPad2d(1), nn.Conv2d(4, 3, 3),
                         nn.ReplicationPad2d((0, 1, 2, 0)), nn.AvgPool2d(2))


class Smooth(nn.Module):
    acts = [nn.ELU(), nn.CELU(0.5), nn.SELU(), nn.GELU(), nn.GELU("tanh"), nn.Softplus(), nn.SiLU(), nn.Mish(), nn.Tanh(), nn.Sigmoid(), nn.Hardtanh(-0.5, 2), nn.Softsign(), nn.LogSigmoid(),
            nn.Hardswish(), nn.Hardsigmoid()]

    def forward(self, x):
        return torch.cat([a(x) for a in self.acts], 1)


class Shrinks(nn.Module):  # comparisons
    def forward(self, x):
        return torch.cat([F.hardshrink(x, 0.3), F.softshrink(x, 0.3), F.threshold(x, 0.0, 0.0)], 1)


class Shared(nn.Module):  # a convolution's weights used twice, and tied ones
    def __init__(self):
        super().__init__()
        self.c, self.s, self.a = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 1), nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)
        self.b.weight = self.a.weight

    def forward(self, x):
        x = self.c(F.relu(self.c(x)))
        return self.b(F.relu(self.a(F.relu(self.s(x)).amax((2, 3))[:, :3] @ torch.eye(3, 4))))


class Norms(nn.Module):  # images in 0…255, made fit in the network
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([125.3, 123.0, 113.9]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([63.0, 62.1, 66.7]).view(1, 3, 1, 1))
        self.c = nn.Conv2d(3, 4, 3, 2)

    def forward(self, x):
        return F.relu(self.c((x * 64 - self.mean) / self.std)).sum((-2, -1)) / 9 - 1.0


class Space(nn.Module):  # space to depth, both ways of writing it
    def __init__(self):
        super().__init__()
        self.c, self.d = nn.Conv2d(12, 4, 3, padding=1), nn.PixelUnshuffle(2)

    def forward(self, x):
        x = torch.cat([x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1)
        return self.d(self.c(x)).flatten(1)


class Maxout(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 6, 3), nn.Conv2d(3, 4, 1)

    def forward(self, x):
        x = torch.stack(self.a(x).split(3, 1), 1).max(1).values
        x, g = self.b(x).chunk(2, 1)
        return (x * torch.sigmoid(g)).clamp(min=-0.5).amax(dim=[2, 3])


class Mixer(nn.Module):  # MLP-Mixer, https://arxiv.org/abs/2105.01601, without norms
    def __init__(self):
        super().__init__()
        self.patch, self.a, self.b, self.head = nn.Conv2d(3, 6, 4, 4), nn.Linear(16, 16), nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = x + F.gelu(self.a(x.transpose(1, 2))).transpose(1, 2)
        return self.head((x + self.b(x)).mean(1))


def dropouts():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Dropout(0.25), nn.Flatten(), nn.Dropout(0.5), nn.Linear(144, 4))


def dilated():
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding="same", dilation=2), nn.Conv2d(4, 4, 4, padding="same"), nn.MaxPool2d(2, dilation=2), nn.Conv2d(4, 4, (1, 3), (2, 1)),
                         nn.AdaptiveMaxPool2d(1), nn.Flatten(1))


def weight_norm():
    return nn.Sequential(nn.utils.weight_norm(nn.Conv2d(3, 4, 3)), nn.ReLU(), nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 3, 3)))


class Standard(nn.Module):  # weights made at run time out of constants
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        w = self.c.weight
        w = (w - w.mean((1, 2, 3), keepdim=True)) / (w.std((1, 2, 3), keepdim=True) + 1e-5)
        return F.conv2d(x, w, self.c.bias)


class Argmax(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(3, 5, 3)

    def forward(self, x):
        return self.c(x).argmax(1, keepdim=True).float().flatten(1)


class Attention(nn.Module):  # two computed values multiplied
    def __init__(self):
        super().__init__()
        self.q = nn.Linear(4, 4)

    def forward(self, x):
        x = x.flatten(2).transpose(1, 2)[..., :4].reshape(x.size(0), -1, 4)
        return F.softmax(self.q(x) @ x.transpose(1, 2), -1) @ x


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3, 2, 1), nn.ConvTranspose2d(4, 3, 2, 2)

    def forward(self, x):
        return self.b(F.relu(self.a(x))) + x


class Resized(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 3, 3, 2, 1)

    def forward(self, x):
        return F.interpolate(F.relu(self.a(x)), scale_factor=2, mode="nearest") + x


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.r = nn.GRU(3, 4, batch_first=True)

    def forward(self, x):
        return self.r(x.flatten(2).transpose(1, 2))[0][:, -1]


def group_norm():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.Conv2d(4, 2, 3))


def layer_norm():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 6), nn.LayerNorm(6), nn.ReLU(), nn.Linear(6, 3))


class Quantized(nn.Module):
    """Quantization-aware training's fake quantization. Zero points are even: PyTorch rounds
    x/scale + zero point, ONNX x/scale alone, which differs half-way between two steps."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3), nn.Linear(144, 5)

    def weight(self, w):
        s = torch.full((len(w),), 1 / 64)
        return torch.fake_quantize_per_channel_affine(w, s, torch.zeros(len(s), dtype=torch.int32), 0, -128, 127)

    def forward(self, x):
        q = lambda x, s, z: torch.fake_quantize_per_tensor_affine(x, s, z, -128, 127)
        x = q(x, 1 / 32, 4)
        x = q(F.relu(F.conv2d(x, self.weight(self.a.weight), self.a.bias)), 1 / 16, -128)
        return q(F.linear(x.flatten(1), self.weight(self.b.weight), self.b.bias), 1 / 8, 2)


IMAGE, SMALL = (3, 16, 16), (3, 8, 8)
# Name, network, image, opsets of the old exporter (dynamic batch where negative), whether
# the new one shall write it too.
NETWORKS = [
    ("residual", Residual, SMALL, [*range(9, 21), -9, -13, -17], True),
    ("mobile_v3", MobileV3, IMAGE, [*range(9, 21), -11, -16], True),
    ("option_a", OptionA, SMALL, [9, 13, -17], True),
    ("mobile_v1", MobileV1, IMAGE, [11, -18], True),
    ("mobile_v2", MobileV2, IMAGE, [10, -17], True),
    ("efficient", efficient, IMAGE, [12, -19], True),
    ("linear_se", linear_se, IMAGE, [9, -15], True),
    ("inception", inception, IMAGE, [9, -13], True),
    ("dense", Dense, IMAGE, [9, -14], True),
    ("shuffle", Shuffle, IMAGE, [9, 13, -11, -17], True),
    ("channel_shuffle", ChannelShuffle, (4, 8, 8), [], True),
    ("squeeze", squeeze, IMAGE, [9, -13], True),
    ("permuted", Permuted, (4, 6, 6), [9, -13, 20], True),
    ("convnext", ConvNeXt, SMALL, [13, -17], True),
    ("words", Words, (2, 64), [9, -11, 17], True),
    ("tcn", Tcn, (3, 16), [9, -11, 17], True),
    ("mlp", mlp, (3, 4, 4), [9, -13], True),
    ("prelu", prelu, SMALL, [9, -17], True),
    ("pads", pads, SMALL, [9, -11, 18], True),
    ("smooth", Smooth, (2, 3, 3), [12, 14, 20], True),
    ("shrinks", Shrinks, (2, 3, 3), [9, 14], True),
    ("shared", Shared, SMALL, [9, -18], True),
    ("norms", Norms, SMALL, [9, 13, -18], True),
    ("space", Space, SMALL, [10, -13], True),
    ("maxout", Maxout, SMALL, [9, 13, -18], True),
    ("mixer", Mixer, IMAGE, [9, -17], True),
    ("dilated", dilated, IMAGE, [10, -13], False),
    ("weight_norm", weight_norm, SMALL, [9, 17], True),
    ("standard", Standard, SMALL, [9, 17, 18], True),
    ("argmax", Argmax, SMALL, [9, 13], True),
    ("layer_norm", layer_norm, SMALL, [9, 16, 17], True),
    ("group_norm", group_norm, SMALL, [9, 17], True),
    ("quantized", Quantized, SMALL, [13, -17], True),
    ("attention", Attention, (4, 2, 4), [13], True),
    ("unet", UNet, SMALL, [11], True),
    ("resized", Resized, SMALL, [11], True),
    ("recurrent", Recurrent, (3, 2, 4), [13], False),
]
# As trained: batch norms not folded, dropout left in.
PRESERVED = [("residual", Residual, SMALL, [9, 13, 17]), ("dense", Dense, IMAGE, [14]), ("mobile_v3", MobileV3, IMAGE, [15]), ("dropouts", dropouts, SMALL, [9, 12, 17])]
# Never to be read: why is in the Go test.
REFUSED = {"shrinks", "attention", "unet", "resized", "recurrent"}


def seeded(make, seed):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    m = make()
    with torch.no_grad():
        for n, p in m.named_parameters():
            p.copy_(torch.from_numpy(pack.dyadic(rng, tuple(p.shape), 0.7 / max(p[0].numel(), 1) ** 0.5 if p.dim() > 1 else 0.25)))
            if p.dim() == 1 and n.endswith("weight"):
                p.add_(1.0)
        for n, b in m.named_buffers():
            if n.endswith("running_mean"):
                b.copy_(torch.from_numpy(pack.dyadic(rng, tuple(b.shape), 0.25)))
            if n.endswith("running_var"):
                b.copy_(torch.from_numpy(np.abs(pack.dyadic(rng, tuple(b.shape), 0.5)) + 0.5))
    return m.eval(), rng


def old(m, x, opset, **more):
    b = io.BytesIO()
    torch.onnx.export(m, (x[:1],), b, opset_version=abs(opset), input_names=["x"], output_names=["y"], dynamo=False,
                      dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}} if opset < 0 else None, **more)
    return b.getvalue()


def new(m, x, opset, dynamic):
    p = torch.onnx.export(m, (x[:2],) if dynamic else (x[:1],), None, opset_version=opset, input_names=["x"], output_names=["y"], dynamo=True, verbose=False,
                          dynamic_shapes=({0: torch.export.Dim("batch")},) if dynamic else None)
    proto = p.model_proto
    # Where each node came from in the Python source: paths and line numbers, most of the file.
    for n in list(proto.graph.node) + [n for f in proto.functions for n in f.node]:
        del n.metadata_props[:]
    for v in list(proto.graph.value_info) + list(proto.graph.input) + list(proto.graph.output):
        del v.metadata_props[:]
    del proto.graph.metadata_props[:]
    return proto.SerializeToString()


def main():
    pack.versions(torch, onnx, onnxscript)
    z = pack.Pack(os.path.join(here, "pytorch.zip"))
    only = set(sys.argv[1:])

    def add(name, data, m, x, refused=False):
        with torch.no_grad():
            y = m(x).numpy()
        files = {".onnx": data} if isinstance(data, bytes) else data
        z.add(name, files, *(() if refused else (x.numpy(), y.reshape(len(x), -1))))

    def attempt(name, f):
        if only and not only & {name.rsplit("_", 1)[0], name}:
            return
        try:
            f()
        except Exception as e:  # the exporter's own limits: printed, so that one sees what is not in the zoo
            print("not exported:", name, type(e).__name__, str(e).strip().split("\n")[0][:150])

    for i, (name, make, image, opsets, both) in enumerate(NETWORKS):
        m, rng = seeded(make, i)
        x = torch.from_numpy(pack.dyadic(rng, (pack.IMAGES, *image), 1))
        for o in opsets:
            attempt(f"{name}_{'dynamic' if o < 0 else 'old'}{abs(o)}", lambda: add(f"{name}_{'dynamic' if o < 0 else 'old'}{abs(o)}", old(m, x, o), m, x, name in REFUSED))
        if both:
            attempt(f"{name}_new18", lambda: add(f"{name}_new18", new(m, x, 18, False), m, x, name in REFUSED))
            if name not in REFUSED:
                attempt(f"{name}_newdynamic20", lambda: add(f"{name}_newdynamic20", new(m, x, 20, True), m, x))
    for i, (name, make, image, opsets) in enumerate(PRESERVED):
        for o in opsets:
            m, rng = seeded(make, 100 + i)
            x = torch.from_numpy(pack.dyadic(rng, (pack.IMAGES, *image), 1))

            def preserved():
                m.train(name == "dropouts")
                data = old(m, x, o, training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
                add(f"{name}_preserved{o}", data, m.eval(), x)
            attempt(f"{name}_preserved{o}", preserved)
    m, rng = seeded(Residual, 200)
    x = torch.from_numpy(pack.dyadic(rng, (pack.IMAGES, *SMALL), 1))
    attempt("residual_unfolded11", lambda: add("residual_unfolded11", old(m, x, 11, do_constant_folding=False, keep_initializers_as_inputs=True), m, x))

    def external():
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "external_new18.onnx")
            torch.onnx.export(m, (x[:1],), path, dynamo=True, external_data=True, opset_version=18, verbose=False)
            add("external_new18", {f[len("external_new18"):]: open(os.path.join(d, f), "rb").read() for f in os.listdir(d)}, m, x)
    attempt("external_new18", external)
    z.close()


main()
