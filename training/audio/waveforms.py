"""Read speech as 16 kHz mono and bring it to a window's length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly

SAMPLE_RATE = 16000
WINDOW_SECONDS = 2.7
WINDOW = 43200
HOP_SECONDS = 1.8

Waveform = NDArray[np.float32]


def read(path: Path, max_seconds: float | None = None) -> Waveform:
    """Samples of an audio file as mono float32 at 16 kHz, shape (T,); only the first `max_seconds` if given."""
    info = soundfile.info(str(path))
    frames = -1 if max_seconds is None else int(max_seconds * info.samplerate)
    data, rate = soundfile.read(str(path), frames=frames, dtype="float32", always_2d=True)
    return resample(data.mean(axis=1), rate, SAMPLE_RATE)


def excerpt(path: Path, samples: int, rng: np.random.Generator) -> Waveform:
    """So many samples from anywhere in an audio file, as `read` gives them; repeated where the file is shorter."""
    info = soundfile.info(str(path))
    frames = -(-samples * info.samplerate // SAMPLE_RATE)
    start = int(rng.integers(max(1, info.frames - frames + 1)))
    data, rate = soundfile.read(str(path), frames=frames, start=start, dtype="float32", always_2d=True)
    return repeat_to(resample(data.mean(axis=1), rate, SAMPLE_RATE), samples)


def resample(x: Waveform, rate: int, target: int) -> Waveform:
    """Polyphase resampling from `rate` to `target` Hz, shape (T,)."""
    if rate == target:
        return x
    divisor = int(np.gcd(rate, target))
    return np.asarray(resample_poly(x, target // divisor, rate // divisor), dtype=np.float32)


def levelled(x: Waveform) -> Waveform:
    """The clip at peak 0.7; silence stays silence."""
    return np.asarray(x * np.float32(0.7 / (np.abs(x).max() + 1e-9)), dtype=np.float32)


def repeat_to(x: Waveform, samples: int = WINDOW) -> Waveform:
    """Exactly `samples` samples: the start of `x`, or `x` repeated when it is shorter.

    Never zeros: a silent tail would tell the length, and silence is not speech. Raises ValueError on no samples.
    """
    if not x.size:
        raise ValueError("an empty clip cannot fill a window")
    return np.resize(x, samples)


def windows(x: Waveform, samples: int = WINDOW, hop: int | None = None) -> NDArray[np.float32]:
    """Overlapping windows (N, samples) of a clip; the last one ends at the clip's end."""
    if x.size <= samples:
        return repeat_to(x, samples)[None]
    starts = list(range(0, x.size - samples, hop or samples // 2))
    starts.append(x.size - samples)
    return np.stack([x[s : s + samples] for s in starts])
