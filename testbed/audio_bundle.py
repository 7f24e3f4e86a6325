"""A small real audio-deepfake bundle for tests; it is never shipped.

Its logit is a plain function of the waveform: how strong the sample-to-sample differences are against the signal, which
does not depend on the level and differs from sound to sound.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

from testbed.bundle import write_bundle

WINDOW_SECONDS, HOP_SECONDS = 2.0, 1.0
WINDOW = round(WINDOW_SECONDS * 16000)
CALIBRATION: Mapping[str, Any] = {
    "temperature": 0.5,
    "bias": 0.25,
    "thresholds": {"likely_authentic": 0.3, "likely_deepfake": 0.8},
    "aggregation": {"kind": "mean"},
}


def _graph() -> onnx.ModelProto:
    constants = {"one": [1], "end": [WINDOW], "zero": [0], "last": [WINDOW - 1], "axis": [1]}
    initializers = [helper.make_tensor(name, TensorProto.INT64, [1], value) for name, value in constants.items()]
    initializers += [
        helper.make_tensor("epsilon", TensorProto.FLOAT, [1], [1e-12]),
        helper.make_tensor("offset", TensorProto.FLOAT, [1], [3.0]),
    ]
    nodes = [
        helper.make_node("Slice", ["waveform", "one", "end", "axis"], ["later"]),
        helper.make_node("Slice", ["waveform", "zero", "last", "axis"], ["earlier"]),
        helper.make_node("Sub", ["later", "earlier"], ["difference"]),
        helper.make_node("ReduceSumSquare", ["difference", "axis"], ["fast"], keepdims=0),
        helper.make_node("ReduceSumSquare", ["waveform", "axis"], ["all"], keepdims=0),
        helper.make_node("Add", ["fast", "epsilon"], ["fast_safe"]),
        helper.make_node("Add", ["all", "epsilon"], ["all_safe"]),
        helper.make_node("Div", ["fast_safe", "all_safe"], ["ratio"]),
        helper.make_node("Log", ["ratio"], ["log"]),
        helper.make_node("Add", ["log", "offset"], ["logit"]),
    ]
    graph = helper.make_graph(
        nodes,
        "difference_ratio",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["N", WINDOW])],
        [helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["N"])],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def make_audio_bundle(
    folder: Path, *, calibration: Mapping[str, Any] = CALIBRATION, input_changes: Mapping[str, Any] | None = None
) -> Path:
    """Write the bundle into a folder (made if missing); returns the folder."""
    model = _graph()
    waveform = np.random.default_rng(3).standard_normal((2, WINDOW)).cumsum(axis=1).astype(np.float32)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    golden = {"input": waveform, "output": session.run(None, {"waveform": waveform})[0]}
    document = {
        "name": "difference-ratio",
        "version": "0.0.1",
        "task": "audio-deepfake",
        "input": {
            "name": "waveform",
            "layout": "NT",
            "dtype": "float32",
            "sample_rate": 16000,
            "window_seconds": WINDOW_SECONDS,
            "hop_seconds": HOP_SECONDS,
            "min_speech_seconds": 2.0,
            **(input_changes or {}),
        },
        "calibration": dict(calibration),
    }
    return write_bundle(folder, model, golden, 0.001, document)
