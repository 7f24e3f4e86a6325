"""The networks: a bag of small perceptrons on the modulation spectrum, a CNN on the spectrogram, their sum."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.audio.frontend import ModulationSpectrum, Spectrogram, log_magnitude, unit_rms


class Perceptron(nn.Module):
    """Standardised features (N, size) to a logit (N,)."""

    def __init__(self, size: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.layers = nn.Sequential(
            nn.Dropout(dropout / 2),
            nn.Linear(size, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, 1),
        )

    def fit_scale(self, features: Tensor) -> None:
        """Take mean and deviation from training features (N, size)."""
        self.get_buffer("mean").copy_(features.mean(dim=0))
        self.get_buffer("scale").copy_(features.std(dim=0) + 1e-3)

    def forward(self, features: Tensor) -> Tensor:
        standard = (features - self.get_buffer("mean")) / self.get_buffer("scale")
        logit: Tensor = self.layers(standard.clamp(-5, 5))
        return logit[:, 0]


class CenteredSpectrogram(nn.Module):
    """Log spectrogram with each bin's mean over time taken off; waveform (N, T) to (N, 1, bins, frames).

    The mean carries channel, bandwidth and long-term timbre; what is left is how speech moves.
    """

    floor = 0.002

    def __init__(self, n_fft: int = 512, hop: int = 160) -> None:
        super().__init__()
        self.spectrogram = Spectrogram(n_fft, hop)

    def forward(self, waveform: Tensor) -> Tensor:
        return self.center(log_magnitude(self.spectrogram(unit_rms(waveform)), self.floor))

    @staticmethod
    def center(log: Tensor) -> Tensor:
        """Take the mean over time off (N, frames, bins), and turn it into (N, 1, bins, frames)."""
        return (log - log.mean(dim=1, keepdim=True)).transpose(1, 2)[:, None]


def _convolution(inputs: int, outputs: int, kernel: tuple[int, int], stride: tuple[int, int]) -> nn.Sequential:
    padding = (kernel[0] // 2, kernel[1] // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class TextureCnn(nn.Module):
    """Centred log spectrogram (N, 1, bins, frames) to a logit (N,).

    One tall convolution with stride, then 3x3 ones; mean and deviation over time are pooled in four
    frequency bands, so that where in the spectrum a texture lies is kept and when it comes is not.
    """

    bands = 4

    def __init__(self, channels: Sequence[int], dropout: float = 0.0) -> None:
        super().__init__()
        first, second, third, fourth, fifth = channels
        self.body = nn.Sequential(
            _convolution(1, first, (8, 5), (4, 2)),
            _convolution(first, second, (3, 3), (2, 2)),
            _convolution(second, third, (3, 3), (1, 1)),
            _convolution(third, fourth, (3, 3), (2, 2)),
            _convolution(fourth, fifth, (3, 3), (1, 1)),
        )
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(fifth * self.bands * 2, 1))

    def forward(self, spectrogram: Tensor) -> Tensor:
        texture = self.body(spectrogram)
        n, c, f, t = texture.shape
        banded = texture[:, :, : f // self.bands * self.bands].reshape(n, c, self.bands, -1, t)
        mean = banded.mean(dim=(3, 4))
        deviation = ((banded * banded).mean(dim=(3, 4)) - mean * mean).clamp(min=0).add(1e-4).sqrt()
        logit: Tensor = self.head(torch.cat([mean.flatten(1), deviation.flatten(1)], dim=1))
        return logit[:, 0]


class Detector(nn.Module):
    """The shipped graph: waveform (N, T) at 16 kHz, any level, to a fake logit (N,) and one per fold (N, folds).

    For every fold there is a bag of perceptrons and a CNN that never saw it; the fold's logit is the weighted
    sum of theirs, and the detector's logit is the mean over folds. So every training clip was seen by all
    folds' members but one, and that one's logit, which the graph gives too, judges it honestly.
    """

    def __init__(
        self,
        perceptrons: Sequence[Sequence[Perceptron]],
        cnns: Sequence[TextureCnn],
        weights: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        super().__init__()
        self.modulation = ModulationSpectrum()
        self.centered = CenteredSpectrogram()
        self.perceptrons = nn.ModuleList(nn.ModuleList(bag) for bag in perceptrons)
        self.cnns = nn.ModuleList(cnns)
        self.weights = weights

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        parts = []
        if len(self.perceptrons):
            features = self.modulation(waveform)
            bags = [torch.stack([net(features) for net in self._bag(k)]).mean(dim=0) for k in range(self._folds)]
            parts.append(self.weights[0] * torch.stack(bags, dim=1))
        if len(self.cnns):
            spectrogram = self.centered(waveform)
            parts.append(self.weights[1] * torch.stack([net(spectrogram) for net in self.cnns], dim=1))
        folds = torch.stack(parts).sum(dim=0)
        return folds.mean(dim=1), folds

    @property
    def _folds(self) -> int:
        return len(self.perceptrons)

    def _bag(self, fold: int) -> nn.ModuleList:
        bag = self.perceptrons[fold]
        if not isinstance(bag, nn.ModuleList):
            raise TypeError("each fold holds a bag of perceptrons")
        return bag
