"""Recordings that must not be judged are refused in words a person can act on."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from audio_analyzer.quality import CLIPPED_CREST_DB, NARROW_BAND_DB, BandMeter, CrestMeter, Quality, refusal
from audio_analyzer.speech import Samples
from scipy.signal import resample_poly

from testbed.speech import noise, silence, speech

GOOD = Quality(audio_seconds=30, speech_seconds=12, peak=0.5, crest_db=14, sample_rate=16000, band_db=-20)


def crest(samples: Samples) -> float:
    meter = CrestMeter()
    for start in range(0, len(samples), 7000):
        meter.add(samples[start : start + 7000])
    return meter.crest_db()


def clipped(share: float) -> Samples:
    samples = speech(20)
    limit = float(np.quantile(np.abs(samples), 1 - share))
    return np.clip(samples, -limit, limit)


def test_a_good_recording_is_judged() -> None:
    assert refusal(GOOD, 2.0) is None
    assert refusal(replace(GOOD, audio_seconds=2, speech_seconds=2), 2.0) is None


@pytest.mark.parametrize(
    ("quality", "words"),
    [
        (replace(GOOD, audio_seconds=0, speech_seconds=0, peak=0, crest_db=math.inf), "empty"),
        (replace(GOOD, audio_seconds=9, speech_seconds=0, peak=0, crest_db=math.inf), "silent"),
        (replace(GOOD, audio_seconds=9, speech_seconds=5, peak=0.0005, crest_db=12), "silent"),
        (replace(GOOD, audio_seconds=9, speech_seconds=0, peak=0.3, crest_db=math.inf), "No speech was found in 9.0 s"),
        (replace(GOOD, audio_seconds=9, speech_seconds=1.96, peak=0.3, crest_db=12), "Only 1.9 s of speech"),
        (replace(GOOD, audio_seconds=9, speech_seconds=9, peak=1.0, crest_db=CLIPPED_CREST_DB - 0.1), "clipped"),
        (replace(GOOD, sample_rate=4000), "4 kHz or less"),
        (replace(GOOD, band_db=-60), "4 kHz or less"),
    ],
)
def test_the_reason_is_said(quality: Quality, words: str) -> None:
    refused = refusal(quality, 2.0)
    assert refused is not None
    message = refused.text("en")
    assert words in message
    assert message.endswith(".")


def test_crest_of_known_signals() -> None:
    sine = np.sin(2 * np.pi * 441.3 * np.arange(80000) / 16000).astype(np.float32)
    assert crest(sine) == pytest.approx(3.0, abs=0.2)
    assert crest(np.sign(sine)) == pytest.approx(0.0, abs=0.2)
    assert crest(silence(1)) == math.inf
    assert crest(silence(0)) == math.inf


@pytest.mark.parametrize("gain", [0.01, 1.0, 30.0])
def test_crest_does_not_depend_on_the_level(gain: float) -> None:
    assert crest(gain * speech(20)) == pytest.approx(crest(speech(20)), abs=0.3)


def test_only_extreme_clipping_is_refused() -> None:
    assert crest(speech(20)) > CLIPPED_CREST_DB + 4
    assert crest(clipped(0.05)) > CLIPPED_CREST_DB
    assert crest(clipped(0.35)) < CLIPPED_CREST_DB


@pytest.mark.parametrize(("rate", "narrow"), [(4000, True), (8000, False), (16000, False)])
def test_the_band_tells_the_rate_of_the_recording(rate: int, narrow: bool) -> None:
    samples = resample_poly(resample_poly(speech(10), rate, 16000), 16000, rate).astype(np.float32)
    meter = BandMeter(16000)
    for start in range(0, len(samples), 7000):
        meter.add(samples[start : start + 7000])
    assert (meter.band_db() < NARROW_BAND_DB) == narrow


def test_the_band_of_known_signals() -> None:
    meter = BandMeter(16000)
    assert meter.band_db() == math.inf
    meter.add(silence(1))
    assert meter.band_db() == math.inf
    meter.add(noise(4))
    assert meter.band_db() == pytest.approx(10 * math.log10(1100 / 7900), abs=0.3)
