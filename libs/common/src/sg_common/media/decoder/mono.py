"""Audio frames of any kind to mono samples at one rate."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

# Without a bound on the mixing matrix, float output of two full-scale channels would exceed full scale.
MIXING = {"rematrix_maxval": "1.0"}


class MonoResampler:
    """Mixes down and resamples with libswresample; a stream may change its format, layout or rate at any frame."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._kind: tuple[str, str, int] | None = None
        self._resampler: AudioResampler | None = None

    def feed(self, frame: AudioFrame) -> Iterator[npt.NDArray[np.float32]]:
        """The samples that one more frame completes, arrays of shape (samples,)."""
        if not frame.samples or not frame.sample_rate:
            return
        layout = frame.layout.name
        if layout.endswith(" channels"):  # an unknown layout has a count only
            frame = _mean(frame)
        kind = (frame.format.name, layout, frame.sample_rate)
        if kind != self._kind:
            yield from self.flush()
            self._kind = kind
            self._resampler = AudioResampler(format="flt", layout="mono", rate=self._rate, options=MIXING)
        frame.pts = None
        if self._resampler is not None:
            for done in self._resampler.resample(frame):
                yield _samples(done)

    def flush(self) -> Iterator[npt.NDArray[np.float32]]:
        """The samples still held back by the resampling filter."""
        if self._resampler is not None:
            for done in self._resampler.resample(None):
                if done is not None:
                    yield _samples(done)
            self._resampler = None
            self._kind = None


def _samples(frame: AudioFrame) -> npt.NDArray[np.float32]:
    return np.nan_to_num(frame.to_ndarray().reshape(-1).astype(np.float32, copy=False))


def _mean(frame: AudioFrame) -> AudioFrame:
    values = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    if values.dtype.kind == "u":
        mono = (values.mean(axis=0, dtype=np.float64) - 128.0) / 128.0
    elif values.dtype.kind == "i":
        mono = values.mean(axis=0, dtype=np.float64) / 2.0 ** (8 * values.itemsize - 1)
    else:
        mono = values.mean(axis=0, dtype=np.float64)
    mixed = AudioFrame.from_ndarray(mono.astype(np.float32)[np.newaxis], format="flt", layout="mono")
    mixed.sample_rate = frame.sample_rate
    return mixed
