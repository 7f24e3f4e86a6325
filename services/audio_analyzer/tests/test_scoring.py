"""Windows are scored in batches, within a budget."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from audio_analyzer.model import VoiceModel
from audio_analyzer.scoring import WindowScorer
from audio_analyzer.windows import Window
from sg_common.runtime import Runtime

from testbed.audio_bundle import WINDOW


@pytest.fixture(scope="module")
def model(detector_dir: Path) -> VoiceModel:
    return VoiceModel.load(detector_dir, Runtime(threads=1))


def noise_windows(count: int) -> list[Window]:
    """Windows whose logits differ: noise, smoothed more and more."""
    rng = np.random.default_rng(5)
    made = []
    for number in range(count):
        samples = rng.standard_normal(WINDOW)
        samples[1:] += number / count * samples[:-1]
        made.append(Window(number * 16000, number * 16000 + WINDOW, samples.astype(np.float32)))
    return made


@pytest.mark.parametrize("batch_size", [1, 3, 16, 64])
def test_the_batch_size_does_not_matter(model: VoiceModel, batch_size: int) -> None:
    windows = noise_windows(23)
    scorer = WindowScorer(model, batch_size, limit=1000)
    for window in windows:
        scorer.add(window)
    scored = scorer.finish()
    assert [(entry.start, entry.end) for entry in scored] == [(window.start, window.end) for window in windows]
    expected = [model.logits([window.samples])[0] for window in windows]
    assert [entry.logit for entry in scored] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("batch_size", [1, 4, 16])
@pytest.mark.parametrize("count", [9, 10, 11, 47, 200])
def test_long_speech_is_judged_evenly_within_a_budget(model: VoiceModel, count: int, batch_size: int) -> None:
    scorer = WindowScorer(model, batch_size, limit=10)
    window = noise_windows(1)[0]
    for _ in range(count):
        scorer.add(window)
    numbers = [entry.number for entry in scorer.finish()]
    assert len(numbers) <= 10
    assert len(numbers) >= min(count, 5)
    (stride,) = set(np.diff(numbers)) if len(numbers) > 1 else {1}
    assert numbers[0] == 0
    assert numbers[-1] + stride >= count
