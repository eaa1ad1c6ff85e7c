"""Packs the zoo's networks into a zip file: for each NAME.onnx with what lies beside it,
NAME.in and NAME.out: float32 numbers, little-endian, two images one after the other, and
what the framework that made the network makes of them.

The same networks give the same bytes, so that a run of the script shows what changed.
"""

import os
import sys
import zipfile

import numpy as np

IMAGES = 2


class Pack:
    def __init__(self, path):
        self.zip, self.names = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9), set()

    def add(self, name, files, source=None, target=None):
        """files are bytes by what they are named behind NAME: ".onnx"; source None: the
        network is there to be refused."""
        assert name not in self.names, name
        self.names.add(name)
        files = dict(files)
        if source is not None:
            files[".in"] = np.ascontiguousarray(source, "<f4").tobytes()
            files[".out"] = np.ascontiguousarray(target, "<f4").tobytes()
            assert len(source) == IMAGES and len(target) == IMAGES, (name, len(source), len(target))
            assert np.isfinite(target).all() and np.ptp(target) > 0, name
        for end, data in sorted(files.items()):
            self.zip.writestr(zipfile.ZipInfo(name + end, (2020, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED, 9)
        print(name, sum(map(len, files.values())))

    def close(self):
        self.zip.close()
        print(len(self.names), "networks,", os.path.getsize(self.zip.filename), "bytes")


def versions(*modules):
    print(", ".join(f"{m.__name__} {m.__version__}" for m in modules), "python", sys.version.split()[0])


def dyadic(rng, shape, scale):
    """Random weights of 7 bits: they pack well, and are no easier to compute with."""
    return np.round(rng.normal(size=shape) * 32).clip(-96, 96).astype(np.float32) * np.float32(scale / 32)
