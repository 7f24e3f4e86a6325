"""Spectral front ends as plain matrix products, so that an exported graph starts at the waveform."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

SAMPLE_RATE = 16000


class Spectrogram(nn.Module):
    """Magnitude of a Hann-windowed short-time Fourier transform; waveform (N, T) to (N, frames, n_fft/2+1).

    Frames are not padded.
    """

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        half = n_fft // 2
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        n = torch.arange(half, dtype=torch.float64)
        for name, bins in (("even", torch.arange(0, half + 1, 2)), ("odd", torch.arange(1, half, 2))):
            angle = 2 * math.pi * torch.outer(n, bins.double()) / n_fft
            self.register_buffer(name, torch.cat([angle.cos(), angle.sin()], dim=1).float(), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        if torch.onnx.is_in_onnx_export():
            return self.as_products(waveform)
        window = self.get_buffer("window")
        spectrum = torch.stft(waveform, self.n_fft, self.hop, window=window, center=False, return_complex=True)
        return (spectrum.real.square() + spectrum.imag.square() + 1e-12).sqrt().transpose(1, 2)

    def as_products(self, waveform: Tensor) -> Tensor:
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
        pairs = torch.stack([even[:, :, :-1], odd], dim=3).reshape(-1, frames, half)
        return (torch.cat([pairs, even[:, :, -1:]], dim=2) + 1e-12).sqrt()


def _power(spectrum: Tensor) -> Tensor:
    """Power (N, frames, bins) of real and imaginary parts one after the other, (N, frames, 2 bins)."""
    square = spectrum * spectrum
    bins = square.shape[2] // 2
    return square[:, :, :bins] + square[:, :, bins:]


def unit_rms(waveform: Tensor) -> Tensor:
    """Scale every clip (N, T) to unit RMS; silence stays silence."""
    return waveform / (waveform.square().mean(dim=1, keepdim=True).sqrt() + 1e-5)


def log_magnitude(magnitude: Tensor, floor: float | Tensor) -> Tensor:
    """Logarithm over a floor relative to the clip's RMS magnitude, so that level and faint noise say little."""
    rms = (magnitude * magnitude).mean(dim=(1, 2), keepdim=True).sqrt()
    return (magnitude + floor * rms + 1e-7).log()


class ModulationSpectrum(nn.Module):
    """Joint modulation spectrum of the log spectrogram; waveform (N, T) to features (N, size).

    Per resolution and band, blocks of 32 frames (hop 8) within 25 dB of the loudest block lose their mean,
    get a 2-D Hann window and a 2-D Fourier power spectrum, which is grouped to `rates` modulation rates by
    `quefrencies` quefrency groups, averaged over blocks and logged: how finely speech is textured in time
    and frequency, whatever is said by whom. After the modulation spectrum of Atlas and Shamma (2003).
    """

    resolutions = ((512, 160), (1024, 160), (256, 80))
    bands = ((0, 2000), (2000, 4000), (4000, 8000))
    rates, quefrencies, block, block_hop = 8, 15, 32, 8

    def __init__(self) -> None:
        super().__init__()
        self.spectrograms = nn.ModuleList(Spectrogram(n, h) for n, h in self.resolutions)
        rates = torch.fft.fftfreq(self.block) * self.block
        rates = rates[: self.block // 2 + 1].abs()
        hann_time = torch.hann_window(self.block, periodic=False)
        time_angle = 2 * math.pi * torch.outer(torch.arange(self.block).float(), rates) / self.block
        time = torch.cat([time_angle.cos(), time_angle.sin()], dim=1) * hann_time[:, None]
        self.register_buffer("time", time, persistent=False)
        self.register_buffer("group_rates", _groups(self.block // 2, self.rates), persistent=False)
        self.sizes = []
        for r, (n_fft, _) in enumerate(self.resolutions):
            for b, (low, high) in enumerate(self.bands):
                width = round((high - low) * n_fft / SAMPLE_RATE)
                q = torch.arange(width // 2 + 1).float()
                angle = 2 * math.pi * torch.outer(q, torch.arange(width).float()) / width
                hann = torch.hann_window(width, periodic=False)
                frequency = torch.cat([angle.cos(), angle.sin()]) * hann
                self.register_buffer(f"frequency_{r}_{b}", frequency, persistent=False)
                groups = _groups(width // 2, self.quefrencies)
                self.register_buffer(f"group_{r}_{b}", groups, persistent=False)
                self.sizes.append(groups.shape[0] * self.rates)

    @property
    def size(self) -> int:
        """Number of features."""
        return sum(self.sizes)

    def forward(self, waveform: Tensor) -> Tensor:
        waveform = unit_rms(waveform)
        features = []
        for r, spectrogram in enumerate(self.spectrograms):
            magnitude = spectrogram(waveform)
            log = log_magnitude(magnitude, 0.003)
            blocks = (magnitude.shape[1] - self.block) // self.block_hop + 1
            runs = blocks - 1 + self.block // self.block_hop
            index = torch.arange(blocks)[:, None] + torch.arange(self.block // self.block_hop)
            log = log[:, : runs * self.block_hop]
            energy = (magnitude * magnitude).sum(dim=2)[:, : runs * self.block_hop]
            energy = energy.reshape(-1, runs, self.block_hop).mean(dim=2)[:, index].mean(dim=2)
            loud = (energy > energy.amax(dim=1, keepdim=True) * 10**-2.5).float()
            share = loud / loud.sum(dim=1, keepdim=True)
            for b, (low, high) in enumerate(self.bands):
                first = round(low * self.resolutions[r][0] / SAMPLE_RATE)
                last = round(high * self.resolutions[r][0] / SAMPLE_RATE)
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
