"""How a window of speech sounds, whatever is said in it: the shape of its average spectrum.

Voices, microphones, rooms and lines leave it. Where it changes, someone else speaks, or something else is heard.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from audio_analyzer.speech import Samples

Sound = npt.NDArray[np.float32]
"""Levels of bands about their mean, dB, (BANDS,)."""
Sounds = npt.NDArray[np.float32]
"""Those of windows, (N, BANDS)."""

FRAME = 512
EDGES = (2, 6, 10, 16, 22, 29, 37, 47, 58, 71, 86, 103, 124, 147, 175, 206, 243)
"""Where bands begin and end, in steps of 31.25 Hz: of equal width in mel, 60 Hz to 7.6 kHz."""
BANDS = len(EDGES) - 1
LOUD = 0.1
"""Power from which a frame counts, of the window's mean: pauses tell of the room alone."""
FLOOR = 1e-4
"""Power below which a band is empty, of the mean: what a line cuts off is the same everywhere."""


def sound_of(samples: Samples) -> Sound:
    """The sound of a window (T,) at 16 kHz, of any level; T at least `FRAME`."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME) * np.hanning(FRAME).astype(np.float32)
    powers = np.square(np.abs(np.fft.rfft(frames)))
    bands = np.add.reduceat(powers, EDGES, axis=1)[:, :-1] / np.diff(EDGES)
    levels = bands.mean(axis=1)
    loud = bands[levels >= LOUD * levels.mean()]
    decibels = 10 * np.log10(loud / max(loud.mean(), np.finfo(np.float32).tiny) + FLOOR).mean(axis=0)
    return np.asarray(decibels - decibels.mean(), np.float32)
