"""Logits become calibrated probabilities and verdicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from sg_common.bundle.calibration import Aggregation, Calibration, FaceCalibration, FaceSize, VoiceCalibration
from sg_common.errors import InvalidOption
from sg_common.verdict import OperatingPoint, Rates, Verdict

from .conftest import CALIBRATION

SCALE = Calibration.model_validate(CALIBRATION)
LOW: dict[str, Any] = {
    **CALIBRATION["thresholds"],
    "false_alarm_rate": 0.04,
    "false_alarm_interval": [0.02, 0.06],
    "detection_rate": 0.5,
}
HIGH = {**LOW, "likely_authentic": 0.2, "likely_deepfake": 0.4, "false_alarm_rate": 0.06, "detection_rate": 0.8}


def test_probability_is_the_sigmoid_of_the_scaled_logit_to_four_digits() -> None:
    expected = 1 / (1 + np.exp(-(np.array([-3.0, 0.0, 4.0]) / 2 - 1)))
    np.testing.assert_array_equal(SCALE.probability([-3.0, 0.0, 4.0]), np.round(expected, 4))
    assert SCALE.probability(1e30) == 1
    assert SCALE.probability(-1e30) == 0


@pytest.mark.parametrize(
    ("probability", "verdict"),
    [
        (0.0, Verdict.LIKELY_AUTHENTIC),
        (0.2999, Verdict.LIKELY_AUTHENTIC),
        (0.3, Verdict.UNCERTAIN),
        (0.7999, Verdict.UNCERTAIN),
        (0.8, Verdict.LIKELY_DEEPFAKE),
        (1.0, Verdict.LIKELY_DEEPFAKE),
    ],
)
def test_verdict(probability: float, verdict: Verdict) -> None:
    assert SCALE.verdict(probability) is verdict


@pytest.mark.parametrize(
    ("kind", "fraction", "expected"),
    [
        ("mean", None, 3.2),
        ("median", None, 2.0),
        ("trimmed_mean", 0.2, 2.0),
        ("trimmed_mean", 0.01, 3.2),
        ("top_mean", 0.4, 6.5),
        ("top_mean", 0.01, 10.0),
    ],
)
def test_aggregation(kind: Any, fraction: float | None, expected: float) -> None:
    logits = np.array([10.0, 0.0, 2.0, 1.0, 3.0])
    assert Aggregation(kind=kind, fraction=fraction)(logits) == pytest.approx(expected)
    assert Aggregation(kind=kind, fraction=fraction)(logits[:1]) == 10.0


def test_a_codec_has_a_calibration_of_its_own_up_to_a_bit_rate() -> None:
    entries = [
        {"codec": "opus", "bit_rate": bit_rate, "temperature": 0.7, "bias": bias}
        for bit_rate, bias in ((40000, -0.5), (20000, -1.0))
    ]
    calibration = VoiceCalibration.model_validate({**CALIBRATION, "codecs": entries})
    streams = [("opus", 16000.0), ("opus", 20000.0), ("opus", 24000.0), ("opus", 64000.0), ("aac", 16000.0)]
    found = [calibration.for_stream(*stream) for stream in streams]
    assert [c.bias for c in found] == [-1.0, -1.0, -0.5, SCALE.bias, SCALE.bias]
    assert [c.temperature for c in found] == [0.7, 0.7, 0.7, SCALE.temperature, SCALE.temperature]
    for stream in found:
        again = calibration.probability(calibration.as_common([-1.0, 0.0, 2.0], stream))
        assert again == pytest.approx(stream.probability([-1.0, 0.0, 2.0]), abs=1e-4)


def test_a_policy_has_thresholds_and_says_what_they_are_worth() -> None:
    points = {"low_false_alarm": LOW, "high_recall": HIGH}
    calibration = Calibration.model_validate({**CALIBRATION, "operating_points": points})
    recall = calibration.at("high_recall")
    assert isinstance(recall, OperatingPoint)
    assert (recall.false_alarm_rate, recall.detection_rate) == (0.06, 0.8)
    assert calibration.at() == calibration.operating_points["low_false_alarm"]
    assert calibration.verdict(0.5) is Verdict.UNCERTAIN
    assert calibration.verdict(0.5, "high_recall") is Verdict.LIKELY_DEEPFAKE
    assert recall.rates == Rates(false_alarm_rate=0.06, false_alarm_interval=(0.02, 0.06), detection_rate=0.8)
    with pytest.raises(InvalidOption, match="balanced; it has low_false_alarm, high_recall"):
        calibration.at("balanced")


def test_a_bundle_without_operating_points_has_the_default_policys_thresholds() -> None:
    assert SCALE.at() == SCALE.thresholds


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        ({"high_recall": HIGH}, "lacks low_false_alarm"),
        ({"low_false_alarm": HIGH}, "thresholds differ"),
        ({"low_false_alarms": LOW}, "low_false_alarms"),
        ({"low_false_alarm": {**LOW, "false_alarm_interval": [0.05, 0.06]}}, "must hold false_alarm_rate"),
        ({"low_false_alarm": CALIBRATION["thresholds"]}, "detection_rate"),
    ],
)
def test_operating_points_that_cannot_be_are_refused(points: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Calibration.model_validate({**CALIBRATION, "operating_points": points})


def test_thresholds_have_no_digit_that_answers_do_not_show() -> None:
    calibration = Calibration.model_validate(
        {**CALIBRATION, "thresholds": {"likely_authentic": 0.29996, "likely_deepfake": 0.80004}}
    )
    assert calibration.thresholds == SCALE.thresholds
    assert calibration.verdict(0.8) is Verdict.LIKELY_DEEPFAKE


def test_what_a_face_scores_for_its_size_is_taken_out() -> None:
    size = FaceSize(slope=0.5, smallest=64, largest=256)
    for pixels, steps in ((20.0, -1), (64.0, -1), (128.0, 0), (256.0, 1), (900.0, 1)):
        assert size.without(3.0, pixels) == pytest.approx(3 - 0.5 * np.log(2) * steps)
    plain = FaceCalibration.model_validate(CALIBRATION)
    np.testing.assert_array_equal(plain.without_size([1.0, 2.0], [64, 256]), [1.0, 2.0])
    sized = plain.model_copy(update={"face_size": size})
    np.testing.assert_array_equal(sized.without_size([1.0, 2.0], [64, 256]), size.without([1.0, 2.0], [64, 256]))
    with pytest.raises(ValidationError, match="largest must not be below smallest"):
        FaceSize(slope=0.5, smallest=65, largest=64)
