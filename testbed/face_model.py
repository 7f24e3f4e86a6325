"""A tiny face model for tests of what surrounds the real one: green faces count as manipulated. It is never shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

from testbed.bundle import write_bundle

SIZE = 48
WEIGHTS = np.array([[-0.1], [0.2], [-0.1]], np.float32)
"""Per unit of mean red, green and blue."""
OFFSET = -2.0


def green_logit(crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The model's answer for crops uint8 [N, 3, S, S], in NumPy: float32 [N]."""
    return np.asarray(crops.mean(axis=(2, 3)) @ WEIGHTS + OFFSET, np.float32).reshape(len(crops))


def write_green_bundle(folder: Path, native_face_pixels: float | None = None, **changes: Any) -> Path:
    """Write the bundle into `folder`, with top-level fields of model.json replaced by `changes`; returns `folder`."""
    height = SIZE if native_face_pixels is None else 2 * SIZE
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["faces"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["floats", "axes"], ["means"], keepdims=0),
            helper.make_node("MatMul", ["means", "weights"], ["product"]),
            helper.make_node("Add", ["product", "offset"], ["column"]),
            helper.make_node("Reshape", ["column", "shape"], ["logit"]),
        ],
        "green",
        [helper.make_tensor_value_info("faces", TensorProto.UINT8, ["N", 3, height, SIZE])],
        [helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["N"])],
        [
            numpy_helper.from_array(np.array([2, 3], np.int64), "axes"),
            numpy_helper.from_array(WEIGHTS, "weights"),
            numpy_helper.from_array(np.array([OFFSET], np.float32), "offset"),
            numpy_helper.from_array(np.array([-1], np.int64), "shape"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    faces = np.random.default_rng(1).integers(0, 256, (2, 3, height, SIZE), dtype=np.uint8)
    document = {
        "name": "green-faces",
        "version": "1.0.0",
        "task": "face-manipulation",
        "input": {
            "name": "faces",
            "layout": "NCHW",
            "dtype": "uint8",
            "size": SIZE,
            "crop_scale": 1.0,
            "native_face_pixels": native_face_pixels,
            "min_face_pixels": 64,
        },
        "calibration": {
            "temperature": 1.0,
            "bias": 0.0,
            "thresholds": {"likely_authentic": 0.3, "likely_deepfake": 0.8},
            "aggregation": {"kind": "mean"},
            "track_combination": {"kind": "max"},
        },
        **changes,
    }
    return write_bundle(folder, model, {"input": faces, "output": green_logit(faces)}, 0.01, document)
