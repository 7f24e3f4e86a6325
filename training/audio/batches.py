"""Training batches: clips drawn by source, cropped to one length, treated alike whatever their label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.audio.augment import noise
from training.audio.config import Cnn
from training.audio.pool import Pool
from training.audio.waveforms import SAMPLE_RATE, Waveform
from training.common.manifest import Sample, sampling_weights, split

Rng = np.random.Generator


def training_indices(samples: Sequence[Sample], fold: int | None, left_out: Sequence[str]) -> list[int]:
    """Samples to train on when `fold` is held out, without the families that are left out."""
    return [i for i in split(samples, fold)[0] if samples[i].family not in left_out]


class NoiseBank:
    """A minute of coloured noises to cut from, since drawing noise afresh costs more than the rest of a batch."""

    def __init__(self, rng: Rng, pieces: int = 24, seconds: float = 3.0) -> None:
        self.pieces = np.stack([noise(int(seconds * SAMPLE_RATE), rng) for _ in range(pieces)])

    def cut(self, samples: int, rng: Rng) -> Waveform:
        """Noise of about unit RMS, shape (samples,)."""
        piece = self.pieces[rng.integers(len(self.pieces))]
        start = rng.integers(piece.size - samples + 1)
        return np.asarray(piece[start : start + samples] * rng.choice([-1.0, 1.0]), dtype=np.float32)


def crop(x: Waveform, samples: int, rng: Rng) -> Waveform:
    """A random piece of `samples` samples; one clip in five is cut shorter first, and short ones are repeated.

    So neither a clip's length nor the seam of its repetition tells its label.
    """
    wanted = int(samples * rng.uniform(0.6, 1.0)) if rng.random() < 0.2 else samples
    if x.size > wanted:
        start = rng.integers(x.size - wanted + 1)
        x = x[start : start + wanted]
    return np.resize(x, samples)


class Batches:
    """Batches of (waveforms (B, T), labels (B,)), the same for the same seed and step."""

    def __init__(self, pool: Pool, indices: Sequence[int], settings: Cnn, bank: NoiseBank) -> None:
        self.pool, self.batch_size, self.bank = pool, settings.batch_size, bank
        self.samples = int(settings.crop_seconds * SAMPLE_RATE)
        self.clean_share, self.noise_share = settings.clean_share, settings.noise_share
        self.indices = np.asarray(indices)
        self.chances = np.asarray(sampling_weights([pool.samples[i] for i in indices]))

    def draw(self, rng: Rng) -> tuple[Tensor, Tensor]:
        """One batch."""
        chosen = rng.choice(self.indices, self.batch_size, p=self.chances)
        labels = torch.tensor([float(self.pool.samples[i].label) for i in chosen])
        return torch.from_numpy(np.stack([self._clip(int(i), rng) for i in chosen])), labels

    def _clip(self, index: int, rng: Rng) -> Waveform:
        clean = rng.random() < self.clean_share or not self.pool.copies
        copy = 0 if clean else int(rng.integers(1, self.pool.copies + 1))
        x = crop(self.pool.clip(index, copy), self.samples, rng)
        if rng.random() < self.noise_share:
            level = np.sqrt(np.mean(np.square(x))) * 10 ** (-rng.uniform(8, 40) / 20)
            x = x + self.bank.cut(x.size, rng) * np.float32(level)
        return np.asarray(x, dtype=np.float32)


def mask_spectra(magnitude: Tensor, rng: Rng, share: float = 0.3) -> Tensor:
    """Low-pass and tilt some magnitude spectrograms (B, frames, bins) at random."""
    bins = magnitude.shape[2]
    f = np.linspace(0, 1, bins)
    gains: NDArray[np.float64] = np.ones((len(magnitude), bins))
    for i in range(len(gains)):
        if rng.random() < share:
            edge, width = np.exp(rng.uniform(np.log(0.25), np.log(0.98))), rng.uniform(0.005, 0.15)
            gains[i] *= 0.5 + 0.5 * np.cos(np.pi * np.clip((f - edge) / width, 0, 1))
        if rng.random() < share:
            gains[i] *= 10 ** (rng.uniform(-20, 20) * f / 20)
    return magnitude * torch.from_numpy(gains).float()[:, None, :]


def mask_patches(spectrogram: Tensor, rng: Rng) -> Tensor:
    """Blank up to 1 kHz and up to 0.3 s of each centred log spectrogram (B, 1, bins, frames)."""
    _, _, bins, frames = spectrogram.shape
    keep = torch.ones_like(spectrogram)
    for row in keep:
        width, start = rng.integers(0, bins // 8), rng.integers(0, bins)
        row[:, start : start + width] = 0
        width, start = rng.integers(0, 30), rng.integers(0, frames)
        row[:, :, start : start + width] = 0
    return spectrogram * keep


def smoothed(labels: Tensor, smoothing: float) -> Tensor:
    """Labels drawn towards one half by `smoothing`."""
    return labels * (1 - smoothing) + smoothing / 2
