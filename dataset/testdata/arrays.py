# Writes the arrays of this folder by NumPy itself: python arrays.py
import numpy as np

x = np.arange(4 * 3 * 2 * 5, dtype=np.uint8).reshape(4, 3, 2, 5)
y = np.array([0, 2, 1, 2])
np.savez_compressed("both.npz", x_test=x, y_test=y.reshape(4, 1), x_train=x[:2] + 100, y_train=y[:2].astype(np.uint8))
np.savez("plain.npz", x.transpose(0, 2, 3, 1), y.astype(">i2"))
np.save("floats.npy", (x / 4 - 7).astype(np.float32))
np.save("big_endian.npy", (x / 4 - 7).astype(">f4"))
np.save("doubles.npy", x / 4)
np.save("fortran.npy", np.asfortranarray(x))
np.save("labels.npy", y.astype(np.int32))
np.save("negative.npy", y.astype(np.int8) - 1)
