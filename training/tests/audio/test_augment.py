from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from training.audio import augment, codecs, conditions, waveforms
from training.audio.pool import random_for


@pytest.fixture
def speech() -> waveforms.Waveform:
    rng = np.random.default_rng(5)
    t = np.arange(32000) / 16000
    tone = sum(np.sin(2 * np.pi * 150 * k * t) / k for k in range(1, 30)) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t))
    return np.asarray(0.2 * tone + 0.01 * rng.standard_normal(t.size), dtype=np.float32)


@pytest.mark.parametrize("name", sorted(codecs.BY_NAME))
def test_codecs_keep_length_and_timing(name: str, speech: waveforms.Waveform) -> None:
    decoded = codecs.transcode(speech, codecs.BY_NAME[name])
    assert decoded.shape == speech.shape
    spectra = [np.abs(np.fft.rfft(x[1600:].reshape(-1, 320)))[:, 2:40] for x in (speech, decoded)]
    correlation = np.corrcoef(spectra[0].ravel(), spectra[1].ravel())[0, 1]
    assert correlation > 0.8, correlation


@pytest.mark.parametrize("condition", [*conditions.CONDITIONS, *conditions.BESIDE])
def test_conditions_are_repeatable_and_keep_speech(condition: str, speech: waveforms.Waveform, tmp_path: Path) -> None:
    others = [tmp_path / f"{seed}.wav" for seed in range(3)]
    for seed, path in enumerate(others):
        soundfile.write(path, 0.1 * random_for(seed).standard_normal(9000), 16000)
    first = conditions.treat(speech, condition, 1, "clip", others)
    assert np.array_equal(first, conditions.treat(speech, condition, 1, "clip", others))
    assert np.isfinite(first).all()
    assert np.abs(first).max() > 0.001


@pytest.mark.parametrize("seed", range(12))
def test_random_chains_are_finite_and_levelled(seed: int, speech: waveforms.Waveform) -> None:
    out = augment.degrade(speech, random_for(seed), augment.Chain(), lambda rng: speech)
    assert out.dtype == np.float32
    assert np.abs(out).max() == pytest.approx(0.7, abs=1e-3)


@pytest.mark.parametrize("other", [augment.noise, augment.music])
def test_noise_has_the_wanted_ratio(
    other: Callable[[int, augment.Rng], waveforms.Waveform], speech: waveforms.Waveform
) -> None:
    noisy = augment.mix(speech, other(speech.size, random_for(3)), 10.0)
    ratio = 10 * np.log10(np.mean(speech**2) / np.mean((noisy - speech) ** 2))
    assert ratio == pytest.approx(10.0, abs=0.1)


def test_short_clips_are_repeated_never_padded() -> None:
    x = np.arange(1, 6, dtype=np.float32)
    assert waveforms.repeat_to(x, 12).tolist() == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2]
    assert waveforms.repeat_to(x, 3).tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="empty"):
        waveforms.repeat_to(x[:0], 3)


def test_windows_cover_a_clip_to_its_end() -> None:
    x = np.arange(25, dtype=np.float32)
    cut = waveforms.windows(x, 10, 5)
    assert cut[0, 0] == 0
    assert cut[-1, -1] == 24
    assert (np.diff(cut[:, 0]) <= 5).all()


def test_speed_moves_pitch() -> None:
    t = np.arange(16000) / 16000
    faster = augment.change_speed(np.sin(2 * np.pi * 400 * t).astype(np.float32), 1.25)
    assert faster.size == 12800
    assert np.argmax(np.abs(np.fft.rfft(faster))) * 16000 / faster.size == pytest.approx(500, abs=2)
