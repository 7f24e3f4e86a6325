"""How windows sound: by microphone, line and voice, not by level or pauses."""

from __future__ import annotations

import numpy as np
import pytest
from audio_analyzer.sound import BANDS, sound_of
from audio_analyzer.speech import Samples

from testbed.speech import speech

RATE = 16000
WINDOW = round(2.7 * RATE)


@pytest.fixture(scope="module")
def windows() -> tuple[Samples, Samples]:
    samples = speech(5.4)
    return samples[:WINDOW], samples[WINDOW:]


def line(samples: Samples) -> Samples:
    """Through a line of 300 to 3,400 Hz."""
    spectrum = np.fft.rfft(samples)
    frequencies = np.fft.rfftfreq(len(samples), 1 / RATE)
    spectrum[(frequencies < 300) | (frequencies > 3400)] = 0
    return np.asarray(np.fft.irfft(spectrum, len(samples)), np.float32)


@pytest.mark.parametrize("level", [1e-3, 0.1, 10])
def test_level_says_nothing(windows: tuple[Samples, Samples], level: float) -> None:
    samples, _ = windows
    found = sound_of(samples)
    assert found.shape == (BANDS,)
    assert found.mean() == pytest.approx(0, abs=1e-3)
    np.testing.assert_allclose(sound_of(np.float32(level) * samples), found, atol=0.01)


def test_pauses_say_little(windows: tuple[Samples, Samples]) -> None:
    samples, _ = windows
    paused = samples.copy()
    paused[: len(samples) // 4] = 0
    assert np.abs(sound_of(paused) - sound_of(samples)).mean() < 2


def test_a_line_is_heard_and_what_is_said_over_it_is_not(windows: tuple[Samples, Samples]) -> None:
    first, second = windows
    apart = np.abs(sound_of(line(first)) - sound_of(first)).mean()
    assert apart > 3 * np.abs(sound_of(line(first)) - sound_of(line(second))).mean()


def test_silence_has_a_sound() -> None:
    np.testing.assert_array_equal(sound_of(np.zeros(RATE, np.float32)), np.zeros(BANDS))
