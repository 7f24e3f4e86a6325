"""What a person may look at beside the answer: the sound's waveform and spectrogram."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sg_common.analysis import AnalysisOptions, Job, Report
from sg_common.media import open_audio
from sg_view.pictures import jpeg_address

from audio_analyzer.model import SAMPLE_RATE
from audio_analyzer.settings import AudioSettings

FRAME = 256
"""Samples of a spectrum, 16 ms."""
COLUMNS = 1024
"""At most twice as many are held, however long the file is."""
QUIETEST_DB = -70.0
"""What is drawn black, below the loudest."""
COLOURS = np.array(
    [(0, 0, 4), (51, 16, 104), (136, 34, 106), (212, 72, 66), (251, 155, 6), (252, 255, 164)], dtype=np.float64
)
"""From quiet to loud: steps of Matplotlib's "inferno", which also tells in grey what is louder."""


def draw(settings: AudioSettings, path: Path, _: Report, __: AnalysisOptions, job: Job) -> dict[str, Any]:
    """Waveform and spectrogram of a file, for the view.

    Returns:
        `{waveform: {peaks}, spectrogram: {image, hertz}}`, both evenly over the file's length: peaks as integers
        0..100, the image as a `data:` address; empty for a file without sound.

    Raises:
        ServiceError: as `open_audio` says.
    """
    canvas = _Canvas()
    with open_audio(path, sample_rate=SAMPLE_RATE, limits=settings.decode_limits(), job=job) as reader:
        for block in reader:
            job.check()
            canvas.add(np.atleast_2d(block).mean(axis=0))  # a call's two channels are drawn as one
    return canvas.pictures()


class _Canvas:
    """Columns of peaks and powers, of twice as many samples each whenever they are too many."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)
        self._frames = 1  # a column
        self._peaks = np.zeros(0)
        self._powers = np.zeros((0, FRAME // 2))
        self._window = np.hanning(FRAME)

    def add(self, block: npt.NDArray[np.float32]) -> None:
        samples = np.concatenate([self._rest, block])
        while count := min(len(samples) // (FRAME * self._frames), 2 * COLUMNS - len(self._peaks)):
            size = count * FRAME * self._frames
            self._append(samples[:size].reshape(count, self._frames, FRAME))
            samples = samples[size:]
            if len(self._peaks) == 2 * COLUMNS:
                self._peaks = self._peaks.reshape(-1, 2).max(axis=1)
                self._powers = self._powers.reshape(COLUMNS, 2, -1).mean(axis=1)
                self._frames *= 2
        self._rest = samples

    def _append(self, columns: npt.NDArray[np.float32]) -> None:
        powers = np.abs(np.fft.rfft(columns * self._window)[..., 1:]) ** 2
        self._peaks = np.append(self._peaks, np.abs(columns).max(axis=(1, 2)))
        self._powers = np.concatenate([self._powers, powers.mean(axis=1)])

    def pictures(self) -> dict[str, Any]:
        if not len(self._peaks):
            return {}
        peaks = [round(100 * min(1.0, float(peak))) for peak in self._peaks]
        decibels = 10 * np.log10(self._powers / max(float(self._powers.max()), 1e-12) + 1e-12)
        level = np.clip(decibels / -QUIETEST_DB + 1, 0, 1).T[::-1]
        steps = np.linspace(0, 1, len(COLOURS))
        rgb = np.stack([np.interp(level, steps, channel) for channel in COLOURS.T], axis=-1).astype(np.uint8)
        return {
            "waveform": {"peaks": peaks},
            "spectrogram": {"image": jpeg_address(rgb), "hertz": SAMPLE_RATE // 2},
        }
