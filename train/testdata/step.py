"""Writes step.json: one step of training the CIFAR-10 network in JAX, float64.

    pip install jax numpy
    python train/testdata/step.py > train/testdata/step.json

All numbers that go in come from a formula that step_test.go repeats; what comes
out is the loss, each tensor's gradient (its norm, and every value or some), the
weights after an SGD step with Nesterov momentum that had a velocity already, and
the running statistics.

Rounding in float32 must not decide which way a gradient goes: where a ReLU's input
is nearly 0, or a pool has two maxima that are nearly equal, right gradients differ
by far more than roundings. So the images are the first salt's that keeps away from
all of that; it takes a minute to find.
"""
import itertools
import json
import sys

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

BATCH, SMOOTHING, EPS = 4, 0.1, 1e-5
# What a ReLU of the i-th layer must be away from 0, and a pool's maximum from the next
# value, is i·MARGIN: some six times the standard deviation of what minimal filtering in
# float32 gets by two orders of adding (AVX-512's and plain Go's).
MARGIN = 5e-6
RATE, MOMENTUM, DECAY, STATS = 0.05, 0.9, 5e-4, 0.1
CHANNELS = [3, 32, 32, 64, 64, 128, 128]
SAMPLES = 64


def noise(n, salt):
    """n numbers in −1…1, exact in float32: a multiplicative hash of the index."""
    i = np.arange(n, dtype=np.uint64) + np.uint64(salt) * np.uint64(1 << 20)
    h = (i * np.uint64(2654435761) + np.uint64(12345)) & np.uint64(0xFFFFFFFF)
    h ^= h >> np.uint64(15)
    h = (h * np.uint64(2246822519)) & np.uint64(0xFFFFFFFF)
    h ^= h >> np.uint64(13)
    return (h >> np.uint64(8)).astype(np.float64) / float(1 << 23) - 1


def f32(x):
    return np.asarray(x, dtype=np.float32).astype(np.float64)


params = {}
for i in range(6):
    cin, cout = CHANNELS[i], CHANNELS[i + 1]
    scale = f32(2 / np.sqrt(9 * cin))
    params[f"conv{i+1}.weight"] = f32(noise(cout * 9 * cin, i) * scale).reshape(cout, 3, 3, cin)
    params[f"norm{i+1}.gamma"] = f32(1 + 0.25 * noise(cout, 10 + i))
    params[f"norm{i+1}.beta"] = f32(0.25 * noise(cout, 20 + i))
params["dense.weight"] = f32(noise(20480, 30) / 32).reshape(10, 4, 4, 128)
params["dense.bias"] = f32(noise(10, 31) / 8)
velocity = {k: f32(noise(v.size, 40 + j) / 64).reshape(v.shape) for j, (k, v) in enumerate(sorted(params.items()))}
labels = np.arange(BATCH) * 7 % 10
MEAN, STD = np.array([0.4914, 0.4822, 0.4465]), np.array([0.2470, 0.2435, 0.2616])
SCALE, SHIFT = f32(1 / (255 * STD)), f32(-MEAN / STD)


def images_of(salt):
    return jnp.asarray(np.floor((noise(BATCH * 3072, salt) + 1) * 127.99).reshape(BATCH, 3, 32, 32))


def forward(p, images):
    """The loss, the running statistics, and each layer's least distance from where a gradient jumps."""
    x = images.transpose(0, 2, 3, 1) * SCALE + SHIFT
    stats, distances = {}, []
    for i in range(1, 7):
        x = jax.lax.conv_general_dilated(x, p[f"conv{i}.weight"], (1, 1), "SAME", dimension_numbers=("NHWC", "OHWI", "NHWC"))
        mean, var, n = x.mean((0, 1, 2)), x.var((0, 1, 2)), x.size // x.shape[3]
        stats[f"norm{i}.mean"] = STATS * mean
        stats[f"norm{i}.var"] = (1 - STATS) + STATS * var * n / (n - 1)
        x = (x - mean) / jnp.sqrt(var + EPS) * p[f"norm{i}.gamma"] + p[f"norm{i}.beta"]
        distance = jnp.abs(x).min()
        x = jnp.maximum(x, 0)
        if i % 2 == 0:
            n, h, w, c = x.shape
            window = jnp.sort(x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 5, 2, 4).reshape(-1, 4))
            lead = jnp.where(window[:, 3] > 0, window[:, 3] - window[:, 2], jnp.inf)
            distance = jnp.minimum(distance, lead.min())
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        distances.append(distance / i)
    logits = jnp.einsum("nhwc,ohwc->no", x, p["dense.weight"]) + p["dense.bias"]
    target = (1 - SMOOTHING) * jax.nn.one_hot(labels, 10) + SMOOTHING / 10
    return -(target * jax.nn.log_softmax(logits)).sum() / BATCH, (stats, jnp.stack(distances).min())


start = {k: jnp.asarray(v) for k, v in params.items()}
distance = jax.jit(lambda images: forward(start, images)[1][1])
salt = next(salt for salt in itertools.count(100) if distance(images_of(salt)) >= MARGIN)
(loss, (stats, _)), grads = jax.value_and_grad(forward, has_aux=True)(start, images_of(salt))


def picked(v):
    v = np.asarray(v).ravel()
    step = max(1, v.size // SAMPLES)
    return [float(x) for x in v[::step]]


out = {"framework": "JAX " + jax.__version__, "salt": salt, "loss": float(loss), "grads": {}, "norms": {}, "weights": {}, "stats": {}}
for k in sorted(params):
    g = np.asarray(grads[k])
    out["grads"][k], out["norms"][k] = picked(g), float(np.sqrt((g * g).sum()))
    if k.endswith(".weight"):
        g = g + DECAY * params[k]
    v = MOMENTUM * velocity[k] + g
    out["weights"][k] = picked(params[k] - RATE * (g + MOMENTUM * v))
for k, v in stats.items():
    out["stats"][k] = picked(v)
json.dump(out, sys.stdout, indent=1)
print()
