"""Spectral front ends as plain matrix products, so that an exported graph starts at the waveform."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

SAMPLE_RATE = 16000
TELEPHONE_HZ = 4000


class Resolution(NamedTuple):
    """A short-time Fourier transform, in samples, and the highest frequency that is read from it, in Hz."""

    n_fft: int
    hop: int
    highest: int = 8000


# Long windows are dear, and what they show above 4 kHz told nothing more.
RESOLUTIONS = (
    Resolution(512, 160),
    Resolution(1024, 160, 4000),
    Resolution(256, 80),
    Resolution(128, 32),
    Resolution(448, 140),
    Resolution(896, 140, 4000),
)
# Runs of them, first and one after the last: speech as it is and as if it were played slower, either with the finest
# resolution or without it, and the finest alone.
VIEWS: Mapping[str, tuple[int, int]] = {
    "normal": (0, 4),
    "slowed": (3, 6),
    "texture": (0, 3),
    "stretched": (4, 6),
    "fine": (3, 4),
}


class Spectrogram(nn.Module):
    """Short-time Fourier transform by Hann: waveform (N, T) to magnitude (N, frames, bins), energy (N, frames).

    Frames are not padded. Bins above `highest` Hz are left out of the magnitude; the energy is the mean square over
    all bins, taken from the waveform (Parseval).
    """

    def __init__(self, n_fft: int, hop: int, highest: int = SAMPLE_RATE // 2) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        half = n_fft // 2
        self.bins = min(2 * math.ceil(highest * n_fft / SAMPLE_RATE / 2), half) + 1
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        n = torch.arange(half, dtype=torch.float64)
        for name, bins in (("even", torch.arange(0, self.bins, 2)), ("odd", torch.arange(1, self.bins, 2))):
            angle = 2 * math.pi * torch.outer(n, bins.double()) / n_fft
            self.register_buffer(name, torch.cat([angle.cos(), angle.sin()], dim=1).float(), persistent=False)

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        if torch.onnx.is_in_onnx_export():
            return self.as_products(waveform)
        window = self.get_buffer("window")
        energy = self._energy(waveform.unfold(1, self.n_fft, self.hop) * window)
        spectrum = torch.stft(waveform, self.n_fft, self.hop, window=window, center=False, return_complex=True)
        spectrum = spectrum[:, : self.bins].transpose(1, 2)
        return (spectrum.real.square() + spectrum.imag.square() + 1e-12).sqrt(), energy

    def _energy(self, frames: Tensor) -> Tensor:
        return (frames * frames).sum(dim=2) * (self.n_fft / (self.n_fft + 2)) + 1e-12

    def as_products(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """The same without an FFT: what is exported.

        Even bins are the transform of the sum of a frame's halves, odd ones of their difference (one step of
        decimation in frequency), which halves the work. Frames are gathered as runs of samples.
        """
        half = self.n_fft // 2
        frames = (waveform.shape[-1] - self.n_fft) // self.hop + 1
        run = math.gcd(self.n_fft, self.hop)
        runs = waveform.shape[-1] // run
        index = torch.arange(frames)[:, None] * (self.hop // run) + torch.arange(self.n_fft // run)
        framed = waveform[:, : runs * run].reshape(-1, runs, run)[:, index].reshape(-1, frames, self.n_fft)
        framed = framed * self.get_buffer("window")
        first, second = framed[:, :, :half], framed[:, :, half:]
        even = _power((first + second) @ self.get_buffer("even"))
        odd = _power((first - second) @ self.get_buffer("odd"))
        pairs = torch.stack([even[:, :, :-1], odd], dim=3).reshape(-1, frames, self.bins - 1)
        return (torch.cat([pairs, even[:, :, -1:]], dim=2) + 1e-12).sqrt(), self._energy(framed)


def _power(spectrum: Tensor) -> Tensor:
    """Power (N, frames, bins) of real and imaginary parts one after the other, (N, frames, 2 bins)."""
    square = spectrum * spectrum
    bins = square.shape[2] // 2
    return square[:, :, :bins] + square[:, :, bins:]


def unit_rms(waveform: Tensor) -> Tensor:
    """Scale every clip (N, T) to unit RMS; silence stays silence."""
    return waveform / (waveform.square().mean(dim=1, keepdim=True).sqrt() + 1e-5)


def log_magnitude(magnitude: Tensor, energy: Tensor, floor: float) -> Tensor:
    """Logarithm over a floor relative to the clip's RMS magnitude, so that level and faint noise say little."""
    rms = energy.mean(dim=1).sqrt()
    return (magnitude + floor * rms[:, None, None] + 1e-7).log()


