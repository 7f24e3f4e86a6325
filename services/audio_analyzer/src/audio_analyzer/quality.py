"""When a recording must not be judged."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from sg_common.words.phrases import Finding

from audio_analyzer import words
from audio_analyzer.speech import Samples

SILENT_PEAK_DB = -60.0
"""A recording whose loudest sample is below this holds at most five bits of signal in a 16-bit file."""
CLIPPED_CREST_DB = 5.0
"""Crest factor below which speech is refused: genuine speech has 10 dB and more (1st percentile of the training
clips), with a tenth of its samples cut off 6.6 dB, with a fifth 4.9 dB (medians)."""
CREST_QUANTILE = 0.999
NARROW_RATE = 4000
"""Sampling rate, Hz, up to which speech is not judged: half of what tells voices apart is missing."""
NARROW_BAND_DB = -50.0
"""Power from 2.3 to 3.4 kHz over all from 100 Hz on, dB, under which speech was sampled so low before it came into this
file (`python -m benchmarks.speech_band`: no genuine clip of the corpus is below; from 4 kHz, every one is)."""
SUBSAMPLING = 8


class CrestMeter:
    """Crest factor of a stream: how far its 99.9th percentile of magnitude is above its root mean square, dB."""

    _LOWEST_DB, _BINS, _BINS_PER_DB = -120.0, 800, 4

    def __init__(self) -> None:
        self._histogram = np.zeros(self._BINS, dtype=np.int64)
        self._power = 0.0

    def add(self, samples: Samples) -> None:
        magnitude = np.abs(samples[::SUBSAMPLING]).astype(np.float64)
        level = 20 * np.log10(magnitude + 1e-9)
        bins = np.clip((level - self._LOWEST_DB) * self._BINS_PER_DB, 0, self._BINS - 1).astype(np.int64)
        self._histogram += np.bincount(bins, minlength=self._BINS)
        self._power += float(np.square(magnitude).sum())

    def crest_db(self) -> float:
        """Infinite for an empty or silent stream."""
        count = int(self._histogram.sum())
        if not count or not self._power:
            return math.inf
        top = int(np.searchsorted(np.cumsum(self._histogram), CREST_QUANTILE * count))
        return self._LOWEST_DB + (top + 0.5) / self._BINS_PER_DB - 10 * math.log10(self._power / count)


class BandMeter:
    """How much of a stream lies above what a sampling rate of 4 kHz holds, dB."""

    _FRAME, _EVERY = 512, 4

    def __init__(self, sample_rate: int) -> None:
        frequencies = np.fft.rfftfreq(self._FRAME, 1 / sample_rate)
        self._upper = (frequencies >= 2300) & (frequencies < 3400)
        self._all = frequencies >= 100
        self._window = np.hanning(self._FRAME).astype(np.float32)
        self._power = np.zeros(len(frequencies))

    def add(self, samples: Samples) -> None:
        whole = samples[: len(samples) // self._FRAME * self._FRAME].reshape(-1, self._FRAME)[:: self._EVERY]
        self._power += np.square(np.abs(np.fft.rfft(whole * self._window))).sum(axis=0)

    def band_db(self) -> float:
        """Infinite for an empty or silent stream."""
        upper, power = float(self._power[self._upper].sum()), float(self._power[self._all].sum())
        return 10 * math.log10(max(upper / power, 1e-20)) if power else math.inf


@dataclass(frozen=True)
class Quality:
    """What is known of a recording when it has been read.

    Attributes:
        audio_seconds, speech_seconds: durations.
        peak: largest magnitude of a sample.
        crest_db: see `CrestMeter`.
        sample_rate: Hz, as the file states it.
        band_db: see `BandMeter`.
    """

    audio_seconds: float
    speech_seconds: float
    peak: float
    crest_db: float
    sample_rate: int
    band_db: float


def refusal(quality: Quality, min_speech_seconds: float) -> Finding | None:
    """Why a recording cannot be judged; None when it can."""
    if quality.audio_seconds == 0:
        return words.EMPTY()
    peak_db = 20 * math.log10(max(quality.peak, 1e-9))
    if peak_db < SILENT_PEAK_DB:
        return words.TOO_QUIET()
    if quality.speech_seconds == 0:
        return words.NO_SPEECH(seconds=f"{quality.audio_seconds:.1f}")
    if quality.speech_seconds < min_speech_seconds:
        found = math.floor(10 * quality.speech_seconds) / 10  # 1.96 s must not read "2.0 s, and 2 s are needed"
        return words.TOO_LITTLE_SPEECH(found=f"{found:.1f}", needed=f"{min_speech_seconds:g}")
    if quality.sample_rate <= NARROW_RATE or quality.band_db < NARROW_BAND_DB:
        return words.NARROW_BAND()
    return words.OVERDRIVEN() if quality.crest_db < CLIPPED_CREST_DB else None
