"""Bundles are written by the classes that read them, and never over another model's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, save
from sg_common.bundle.load import load_bundle
from sg_common.bundle.spec import VoiceSpec, read_task
from sg_common.errors import BundleError
from sg_common.runtime import Runtime

from training.common.bundle import NEUTRAL, File, measured, write_bundle, write_spec

WINDOW = 8000
INPUT = {
    "name": "waveform",
    "layout": "NT",
    "dtype": "float32",
    "sample_rate": 16000,
    "window_seconds": 0.5,
    "hop_seconds": 0.25,
}


def write_graph(path: Path, gain: float) -> None:
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["waveform"], ["mean"], axes=[1], keepdims=0),
            helper.make_node("Mul", ["mean", "gain"], ["logit"]),
        ],
        "mean",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["N", WINDOW])],
        [helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["N"])],
        [helper.make_tensor("gain", TensorProto.FLOAT, [], [gain])],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=10), path)


def write(folder: Path, name: str = "mean", **changes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    write_graph(folder / "fp32.onnx", 1.0)
    write_graph(folder / "int8.onnx", 1.01)
    files = {"fp32": File("fp32.onnx", tolerance=0.01), "int8": File("int8.onnx", tolerance=0.1, auc_loss=1.0)}
    parts: dict[str, Any] = {
        "name": name,
        "version": "1",
        "license": "test",
        "input": INPUT,
        "output": {"name": "logit", "kind": "logit"},
        "calibration": NEUTRAL,
    }
    golden = {"input": np.ones((2, WINDOW), np.float32)}
    return write_bundle(folder, VoiceSpec, files, golden, **{**parts, **changes})


def test_what_is_written_is_served(tmp_path: Path) -> None:
    write(tmp_path)
    model = load_bundle(tmp_path, VoiceSpec, Runtime(threads=1))
    assert model.model.variant == "fp32", "int8 has not been measured yet"
    assert model.logits(np.full((1, WINDOW), 3, np.float32))[0] == pytest.approx(3)


def test_what_was_measured_is_written(tmp_path: Path) -> None:
    write(tmp_path)
    spec = read_task(tmp_path, VoiceSpec)
    write_spec(tmp_path, spec, variants=measured(spec, {"int8": {"auc_loss": 0.001, "probability_difference": 0.004}}))
    again = read_task(tmp_path, VoiceSpec)
    assert (again.variants["int8"].auc_loss, again.variants["int8"].probability_difference) == (0.001, 0.004)
    assert again.variants["fp32"] == spec.variants["fp32"]


def test_another_models_bundle_is_not_overwritten(tmp_path: Path) -> None:
    before = write(tmp_path).read_text()
    with pytest.raises(ValueError, match="holds the bundle of mean"):
        write(tmp_path, name="other")
    assert (tmp_path / "model.json").read_text() == before
    write(tmp_path, version="2")
    assert read_task(tmp_path, VoiceSpec).version == "2"


def test_what_could_not_be_read_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="windw"):
        write(tmp_path, input={**INPUT, "windw": 1})
    with pytest.raises(BundleError, match="9600"):
        write(tmp_path, input={**INPUT, "window_seconds": 0.6})
    assert not (tmp_path / "model.json").exists()
