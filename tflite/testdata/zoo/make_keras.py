"""Writes keras.zip: small Keras networks as TensorFlow's converter writes them, in float32
and in full-integer int8.

usage: make_keras.py

For each NAME.tflite: NAME.in, float32 numbers, little-endian, two images one after the
other as the file has them (pixel after pixel), and NAME.out: for float32 what Keras makes
of them; for int8, where NAME.in and NAME.out are the bytes themselves, what TensorFlow's
interpreter does with its reference kernels. Networks without .in are there to be refused.

The kept file was made with tensorflow-cpu 2.21.0 and keras 3.15.1 (PyPI). It had no .in and
.out of dilated, permuted and, in float32, of hard_swish, leaky, sigmoid, subtracted and tanh,
which were refused then: these are random images and what the reference kernels of
ai-edge-litert 2.3.0 (PyPI) make of them.
"""

import os
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np
import tensorflow as tf
from keras import layers as L

here = os.path.dirname(os.path.abspath(__file__))
IMAGES = 2


def conv(x, n, k=3, s=1, act="relu", bn=True, **more):
    x = L.Conv2D(n, k, s, "same", use_bias=not bn, **more)(x)
    x = L.BatchNormalization()(x) if bn else x
    return L.Activation(act)(x) if act else x


def dw(x, s=1, act="relu6", pad="same"):
    x = L.DepthwiseConv2D(3, s, pad, use_bias=False)(x)
    x = L.BatchNormalization()(x)
    return L.Activation(act)(x) if act else x


def head(x, n=5, act="softmax"):
    return L.Dense(n, activation=act)(L.GlobalAveragePooling2D()(x))


def residual(x):  # as MLPerf Tiny's ResNet8
    x = conv(x, 4)
    for n, s in ((4, 1), (6, 2)):
        y = conv(conv(x, n, 3, s), n, act=None)
        x = L.Activation("relu")(L.Add()([L.Conv2D(n, 1, s, "same")(x) if s > 1 else x, y]))
    x = L.AveragePooling2D(4)(x)
    return L.Dense(5, activation="softmax")(L.Flatten()(x))


def mobile_v1(x):
    x = conv(x, 4, 3, 2)
    for n, s in ((6, 1), (8, 2)):
        x = conv(dw(x, s, "relu"), n, 1)
    x = L.Dropout(0.2)(L.AveragePooling2D(x.shape[1:3])(x))
    return L.Dense(4, activation="softmax")(L.Flatten()(x))


def mobile_v2(x):
    x = conv(L.ZeroPadding2D(((0, 1), (0, 1)))(x), 4, 3, 2, "relu6")
    y = conv(dw(conv(x, 8, 1, 1, "relu6")), 4, 1, act=None)
    x = L.Add()([x, y])
    x = dw(L.ZeroPadding2D(((0, 1), (0, 1)))(conv(x, 8, 1, 1, "relu6")), 2, pad="valid")
    return head(conv(x, 6, 1, act=None))


def inception(x):
    x = conv(x, 4, 3, 2)
    a, b = conv(x, 3, 1), conv(conv(x, 2, 1), 3, 3)
    c, d = conv(conv(x, 2, (1, 5)), 2, (5, 1)), conv(L.MaxPooling2D(3, 1, "same")(x), 2, 1)
    x = L.Concatenate()([a, b, c, d])
    x = L.Concatenate()([L.AveragePooling2D(3, 2, "same")(x), L.MaxPooling2D(3, 2, "same")(x)])
    return head(x)


def dense(x):  # DenseNet: batch norms that no convolution takes in
    x = L.Conv2D(4, 3, 2, "same")(x)
    for _ in range(2):
        y = L.Activation("relu")(L.BatchNormalization()(x))
        x = L.Concatenate()([x, L.Conv2D(2, 3, padding="same", use_bias=False)(y)])
    return head(L.Activation("relu")(L.BatchNormalization()(x)))


def squeeze_excite(x):
    x = conv(x, 6, 3, 2)
    y = L.GlobalAveragePooling2D(keepdims=True)(x)
    y = L.Conv2D(6, 1, activation="hard_sigmoid")(L.Conv2D(2, 1, activation="relu")(y))
    return head(L.Multiply()([x, y]))


