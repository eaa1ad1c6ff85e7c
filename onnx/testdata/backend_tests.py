"""Writes the ONNX standard's backend tests of float networks with one output.

usage: backend_tests.py FOLDER

The tests are those of the onnx package: its node tests, generated, and the models
that it carries, those of operator set 6 converted to 9. For each test i the folder gets i.onnx, i.in and i.out (float32,
little-endian), from the first set of data. All inputs but the first become
initializers, since most operators want constants there. Prints a line for each,
"i name operators".
"""

import glob
import os
import sys
import warnings

import numpy as np
import onnx
from onnx import numpy_helper, version_converter
from onnx.backend.test.case.node import collect_testcases

warnings.filterwarnings("ignore")
folder = sys.argv[1]


def cases():
    for case in collect_testcases(None):
        if case.data_sets and case.model is not None:
            inputs, outputs = case.data_sets[0]
            yield case.name, case.model, inputs, outputs
    data = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data")
    for path in sorted(glob.glob(os.path.join(data, "*", "*", "model.onnx"))):
        home = os.path.dirname(path)
        tensors = [
            [
                numpy_helper.to_array(onnx.load_tensor(os.path.join(home, "test_data_set_0", f"{kind}_{k}.pb")))
                for k in range(len(glob.glob(os.path.join(home, "test_data_set_0", f"{kind}_*.pb"))))
            ]
            for kind in ("input", "output")
        ]
        yield os.path.basename(home), onnx.load(path), *tensors


i = 0
for name, model, inputs, outputs in cases():
    if "cuda" in name or "_gpu" in name or not inputs or len(outputs) < 1:
        continue
    if any(not isinstance(t, np.ndarray) for t in list(inputs) + list(outputs)):
        continue
    x, y = inputs[0], outputs[0]
    if x.dtype != np.float32 or y.dtype not in (np.float32, np.int64, np.int32) or x.ndim < 2 or len(model.graph.output) != 1:
        continue
    if any(o.domain == "" and o.version < 7 for o in model.opset_import):
        try:
            model = version_converter.convert_version(model, 9)
        except Exception:  # the converter knows not all operators
            pass
    given = {t.name for t in model.graph.initializer}
    free = [v for v in model.graph.input if v.name not in given]
    if len(free) < len(inputs):
        continue
    for value, array in list(zip(free, inputs))[1:]:
        model.graph.initializer.append(numpy_helper.from_array(array, value.name))
    base = os.path.join(folder, str(i))
    onnx.save(model, base + ".onnx")
    x.astype("<f4").tofile(base + ".in")
    y.astype("<f4").tofile(base + ".out")
    print(i, name, ",".join(sorted({n.op_type for n in model.graph.node})))
    i += 1
print("onnx", onnx.__version__)
