"""Recordings are assembled as they are described, and stretches are calibrated to their rates."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from audio_analyzer.sound import BANDS, Sounds
from sg_common.bundle.calibration import VoiceCalibration

from training.audio.listen import Heard, pack, unpack
from training.audio.recipe import Stretches
from training.audio.recordings import (
    HOWS,
    How,
    Recording,
    assemblies,
    channels_of,
    drawn,
    of_clips,
    spaced,
    with_windows,
)
from training.audio.voices import by_whole, evidence, stretches
from training.common.manifest import Sample

RATE = 16000
COMMON = VoiceCalibration.model_validate(
    {"temperature": 0.6, "bias": -0.3, "thresholds": {"likely_authentic": 0.2, "likely_deepfake": 0.7}}
)


def sample(folder: Path, name: str, data: np.ndarray, *, label: int = 0, fold: int = 1, rate: int = RATE) -> Sample:
    path = folder / f"{name}.flac"
    soundfile.write(path, data, rate)
    fields = {"path": path.name, "seconds": str(len(data) / rate)}
    return Sample(path, label, fold, "family", f"source of {name}", fields=fields)


def tone(seconds: float, frequency: float, rate: int = RATE) -> np.ndarray:
    return np.asarray(0.3 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate), np.float32)


def flat(windows: int, level: float = 0.0) -> Sounds:
    return np.full((windows, BANDS), level, np.float32)


def genuine(count: int, windows: int, seed: int = 1) -> list[Recording]:
    rng = np.random.default_rng(seed)
    return [
        Recording(f"source {i}", i % 5, (spaced(rng.normal(rng.normal(-0.7, 0.5), 0.4, windows), flat(windows)),))
        for i in range(count)
    ]


def test_channels_are_one_where_they_are_the_same(tmp_path: Path) -> None:
    one = tone(4, 300, 8000)
    assert len(channels_of(sample(tmp_path, "mono", one, rate=8000))) == 1
    (both,) = channels_of(sample(tmp_path, "same", np.stack([one, 0.5 * one], axis=1), rate=8000))
    assert len(both) == 4 * RATE
    turns = np.arange(len(one)) // 8000 % 2
    apart = channels_of(sample(tmp_path, "apart", np.stack([turns * one, (1 - turns) * one], axis=1), rate=8000))
    assert [len(channel) for channel in apart] == [4 * RATE, 4 * RATE]


@pytest.mark.parametrize("how", HOWS)
def test_a_synthetic_voice_is_where_it_is_said_to_be(tmp_path: Path, how: How) -> None:
    samples = [
        sample(tmp_path, "host", tone(20, 200)),
        sample(tmp_path, "of another fold", tone(20, 200), fold=2),
        sample(tmp_path, "made", tone(12, 3000), label=1),
        sample(tmp_path, "too short", tone(5, 3000), label=1),
    ]
    (call,) = assemblies(samples, 6.0, how, 1)
    assert (call.host.source, call.made.source) == ("source of host", "source of made")
    channel, start, end = call.place
    assert len(call.channels) == (2 if how == "other channel" else 1)
    assert end - start == pytest.approx(6)
    spectrum = np.abs(np.fft.rfft(call.channels[channel][int(start * RATE) : int(end * RATE)]))
    assert (spectrum.argmax() == 3000 * 6) or how == "overlapping"
    assert spectrum[3000 * 6] > 100 * np.median(spectrum)
    before = np.abs(np.fft.rfft(call.channels[channel][: int(start * RATE)])) if start > 1 else np.ones(1)
    assert before.argmax() < 0.5 * len(before)
    assert [c.place for c in assemblies(samples, 6.0, how, 1)] == [call.place]


def test_longer_recordings_keep_windows_together() -> None:
    (short,) = genuine(1, 20)
    longer = drawn(short, 20, 4, np.random.default_rng(1))
    logits = longer.voices[0].logits
    assert len(logits) == round(20 * 60 / 1.8 / 4)
    assert set(logits) <= set(short.voices[0].logits)
    follows = dict(zip(short.voices[0].logits, short.voices[0].logits[1:], strict=False))
    assert np.mean([follows.get(a) == b for a, b in pairwise(logits)]) > 0.8
    assert longer.voices[0].sounds.shape == (len(logits), BANDS)
    assert longer.voices[0].times[-1, 1] == pytest.approx(20 * 60, abs=8)


def test_a_synthetic_voice_in_a_longer_recording_is_in_its_place() -> None:
    (host,) = genuine(1, 100)
    made = spaced(np.full(6, 9.0), flat(6, 4.0))
    call = with_windows(host, made, "generator", 1, np.random.default_rng(2))
    assert call.place is not None
    (voice,) = call.voices
    raised = voice.times[voice.logits == 9.0]
    np.testing.assert_array_equal(voice.sounds[:, 0] == 4.0, voice.logits == 9.0)
    assert call.place[0] == 0
    assert call.place[1:] == pytest.approx((raised[0, 0], raised[-1, 1]))
    assert len(with_windows(host, made, "generator", 4, np.random.default_rng(2)).voices[0].logits) == 102


def test_clips_of_a_source_make_a_recording(tmp_path: Path) -> None:
    def heard(speech: float) -> Heard:
        return Heard(np.zeros((1, 2), np.float32), np.full((1, 5), speech, np.float32), flat(1, speech), speech)

    samples = [Sample(Path(f"{i}"), 0, 2, "family", "much" if i < 9 else "little") for i in range(12)]
    (made,) = of_clips(samples, [heard(2.0 + i / 10) for i in range(12)], 2.1)
    assert (made.source, made.windows) == ("much", 8)
    np.testing.assert_allclose(made.voices[0].sounds[:, 0], made.voices[0].logits)
    assert of_clips(samples, [heard(2.0)] * 12, 2.1) == []


def test_what_was_heard_is_read_back() -> None:
    rng = np.random.default_rng(3)
    channels = [
        Heard(
            rng.random((n, 2), np.float32),
            rng.random((n, 5 if n else 1), np.float32),
            rng.random((n, BANDS), np.float32),
            float(n),
        )
        for n in (3, 0, 1)
    ]
    for one, again in zip(channels, unpack(pack(channels)), strict=True):
        assert again.speech == one.speech
        np.testing.assert_array_equal(again.times, one.times)
        np.testing.assert_array_equal(again.sounds, one.sounds)
        if len(one.times):
            np.testing.assert_array_equal(again.fold_logits, one.fold_logits)


def test_stretches_are_named_and_called_at_their_rates_at_every_length() -> None:
    parts = [genuine(200, windows, seed) for seed, windows in enumerate((20, 150))]
    settings = Stretches(named_rate=0.16, false_alarm_rate=0.04, doubtful_rate=0.1, chances=0.3)
    made = stretches(parts[0], parts, COMMON, settings)
    assert made.level == pytest.approx(-0.7, abs=0.15)
    assert made.within == pytest.approx(0.16, abs=0.03)
    assert 0.15 < made.between < 0.4
    named, called, lost = [], [], []
    for part in parts:
        found = np.asarray([made.probability(evidence(recording, made)) for recording in part])
        named.append((found >= 0.5).mean())
        called.append((found >= COMMON.thresholds.likely_deepfake).mean())
        whole = np.asarray([by_whole(recording, COMMON) for recording in part])
        lost.append(((whole < COMMON.thresholds.likely_authentic) & (found >= made.doubtful)).mean())
    assert max(named) == pytest.approx(0.16, abs=0.02)
    assert max(called) <= 0.041
    assert made.doubtful < 0.5
    assert max(lost) == pytest.approx(0.1, abs=0.011)