def gated(x):  # the same with what is in TFLite's integer list: a product with an image's own
    x = conv(x, 6, 3, 2, "relu6")
    y = L.Conv2D(6, 1, activation="relu6")(L.GlobalAveragePooling2D(keepdims=True)(x))
    return head(L.Multiply()([x, y]))


def sigmoid(x):
    x = conv(x, 6, 3, 2)
    y = L.Dense(6, activation="sigmoid")(L.Dense(2, activation="relu")(L.GlobalAveragePooling2D()(x)))
    return head(L.Multiply()([x, L.Reshape((1, 1, 6))(y)]))


def hard_swish(x):
    return head(conv(x, 4, 3, 2, "hard_swish"))


def leaky(x):
    return L.Dense(3)(L.Flatten()(L.PReLU(shared_axes=[1, 2])(L.Conv2D(4, 3, 2)(L.LeakyReLU(negative_slope=0.1)(L.Conv2D(4, 3)(x))))))


def words(x):  # one dimension
    x = L.Conv1D(4, 8, 4, "same", activation="relu")(x)
    x = L.MaxPooling1D(2)(x)
    x = L.Conv1D(6, 3, padding="same", activation="relu")(x)
    return L.Dense(4, activation="softmax")(L.GlobalAveragePooling1D()(x))


def mlp(x):
    x = L.Dropout(0.3)(L.Dense(8, activation="relu")(L.Flatten()(x)))
    return L.Dense(4)(L.BatchNormalization()(L.Dense(8, activation="relu")(x)))


def autoencoder(x):  # as MLPerf Tiny's anomaly detection
    for n in (16, 4, 16):
        x = L.Activation("relu")(L.BatchNormalization()(L.Dense(n)(x)))
    return L.Dense(24)(x)


def shared(x):
    c = L.Conv2D(3, 3, padding="same", activation="relu")
    return head(c(c(x)), act=None)


def scaled(x):  # images in 0…255, made fit in the network
    return head(conv(L.Rescaling(1 / 2, offset=-0.25)(x), 4))


def maximal(x):
    return L.Dense(3)(L.GlobalMaxPooling2D()(conv(x, 4)))


def grouped(x):
    return head(L.Conv2D(6, 3, 2, groups=2, activation="relu")(conv(x, 4)))


def dilated(x):
    return head(L.Conv2D(4, 3, padding="same", dilation_rate=2, activation="relu")(conv(x, 4)))


def multiplied(x):  # depthwise with two outputs for each channel
    return head(L.DepthwiseConv2D(3, 2, "valid", depth_multiplier=2, activation="relu")(conv(x, 3)))


def separable(x):
    return head(L.SeparableConv2D(6, 3, padding="same", activation="relu")(conv(x, 4)), act=None)


def subtracted(x):
    return head(L.Subtract()([conv(x, 4), conv(x, 4, 1)]))


def upsampled(x):
    return conv(L.UpSampling2D()(conv(x, 4, 3, 2)), 3, bn=False)


def transposed(x):
    return L.Conv2DTranspose(3, 2, 2)(conv(x, 4, 3, 2))


def cropped(x):
    return head(conv(L.Cropping2D(((1, 0), (2, 1)))(x), 4))


def permuted(x):
    return L.Dense(3)(L.Flatten()(L.Permute((3, 1, 2))(conv(x, 4, 3, 2))))


def tanh(x):
    return L.Dense(3, activation="tanh")(L.Flatten()(x))


