"""What a bundle says about its scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sg_common.analysis import Verdict
from sg_common.bundle import BundleSpec
from sg_common.errors import BundleError
from video_analyzer.calibration import Aggregation, Calibration, FaceInput, as_logits, read_task_fields
from video_analyzer.detector import Face

CALIBRATION: dict[str, Any] = {
    "temperature": 2.0,
    "bias": -1.0,
    "thresholds": {"likely_authentic": 0.3, "likely_deepfake": 0.8},
    "aggregation": {"kind": "mean"},
    "track_combination": {"kind": "max"},
}
INPUT: dict[str, Any] = {
    "name": "faces",
    "layout": "NCHW",
    "dtype": "uint8",
    "size": 32,
    "crop_scale": 1.3,
    "min_face_pixels": 64,
}


def spec(**changes: Any) -> BundleSpec:
    return BundleSpec.model_validate(
        {
            "schema": 1,
            "name": "test",
            "version": "1",
            "task": "face-manipulation",
            "license": "none",
            "input": INPUT,
            "output": {"name": "logit", "kind": "logit"},
            "calibration": CALIBRATION,
            "variants": {"fp32": {"file": "model.onnx", "sha256": "0" * 64}},
            "golden": {"file": "golden.npz", "sha256": "0" * 64, "tolerance": {"fp32": 0.01}},
            "card": "MODEL_CARD.md",
            **changes,
        }
    )


def test_probability_is_the_sigmoid_of_the_scaled_logit() -> None:
    _, calibration = read_task_fields(spec())
    expected = 1 / (1 + np.exp(-(np.array([-3.0, 0.0, 4.0]) / 2 - 1)))
    np.testing.assert_allclose(calibration.probability([-3.0, 0.0, 4.0]), expected, atol=1e-6)
    assert calibration.probability(1e4) == 1
    assert calibration.probability(-1e4) == 0


@pytest.mark.parametrize(
    ("probability", "verdict"),
    [
        (0.0, Verdict.LIKELY_AUTHENTIC),
        (0.29, Verdict.LIKELY_AUTHENTIC),
        (0.3, Verdict.UNCERTAIN),
        (0.79, Verdict.UNCERTAIN),
        (0.8, Verdict.LIKELY_DEEPFAKE),
        (1.0, Verdict.LIKELY_DEEPFAKE),
    ],
)
def test_verdict(probability: float, verdict: Verdict) -> None:
    assert Calibration.model_validate(CALIBRATION).verdict(probability) is verdict


@pytest.mark.parametrize(
    ("kind", "fraction", "expected"),
    [("mean", None, 3.2), ("median", None, 2.0), ("trimmed_mean", 0.2, 2.0), ("top_mean", 0.4, 6.5)],
)
def test_aggregation(kind: Any, fraction: float | None, expected: float) -> None:
    logits = np.array([10.0, 0.0, 2.0, 1.0, 3.0])
    assert Aggregation(kind=kind, fraction=fraction)(logits) == pytest.approx(expected)
    assert Aggregation(kind=kind, fraction=fraction)(logits[:1]) == 10.0


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"calibration": {}}, "calibration.temperature"),
        ({"calibration": {**CALIBRATION, "temperature": 0}}, "calibration.temperature"),
        (
            {"calibration": {**CALIBRATION, "thresholds": {"likely_authentic": 0.9, "likely_deepfake": 0.1}}},
            "calibration.thresholds",
        ),
        ({"calibration": {**CALIBRATION, "aggregation": {"kind": "top_mean"}}}, "calibration.aggregation"),
        (
            {"calibration": {**CALIBRATION, "aggregation": {"kind": "trimmed_mean", "fraction": 0.5}}},
            "calibration.aggregation",
        ),
        (
            {"calibration": {**CALIBRATION, "track_combination": {"kind": "sum"}}},
            "calibration.track_combination.kind",
        ),
        ({"input": {**INPUT, "size": 0}}, "input.size"),
        ({"input": {**INPUT, "mean": [1, 2, 3]}}, "input"),
        ({"input": {key: value for key, value in INPUT.items() if key != "crop_scale"}}, "input.crop_scale"),
        ({"output": {"name": "x", "kind": "raw"}}, "output.kind"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(BundleError, match=f"test: {place}"):
        read_task_fields(spec(**changes))


def test_probabilities_become_logits() -> None:
    np.testing.assert_allclose(as_logits(np.array([0.5, 0.9], np.float32), "probability"), [0, np.log(9)], atol=1e-5)
    assert np.isfinite(as_logits(np.array([0, 1], np.float32), "probability")).all()
    np.testing.assert_array_equal(as_logits(np.array([-2, 3], np.float32), "logit"), [-2, 3])


def test_the_bundle_says_whether_native_pixels_are_looked_at() -> None:
    frame, face = np.zeros((80, 80, 3), np.uint8), Face(20, 20, 40, 40, 0.9)
    assert FaceInput.model_validate(INPUT).crop(frame, face).shape == (32, 32, 3)
    assert FaceInput.model_validate({**INPUT, "native_face_pixels": 30}).crop(frame, face).shape == (64, 32, 3)


def test_the_tensor_is_planar_and_normalised_as_the_bundle_says() -> None:
    crop = np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3)
    plain = FaceInput.model_validate(INPUT).tensor([crop, crop])
    assert plain.shape == (2, 3, 32, 32)
    assert plain.dtype == np.uint8
    np.testing.assert_array_equal(plain[1, 2], crop[:, :, 2])
    scaled = FaceInput.model_validate({**INPUT, "dtype": "float32", "mean": (1, 2, 3), "std": (2, 4, 8)}).tensor([crop])
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled[0, 1], (crop[:, :, 1].astype(float) - 2) / 4)
