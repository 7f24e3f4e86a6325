"""A small, valid audio-deepfake bundle with two variants."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from sg_common.cpu import CpuFacts
from sg_common.runtime import Runtime

WINDOW = 8000
PLAIN_CPU = CpuFacts(quota=None, affinity=1, features=frozenset({"avx2"}), model_name="plain")
CALIBRATION: dict[str, Any] = {
    "temperature": 2.0,
    "bias": -1.0,
    "thresholds": {"likely_authentic": 0.3, "likely_deepfake": 0.8},
}


def write_graph(path: Path, gain: float, rows: int | str = "n", samples: int | str = WINDOW) -> None:
    """A graph that answers `gain` times the mean of each row."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["waveform"], ["mean"], axes=[1], keepdims=0),
            helper.make_node("Mul", ["mean", "gain"], ["logit"]),
        ],
        "mean",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, [rows, samples])],
        [
            helper.make_tensor_value_info("logit", TensorProto.FLOAT, [rows]),
            helper.make_tensor_value_info("mean", TensorProto.FLOAT, [rows]),
        ],
        [helper.make_tensor("gain", TensorProto.FLOAT, [], [gain])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=10)
    onnx.save(model, path)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_golden(folder: Path, batch: Any, **more: Any) -> None:
    """Another golden input, with its answer and its hash."""
    np.savez(folder / "golden.npz", **{"input": batch, "output": np.asarray(batch.mean(1) * 2, np.float32), **more})
    change(folder, golden__sha256=sha256(folder / "golden.npz"))


def change(bundle: Path, **changes: Any) -> None:
    """Set fields of `model.json`; `a__b` reaches into `a`, None takes the field away."""
    spec = json.loads((bundle / "model.json").read_text())
    for name, value in changes.items():
        *outer, last = name.split("__")
        place = spec
        for part in outer:
            place = place[part]
        place[last] = value
        if value is None:
            del place[last]
    (bundle / "model.json").write_text(json.dumps(spec))


@pytest.fixture
def plain() -> Runtime:
    """A CPU without eight-bit dot products."""
    return Runtime(threads=1, cpu=PLAIN_CPU)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_graph(tmp_path / "fp32.onnx", 2.0)
    write_graph(tmp_path / "int8.onnx", 2.01)
    spec = {
        "schema": 1,
        "name": "mean",
        "version": "1.0.0",
        "task": "audio-deepfake",
        "license": "test",
        "input": {
            "name": "waveform",
            "layout": "NT",
            "dtype": "float32",
            "sample_rate": 16000,
            "window_seconds": 0.5,
            "hop_seconds": 0.25,
        },
        "output": {"name": "logit", "kind": "logit"},
        "calibration": CALIBRATION,
        "variants": {
            "fp32": {"file": "fp32.onnx", "sha256": sha256(tmp_path / "fp32.onnx")},
            "int8": {"file": "int8.onnx", "sha256": sha256(tmp_path / "int8.onnx"), "auc_loss": 0.002},
        },
        "golden": {"file": "golden.npz", "sha256": "0" * 64, "tolerance": {"fp32": 1e-4, "int8": 0.2}},
        "card": "MODEL_CARD.md",
    }
    (tmp_path / "model.json").write_text(json.dumps(spec))
    write_golden(tmp_path, np.linspace(0, 8, 2 * WINDOW, dtype=np.float32).reshape(2, WINDOW))
    return tmp_path
