"""Logits become calibrated probabilities, verdicts and a bounded timeline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from audio_analyzer.scoring import (
    Detector,
    ScoredWindow,
    WindowScorer,
    aggregate,
    probability,
    segments,
    verdict,
)
from audio_analyzer.spec import Aggregation, Calibration, Thresholds
from audio_analyzer.windows import Window
from sg_common.analysis import Verdict
from sg_common.bundle import load_bundle
from sg_common.errors import BundleError
from sg_common.runtime import Runtime

from testbed.audio_bundle import CALIBRATION, WINDOW, make_audio_bundle

SCALE = Calibration.model_validate(CALIBRATION)


def load(folder: Path) -> Detector:
    return Detector(load_bundle(folder, task="audio-deepfake", runtime=Runtime(threads=1)))


@pytest.fixture(scope="module")
def detector(detector_dir: Path) -> Detector:
    return load(detector_dir)


def noise_windows(count: int) -> list[Window]:
    """Windows whose logits differ: noise, smoothed more and more."""
    rng = np.random.default_rng(5)
    made = []
    for number in range(count):
        samples = rng.standard_normal(WINDOW)
        samples[1:] += number / count * samples[:-1]
        made.append(Window(number * 16000, number * 16000 + WINDOW, samples.astype(np.float32)))
    return made


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Aggregation(), 3.0),
        (Aggregation(kind="trimmed_mean", fraction=0.2), 2.0),
        (Aggregation(kind="top_mean", fraction=0.4), 6.5),
        (Aggregation(kind="top_mean", fraction=0.01), 10.0),
        (Aggregation(kind="trimmed_mean", fraction=0.01), 3.0),
    ],
)
def test_aggregation(rule: Aggregation, expected: float) -> None:
    assert aggregate(np.array([2.0, 10.0, 1.0, 3.0, -1.0]), rule) == pytest.approx(expected)


def test_one_window_is_a_clip() -> None:
    for kind in ("mean", "trimmed_mean", "top_mean"):
        rule = Aggregation.model_validate({"kind": kind, "fraction": 0.3})
        assert aggregate(np.array([1.5]), rule) == 1.5


def test_probability_is_the_calibrated_sigmoid() -> None:
    assert probability(0.6, SCALE) == pytest.approx(1 / (1 + np.exp(-(0.6 / 0.5 + 0.25))))
    assert 0 < probability(-1e30, SCALE) < 1e-9
    assert probability(1e30, SCALE) <= 1


def test_a_codec_has_a_calibration_of_its_own_up_to_a_bit_rate() -> None:
    entries = [
        {"codec": "opus", "bit_rate": bit_rate, "temperature": 0.7, "bias": bias}
        for bit_rate, bias in ((40000, -0.5), (20000, -1.0))
    ]
    calibration = Calibration.model_validate({**CALIBRATION, "codecs": entries})
    streams = [("opus", 16000.0), ("opus", 20000.0), ("opus", 24000.0), ("opus", 64000.0), ("aac", 16000.0)]
    found = [calibration.for_stream(*stream) for stream in streams]
    assert [c.bias for c in found] == [-1.0, -1.0, -0.5, SCALE.bias, SCALE.bias]
    assert [c.temperature for c in found] == [0.7, 0.7, 0.7, SCALE.temperature, SCALE.temperature]
    assert {c.thresholds for c in found} == {SCALE.thresholds}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, Verdict.LIKELY_AUTHENTIC),
        (0.2999, Verdict.LIKELY_AUTHENTIC),
        (0.3, Verdict.UNCERTAIN),
        (0.7999, Verdict.UNCERTAIN),
        (0.8, Verdict.LIKELY_DEEPFAKE),
        (1.0, Verdict.LIKELY_DEEPFAKE),
    ],
)
def test_verdict(value: float, expected: Verdict) -> None:
    assert verdict(value, Thresholds(likely_authentic=0.3, likely_deepfake=0.8)) is expected


@pytest.mark.parametrize("batch_size", [1, 3, 16, 64])
def test_the_batch_size_does_not_matter(detector: Detector, batch_size: int) -> None:
    windows = noise_windows(23)
    scorer = WindowScorer(detector, batch_size, limit=1000)
    for window in windows:
        scorer.add(window)
    scored = scorer.finish()
    assert [(entry.start, entry.end) for entry in scored] == [(window.start, window.end) for window in windows]
    expected = [detector.logits([window.samples])[0] for window in windows]
    assert [entry.logit for entry in scored] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("batch_size", [1, 4, 16])
@pytest.mark.parametrize("count", [9, 10, 11, 47, 200])
def test_long_speech_is_judged_evenly_within_a_budget(detector: Detector, count: int, batch_size: int) -> None:
    scorer = WindowScorer(detector, batch_size, limit=10)
    window = noise_windows(1)[0]
    for _ in range(count):
        scorer.add(window)
    numbers = [entry.number for entry in scorer.finish()]
    assert len(numbers) <= 10
    assert len(numbers) >= min(count, 5)
    (stride,) = set(np.diff(numbers)) if len(numbers) > 1 else {1}
    assert numbers[0] == 0
    assert numbers[-1] + stride >= count


def scored(count: int) -> list[ScoredWindow]:
    return [ScoredWindow(n, n * 16000, n * 16000 + WINDOW, float(np.sin(n))) for n in range(count)]


def test_segments_are_the_windows() -> None:
    made = segments(scored(3), SCALE, limit=10)
    assert [(segment.start, segment.end) for segment in made] == [(0, 2), (1, 3), (2, 4)]
    assert made[1].deepfake_probability == pytest.approx(probability(np.sin(1), SCALE), abs=1e-4)


def test_many_segments_are_merged_with_their_neighbours() -> None:
    made = segments(scored(1001), SCALE, limit=100)
    assert len(made) <= 100
    assert made[0].start == 0
    assert made[-1].end == 1002
    assert [segment.start for segment in made] == sorted(segment.start for segment in made)


def test_no_window_no_segment() -> None:
    assert segments([], SCALE, limit=10) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"temperature": 0}, "calibration.temperature"),
        ({"temperature": -1.0}, "calibration.temperature"),
        ({"bias": "high"}, "calibration.bias"),
        ({"thresholds": {"likely_authentic": 0.9, "likely_deepfake": 0.8}}, "calibration.thresholds"),
        ({"thresholds": {"likely_authentic": 0.3}}, "calibration.thresholds.likely_deepfake"),
        ({"thresholds": {"likely_authentic": 0.3, "likely_deepfake": 1.5}}, "calibration.thresholds.likely_deepfake"),
        ({"aggregation": {"kind": "median"}}, "calibration.aggregation.kind"),
        ({"aggregation": {"kind": "top_mean"}}, "calibration.aggregation"),
        ({"aggregation": {"kind": "trimmed_mean", "fraction": 0.5}}, "calibration.aggregation"),
    ],
)
def test_a_calibration_that_cannot_work_is_refused(tmp_path: Path, changes: dict[str, object], field: str) -> None:
    make_audio_bundle(tmp_path, calibration={**CALIBRATION, **changes})
    with pytest.raises(BundleError, match=field):
        load(tmp_path)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sample_rate": 8000}, "input.sample_rate"),
        ({"window_seconds": 2.5}, "input.window_seconds"),
        ({"hop_seconds": 5.0}, "input: "),
        ({"padding": "zeros"}, "input.padding"),
    ],
)
def test_windows_that_do_not_fit_the_graph_are_refused(tmp_path: Path, changes: dict[str, object], field: str) -> None:
    make_audio_bundle(tmp_path, input_changes=changes)
    with pytest.raises(BundleError, match=field):
        load(tmp_path)
