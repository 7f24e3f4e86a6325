"""Shallow layers of Whisper's encoder (Radford et al. 2022) as features of a simple detector.

The weights come as CTranslate2's `model.bin` of Whisper-base; only the encoder is read, into plain PyTorch.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

LAYERS = 4
MELS, N_FFT, HOP = 80, 400, 160
_TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)

Weights = dict[str, Tensor]


def read_weights(path: Path, prefix: str = "encoder/") -> Weights:
    """Tensors of a CTranslate2 model file (binary version 6) whose names begin with `prefix`, as float32."""
    data = path.read_bytes()
    at = 0

    def number(kind: str) -> int:
        nonlocal at
        (value,) = struct.unpack_from("<" + kind, data, at)
        at += struct.calcsize("<" + kind)
        return int(value)

    def text() -> str:
        nonlocal at
        size = number("H")
        at += size
        return data[at - size : at - 1].decode()

    if (version := number("I")) != 6:
        raise ValueError(f"{path}: binary version {version}, not 6")
    text()
    number("I")
    weights = {}
    for _ in range(number("I")):
        name = text()
        shape = [number("I") for _ in range(number("B"))]
        kind = np.dtype(_TYPES[number("B")])
        size = number("I")
        if name.startswith(prefix):
            array = np.frombuffer(data, kind, size // kind.itemsize, at).reshape(shape)
            weights[name.removeprefix(prefix)] = torch.from_numpy(array.astype(np.float32))
        at += size
    return weights


def mel_filters() -> NDArray[np.float32]:
    """Slaney's mel filters with unit area, (80, 201), as Whisper uses them."""

    def to_hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27)))

    top = 15 + 27 * np.log(8000 / 1000) / np.log(6.4)
    edges = to_hertz(np.linspace(0, top, MELS + 2))
    f = np.linspace(0, 8000, N_FFT // 2 + 1)
    rising = (f - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - f) / np.diff(edges)[1:, None]
    filters = np.clip(np.minimum(rising, falling), 0, None) * (2 / (edges[2:] - edges[:-2]))[:, None]
    return filters.astype(np.float32)


class ShallowEncoder:
    """Whisper-base up to layer 4: waveforms (N, T) at 16 kHz to features (N, 5, 1024).

    One row for the convolutional stem and one for each layer: mean and deviation over time. The clip is not
    padded to Whisper's 30 seconds, so that its length says nothing.
    """

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.filters = torch.from_numpy(mel_filters())
        self.window = torch.hann_window(N_FFT)

    def __call__(self, waveforms: Tensor) -> Tensor:
        """Features of a batch."""
        w = self.weights
        spectrum = torch.stft(waveforms, N_FFT, HOP, window=self.window, return_complex=True)
        mel = self.filters @ spectrum[..., :-1].abs().square()
        log = mel.clamp(min=1e-10).log10()
        log = torch.maximum(log, log.amax(dim=(1, 2), keepdim=True) - 8)
        x = functional.gelu(functional.conv1d((log + 4) / 4, w["conv1/weight"], w["conv1/bias"], padding=1))
        x = functional.gelu(functional.conv1d(x, w["conv2/weight"], w["conv2/bias"], stride=2, padding=1))
        x = x.transpose(1, 2)
        pooled = [_pool(x)]
        x = x + w["position_encodings/encodings"][: x.shape[1]]
        for layer in range(LAYERS):
            x = self._layer(x, f"layer_{layer}/")
            pooled.append(_pool(x))
        return torch.stack(pooled, dim=1)

    def describe(self, waveform: NDArray[np.float32], layers: Sequence[int]) -> NDArray[np.float64]:
        """Features of one clip (T,) from some layers, 0 being the stem, one after the other."""
        with torch.no_grad():
            rows = self(torch.from_numpy(waveform)[None])[0]
        return rows[list(layers)].flatten().numpy().astype(np.float64)

    def _layer(self, x: Tensor, name: str) -> Tensor:
        w = self.weights
        n, t, size = x.shape
        heads = int(w["num_heads"])

        def linear(y: Tensor, part: str) -> Tensor:
            return functional.linear(y, w[name + part + "/weight"], w[name + part + "/bias"])

        def norm(y: Tensor, part: str) -> Tensor:
            return functional.layer_norm(y, (size,), w[name + part + "/gamma"], w[name + part + "/beta"])

        parts = linear(norm(x, "self_attention/layer_norm"), "self_attention/linear_0").chunk(3, dim=2)
        q, k, v = (p.reshape(n, t, heads, -1).transpose(1, 2) for p in parts)
        attended = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, size)
        x = x + linear(attended, "self_attention/linear_1")
        hidden = functional.gelu(linear(norm(x, "ffn/layer_norm"), "ffn/linear_0"))
        return x + linear(hidden, "ffn/linear_1")


def _pool(x: Tensor) -> Tensor:
    return torch.cat([x.mean(dim=1), x.std(dim=1)], dim=1)