class ModulationSpectrum(nn.Module):
    """Joint modulation spectrum of the log spectrogram; waveform (N, T) to features (N, size).

    Per resolution and band, blocks of 32 frames (hop 8) within 25 dB of the loudest block lose their mean,
    get a 2-D Hann window and a 2-D Fourier power spectrum, which is grouped to `rates` modulation rates by
    `quefrencies` quefrency groups, averaged over blocks and logged: how finely speech is textured in time
    and frequency, whatever is said by whom. After the modulation spectrum of Atlas and Shamma (2003).
    """

    bands = ((0, 2000), (2000, 4000), (4000, 8000))
    rates, quefrencies, block, block_hop = 8, 15, 32, 8

    def __init__(self, resolutions: Sequence[Resolution] = RESOLUTIONS) -> None:
        super().__init__()
        self.resolutions = tuple(resolutions)
        self.spectrograms = nn.ModuleList(Spectrogram(*resolution) for resolution in self.resolutions)
        rates = torch.fft.fftfreq(self.block) * self.block
        rates = rates[: self.block // 2 + 1].abs()
        hann_time = torch.hann_window(self.block, periodic=False)
        time_angle = 2 * math.pi * torch.outer(torch.arange(self.block).float(), rates) / self.block
        time = torch.cat([time_angle.cos(), time_angle.sin()], dim=1) * hann_time[:, None]
        self.register_buffer("time", time, persistent=False)
        self.register_buffer("group_rates", _groups(self.block // 2, self.rates), persistent=False)
        self.sizes: list[list[int]] = []
        for r, (n_fft, _, highest) in enumerate(self.resolutions):
            self.sizes.append([])
            for b, (low, high) in enumerate(self.bands):
                if high > highest:
                    break
                width = round((high - low) * n_fft / SAMPLE_RATE)
                q = torch.arange(width // 2 + 1).float()
                angle = 2 * math.pi * torch.outer(q, torch.arange(width).float()) / width
                hann = torch.hann_window(width, periodic=False)
                frequency = torch.cat([angle.cos(), angle.sin()]) * hann
                self.register_buffer(f"frequency_{r}_{b}", frequency, persistent=False)
                groups = _groups(width // 2, self.quefrencies)
                self.register_buffer(f"group_{r}_{b}", groups, persistent=False)
                self.sizes[r].append(groups.shape[0] * self.rates)

    @property
    def size(self) -> int:
        """Number of features."""
        return sum(map(sum, self.sizes))

    def columns(self, view: str) -> tuple[int, int]:
        """The first of a view's features and the one after the last."""
        first, last = VIEWS[view]
        start = sum(map(sum, self.sizes[:first]))
        return start, start + sum(map(sum, self.sizes[first:last]))

    def telephone_features(self) -> Tensor:
        """Which features lie in the bands that a telephone leaves, boolean (size,)."""
        sizes = [(self.bands[b][1], size) for row in self.sizes for b, size in enumerate(row)]
        return torch.cat([torch.full((size,), high <= TELEPHONE_HZ) for high, size in sizes])

    def forward(self, waveform: Tensor) -> Tensor:
        waveform = unit_rms(waveform)
        features = []
        for r, spectrogram in enumerate(self.spectrograms):
            magnitude, energy = spectrogram(waveform)
            log = log_magnitude(magnitude, energy, 0.003)
            blocks = (magnitude.shape[1] - self.block) // self.block_hop + 1
            runs = blocks - 1 + self.block // self.block_hop
            index = torch.arange(blocks)[:, None] + torch.arange(self.block // self.block_hop)
            log = log[:, : runs * self.block_hop]
            energy = (
                energy[:, : runs * self.block_hop].reshape(-1, runs, self.block_hop).mean(dim=2)[:, index].mean(dim=2)
            )
            loud = (energy > energy.amax(dim=1, keepdim=True) * 10**-2.5).float()
            share = loud / loud.sum(dim=1, keepdim=True)
            for b, (low, high) in enumerate(self.bands[: len(self.sizes[r])]):
                first, last = (round(edge * self.resolutions[r].n_fft / SAMPLE_RATE) for edge in (low, high))
                power = self._band(log[:, :, first:last], index, share, self.get_buffer(f"frequency_{r}_{b}"))
                grouped = self.get_buffer(f"group_{r}_{b}") @ power @ self.get_buffer("group_rates").T
                features.append(grouped.flatten(1))
        return (torch.cat(features, dim=1) + 1e-3).log()

    def _band(self, log: Tensor, index: Tensor, share: Tensor, frequency: Tensor) -> Tensor:
        """Modulation power (N, quefrencies, rates) of one band (N, frames, bins), averaged over blocks by `share`."""
        time = self.get_buffer("time")
        runs, blocks = log.shape[1] // self.block_hop, len(index)
        mean = log.mean(dim=2).reshape(-1, runs, self.block_hop).mean(dim=2)[:, index].mean(dim=2)
        size = frequency.shape[0]
        along = (log @ frequency.T).reshape(-1, runs, self.block_hop * size)[:, index]
        spectrum = time.T @ along.reshape(-1, blocks, self.block, size)
        spectrum = spectrum - mean[:, :, None, None] * torch.outer(time.sum(dim=0), frequency.sum(dim=1))
        power = share[:, None] @ (spectrum * spectrum).flatten(2)
        power = power.reshape(-1, time.shape[1], size)
        quefrencies, rates = size // 2, time.shape[1] // 2
        power = power[:, :, :quefrencies] + power[:, :, quefrencies:]
        return (power[:, :rates] + power[:, rates:]).transpose(1, 2)


def _groups(highest: int, groups: int) -> Tensor:
    """Averaging matrix (groups or fewer, highest + 1) over roughly logarithmic groups of 1..highest, 0 left out."""
    edges = torch.logspace(0, math.log10(highest + 1), groups + 1).round().long()
    edges = torch.maximum(edges, torch.arange(1, groups + 2))
    edges = torch.tensor(sorted(set(edges.clamp(max=highest + 1).tolist())))
    matrix = torch.zeros(len(edges) - 1, highest + 1)
    for g, (start, stop) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        matrix[g, start:stop] = 1 / (stop - start)
    return matrix