IMAGE, SMALL = (16, 16, 3), (8, 8, 3)
# Name, network, image, in int8 too.
NETWORKS = [
    (residual, SMALL), (mobile_v1, IMAGE), (mobile_v2, IMAGE), (inception, IMAGE), (dense, IMAGE), (gated, SMALL), (words, (64, 2)), (mlp, SMALL), (autoencoder, (24,)),
    (shared, SMALL), (scaled, SMALL), (maximal, SMALL), (grouped, SMALL), (dilated, SMALL), (multiplied, SMALL), (separable, SMALL), (squeeze_excite, SMALL), (sigmoid, SMALL),
    (hard_swish, SMALL), (leaky, SMALL), (subtracted, SMALL), (upsampled, SMALL), (transposed, SMALL), (cropped, SMALL), (permuted, SMALL), (tanh, (4, 4, 3)),
]
# Operators that Go's side does not read; which is in its test.
REFUSED = {"cropped", "hard_swish_int8", "leaky_int8", "maximal", "sigmoid_int8", "subtracted_int8", "tanh_int8", "transposed", "upsampled"}


def dyadic(rng, shape, scale):
    return np.round(rng.normal(size=shape) * 32).clip(-96, 96).astype(np.float32) * np.float32(scale / 32)


def seeded(m, rng):
    for w in m.weights:
        s = tuple(w.shape)
        if "variance" in w.path:
            w.assign(np.abs(dyadic(rng, s, 0.5)) + 0.5)
        elif "gamma" in w.path:
            w.assign(1 + dyadic(rng, s, 0.25))
        elif len(s) == 1:
            w.assign(dyadic(rng, s, 0.25))
        else:
            w.assign(dyadic(rng, s, (3 if len(s) == 2 else 1.4) / max(np.prod(s[:-1]) if "depthwise" not in w.path else 9, 1) ** 0.5))


def convert(m, shape, samples, version):
    c = tf.lite.TFLiteConverter.from_keras_model(m)
    if version != "float":
        c.optimizations = [tf.lite.Optimize.DEFAULT]
        c.representative_dataset = lambda: ([s[None]] for s in samples)
        c.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        c.inference_input_type = c.inference_output_type = tf.int8 if version == "int8" else tf.float32
        c._experimental_disable_per_channel = version == "tensorwise"
    return c.convert()


def interpreted(data, x):
    i = tf.lite.Interpreter(model_content=data, experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF)
    i.allocate_tensors()
    a, b = i.get_input_details()[0], i.get_output_details()[0]
    s, z = a["quantization"]
    q = np.clip(np.round(x / s) + z, -128, 127).astype(np.int8) if a["dtype"] == np.int8 else x
    out = []
    for image in q:
        i.set_tensor(a["index"], image[None])
        i.invoke()
        out.append(i.get_tensor(b["index"])[0].copy())
    return q, np.stack(out)


def main():
    print("tensorflow", tf.__version__, "keras", keras.__version__, "numpy", np.__version__)
    z, n = zipfile.ZipFile(os.path.join(here, "keras.zip"), "w", zipfile.ZIP_DEFLATED, compresslevel=9), 0
    for seed, (make, shape) in enumerate(NETWORKS):
        name, rng = make.__name__, np.random.default_rng(seed)
        inp = keras.Input(shape, name="image")
        m = keras.Model(inp, make(inp), name=name)
        seeded(m, rng)
        x, samples = dyadic(rng, (IMAGES, *shape), 1), dyadic(rng, (32, *shape), 1)
        for version in ("float", "int8", "floatends", "tensorwise"):
            if version in ("floatends", "tensorwise") and name not in ("residual", "mobile_v1", "inception"):
                continue
            full = f"{name}_{version}"
            try:
                data = convert(m, shape, samples, version)
            except Exception as e:
                print("not converted:", full, type(e).__name__, str(e).split("\n")[0][:150])
                continue
            files = {".tflite": data}
            if full not in REFUSED and name not in REFUSED:
                if version == "float":
                    q, y = x, np.asarray(m(x, training=False))
                else:
                    q, y = interpreted(data, x)
                if np.ptp(y) == 0:
                    print("not kept: all of one value:", full)
                    continue
                files[".in"], files[".out"] = q.tobytes(), y.tobytes()
            for end, b in sorted(files.items()):
                z.writestr(zipfile.ZipInfo(full + end, (2020, 1, 1, 0, 0, 0)), b, zipfile.ZIP_DEFLATED, 9)
            n += 1
            print(full, len(data))
    z.close()
    print(n, "networks,", os.path.getsize(z.filename), "bytes")


main()
