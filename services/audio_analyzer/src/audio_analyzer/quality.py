"""When a recording must not be judged, and what to tell the person who sent it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from audio_analyzer.speech import Samples

SILENT_PEAK_DB = -60.0
"""A recording whose loudest sample is below this holds at most five bits of signal in a 16-bit file."""
CLIPPED_CREST_DB = 5.0
"""Crest factor below which speech is refused: genuine speech has 10 dB and more (1st percentile of the training
clips), with a tenth of its samples cut off 6.6 dB, with a fifth 4.9 dB (medians)."""
CREST_QUANTILE = 0.999
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


@dataclass(frozen=True)
class Quality:
    """What is known of a recording when it has been read. Durations in seconds, `peak` as a sample value."""

    audio_seconds: float
    speech_seconds: float
    peak: float
    crest_db: float


def refusal(quality: Quality, min_speech_seconds: float) -> str | None:
    """Why a recording cannot be judged, as a sentence a person can act on; None when it can."""
    if quality.audio_seconds == 0:
        return "The audio is empty; send a recording of the voice."
    peak_db = 20 * math.log10(max(quality.peak, 1e-9))
    if peak_db < SILENT_PEAK_DB:
        return "The recording is silent; check the microphone or the file, and send one in which the voice is heard."
    if quality.speech_seconds == 0:
        return (
            f"No speech was found in {quality.audio_seconds:.1f} s of audio (silence, noise or music); "
            "send a recording in which the voice is heard."
        )
    if quality.speech_seconds < min_speech_seconds:
        found = math.floor(10 * quality.speech_seconds) / 10  # 1.96 s must not read "2.0 s, and 2 s are needed"
        return (
            f"Only {found:.1f} s of speech were found and {min_speech_seconds:g} s are needed; "
            "send a longer recording of the voice."
        )
    if quality.crest_db < CLIPPED_CREST_DB:
        return (
            "The speech is so overdriven (clipped) that it cannot be judged; "
            "send a recording made at a lower level, or the original file."
        )
    return None
