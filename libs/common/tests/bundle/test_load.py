"""Bundles that are served, and those that are refused with a sentence."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sg_common.bundle.load import Bundle, load_bundle
from sg_common.bundle.spec import FaceSpec, VoiceSpec
from sg_common.errors import BundleError
from sg_common.runtime import Runtime, Session

from testbed.face_model import write_green_bundle

from .conftest import CALIBRATION, PLAIN_CPU, WINDOW, change, sha256, write_golden, write_graph


def load(bundle: Path, variant: str = "auto") -> Bundle[VoiceSpec]:
    return load_bundle(bundle, VoiceSpec, Runtime(threads=1, cpu=PLAIN_CPU), variant)


def test_a_valid_bundle_answers(bundle: Path) -> None:
    loaded = load(bundle, variant="fp32")
    assert loaded.model.model_dump(exclude={"reason"}) == {"name": "mean", "version": "1.0.0", "variant": "fp32"}
    np.testing.assert_allclose(loaded.logits(np.ones((3, WINDOW), np.float32)), [2, 2, 2])
    assert loaded.spec.input.window == WINDOW
    assert loaded.seconds() > 0


def test_probabilities_become_logits(bundle: Path) -> None:
    write_graph(bundle / "fp32.onnx", 1.0)
    batch = np.stack([np.full(WINDOW, value, np.float32) for value in (0, 0.5, 0.9, 1)])
    change(bundle, variants__fp32__sha256=sha256(bundle / "fp32.onnx"), output__kind="probability")
    write_golden(bundle, batch, output=batch.mean(1))
    logits = load(bundle).logits(batch)
    np.testing.assert_allclose(logits[1:3], [0, np.log(9)], atol=1e-4)
    assert np.isfinite(logits).all()


def test_the_golden_input_is_run_once(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Session] = []
    run = Session.run

    def counted(self: Session, *arguments: Any) -> Any:
        runs.append(self)
        return run(self, *arguments)

    monkeypatch.setattr(Session, "run", counted)
    load(bundle)
    assert len(runs) == 1


def test_every_start_chooses_the_same_by_instruction_sets(bundle: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert [load(bundle).model.variant for _ in range(5)] == ["fp32"] * 5
    fast = dataclasses.replace(PLAIN_CPU, features=frozenset({"avx2", "avx_vnni"}))
    chosen = [load_bundle(bundle, VoiceSpec, Runtime(threads=1, cpu=fast)).model for _ in range(5)]
    assert {model.variant for model in chosen} == {"int8"}
    assert {model.reason for model in chosen} == {"this CPU has avx_vnni"}
    assert caplog.records[-1].__dict__["reason"] == "this CPU has avx_vnni"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"schema": 2}, "schema"),
        ({"task": "sorting"}, "sorting"),
        ({"surprise": 1}, "surprise"),
        ({"variants": {}}, "variants"),
        ({"variants__fp32__file": "../fp32.onnx"}, "own folder"),
        ({"variants__fp32__file": "missing.onnx"}, "cannot be read"),
        ({"variants__fp32__sha256": "0" * 64}, "SHA-256"),
        ({"golden__sha256": "0" * 64}, "SHA-256"),
        ({"golden__tolerance": {"fp32": 1}}, "tolerance and variants disagree on int8"),
        ({"golden__tolerance__fp32": float("inf")}, "golden.tolerance.fp32"),
        ({"input__dtype": "uint8"}, "input.dtype"),
        ({"input__layout": "NCHW"}, "input.layout"),
        ({"input__sample_rate": 8000}, "input.sample_rate"),
        ({"input__padding": "zeros"}, "input.padding"),
        ({"input__hop_seconds": 5.0}, "input: .*hop_seconds"),
        ({"input__hop_second": 0.1}, "input.hop_second"),
        ({"output__kind": "raw"}, "output.kind"),
    ],
)
def test_what_the_schema_does_not_allow_is_refused(bundle: Path, changes: dict[str, Any], sentence: str) -> None:
    change(bundle, **changes)
    with pytest.raises(BundleError, match=sentence):
        load(bundle)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"temperature": 0}, "calibration.temperature"),
        ({"temperature": float("inf")}, "calibration.temperature"),
        ({"temprature": 1}, "calibration.temprature"),
        ({"bias": "high"}, "calibration.bias"),
        ({"thresholds": {"likely_authentic": 0.9, "likely_deepfake": 0.8}}, "calibration.thresholds"),
        ({"thresholds": {"likely_authentic": 0.3}}, "calibration.thresholds.likely_deepfake"),
        ({"thresholds": {"likely_authentic": 0.3, "likely_deepfake": 1.5}}, "calibration.thresholds.likely_deepfake"),
        ({"aggregation": {"kind": "mode"}}, "calibration.aggregation.kind"),
        ({"aggregation": {"kind": "top_mean"}}, "calibration.aggregation"),
        ({"aggregation": {"kind": "mean", "fraction": 0.5}}, "calibration.aggregation"),
        ({"aggregation": {"kind": "trimmed_mean", "fraction": 0.5}}, "calibration.aggregation"),
    ],
)
def test_a_calibration_that_cannot_work_is_refused(
    bundle: Path, tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    change(bundle, calibration=CALIBRATION | changes)
    with pytest.raises(BundleError, match=field):
        load(bundle)
    faces = write_green_bundle(tmp_path / "faces", calibration=CALIBRATION | changes)
    with pytest.raises(BundleError, match=field):
        load_bundle(faces, FaceSpec, Runtime(threads=1))


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"size": 0}, "input.size"),
        ({"mean": [1, 2, 3]}, "input"),
        ({"crop_scale": None}, "input.crop_scale"),
        ({"crop_size": 3}, "input.crop_size"),
    ],
)
def test_a_face_input_that_cannot_work_is_refused(tmp_path: Path, changes: dict[str, Any], place: str) -> None:
    write_green_bundle(tmp_path)
    change(tmp_path, **{f"input__{name}": value for name, value in changes.items()})
    with pytest.raises(BundleError, match=place):
        load_bundle(tmp_path, FaceSpec, Runtime(threads=1))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"input__name": "sound"}, "no input 'sound'"),
        ({"output__name": "probability"}, "no output 'probability'"),
        ({"input__window_seconds": 0.6}, r"'waveform' is float32 \(2, 8000\), by model.json float32 \[any, 9600\]"),
    ],
)
def test_a_graph_that_model_json_does_not_describe_is_refused(
    bundle: Path, changes: dict[str, Any], sentence: str
) -> None:
    change(bundle, **changes)
    with pytest.raises(BundleError, match=sentence):
        load(bundle)


def test_a_face_graph_of_another_height_is_refused_at_start(tmp_path: Path) -> None:
    write_green_bundle(tmp_path)
    change(tmp_path, input__native_face_pixels=30.0)
    with pytest.raises(BundleError, match=r"by model.json uint8 \[any, 3, 96, 48\]"):
        load_bundle(tmp_path, FaceSpec, Runtime(threads=1))


@pytest.mark.parametrize(
    ("graph", "sentence"),
    [
        ({"rows": 2}, r"\[2, 8000\], by model.json float32 \[any, 8000\]"),
        ({"samples": 4000}, r"4000\], by model.json"),
        ({"gain": 3.0}, "fp32: golden test: answers differ"),
    ],
)
def test_a_graph_that_contradicts_model_json_is_refused(bundle: Path, graph: dict[str, Any], sentence: str) -> None:
    write_graph(bundle / "fp32.onnx", **{"gain": 2.0, **graph})
    change(bundle, variants__fp32__sha256=sha256(bundle / "fp32.onnx"))
    with pytest.raises(BundleError, match=sentence):
        load(bundle, variant="fp32")


def test_a_graph_whose_answers_are_no_probabilities_is_refused(bundle: Path) -> None:
    change(bundle, output__kind="probability")
    with pytest.raises(BundleError, match="kind is probability, but"):
        load(bundle)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"state": np.zeros(1, np.float32)}, "holds inputs for"),
        ({"output": np.zeros(3, np.float32)}, "expected"),
        ({"output": np.full(2, np.nan, np.float32)}, "differ by nan"),
    ],
)
def test_a_golden_file_that_does_not_fit_is_refused(bundle: Path, more: dict[str, Any], sentence: str) -> None:
    write_golden(bundle, np.ones((2, WINDOW), np.float32), **more)
    with pytest.raises(BundleError, match=sentence):
        load(bundle)


def test_a_golden_file_without_an_answer_is_refused(bundle: Path) -> None:
    np.savez(bundle / "golden.npz", input=np.ones((2, WINDOW), np.float32))
    change(bundle, golden__sha256=sha256(bundle / "golden.npz"))
    with pytest.raises(BundleError, match="must hold arrays"):
        load(bundle)


def test_a_file_that_is_no_graph_is_refused(bundle: Path) -> None:
    (bundle / "fp32.onnx").write_bytes(b"not a graph")
    change(bundle, variants__fp32__sha256=sha256(bundle / "fp32.onnx"))
    with pytest.raises(BundleError, match="ONNX Runtime refuses"):
        load(bundle, variant="fp32")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="SG_MODEL_DIR"):
        load(tmp_path / "nowhere")


def test_another_task_is_refused(bundle: Path) -> None:
    with pytest.raises(BundleError, match="task is audio-deepfake, face-manipulation is needed here"):
        load_bundle(bundle, FaceSpec, Runtime(threads=1))
