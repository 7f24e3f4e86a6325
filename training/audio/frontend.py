"""Spectral front ends as plain matrix products, so that an exported graph starts at the waveform."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

SAMPLE_RATE = 16000


class Spectrogram(nn.Module):
    """Magnitude of a Hann-windowed short-time Fourier transform; waveform (N, T) to (N, n_fft/2+1, frames).

    Frames are not padded. The even and odd parts of a windowed frame go through the cosine and the sine
    matrix of half length, which halves the work of a plain matrix DFT.
    """

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        half = n_fft // 2
        n = torch.arange(half + 1, dtype=torch.float64)
        angle = 2 * math.pi * torch.outer(n, n) / n_fft
        window = 0.5 - 0.5 * torch.cos(2 * math.pi * n / n_fft)
        mirror = window.clone()
        mirror[0] = mirror[half] = 0
        self.register_buffer("window", window.float(), persistent=False)
        self.register_buffer("mirror", mirror.float(), persistent=False)
        self.register_buffer("cosine", angle.cos().float(), persistent=False)
        self.register_buffer("sine", angle.sin().float(), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        if torch.onnx.is_in_onnx_export():
            return self.as_products(waveform)
        hann = torch.hann_window(self.n_fft)
        spectrum = torch.stft(waveform, self.n_fft, self.hop, window=hann, center=False, return_complex=True)
        return (spectrum.real.square() + spectrum.imag.square() + 1e-12).sqrt()

    def as_products(self, waveform: Tensor) -> Tensor:
        """The same without an FFT: what is exported."""
        window, mirror = self.get_buffer("window"), self.get_buffer("mirror")
        frames = (waveform.shape[-1] - self.n_fft) // self.hop + 1
        n = torch.arange(self.n_fft // 2 + 1)
        start = torch.arange(frames)[:, None] * self.hop
        rising = waveform[:, start + n] * window
        falling = waveform[:, start + (self.n_fft - n).clamp(max=self.n_fft - 1)] * mirror
        real = (rising + falling) @ self.get_buffer("cosine")
        imaginary = (rising - falling) @ self.get_buffer("sine")
        return (real.square() + imaginary.square() + 1e-12).sqrt().transpose(1, 2)


def unit_rms(waveform: Tensor) -> Tensor:
    """Scale every clip (N, T) to unit RMS; silence stays silence."""
    return waveform / (waveform.square().mean(dim=1, keepdim=True).sqrt() + 1e-5)


def log_magnitude(magnitude: Tensor, floor: float | Tensor) -> Tensor:
    """Logarithm over a floor relative to the clip's RMS magnitude, so that level and faint noise say little."""
    rms = magnitude.square().mean(dim=(1, 2), keepdim=True).sqrt()
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
            blocks = (magnitude.shape[2] - self.block) // self.block_hop + 1
            index = torch.arange(blocks)[:, None] * self.block_hop + torch.arange(self.block)
            energy = magnitude.square().sum(dim=1)[:, index].mean(dim=2)
            loud = (energy > energy.amax(dim=1, keepdim=True) * 10**-2.5).float()
            share = loud / loud.sum(dim=1, keepdim=True)
            for b, (low, high) in enumerate(self.bands):
                first = round(low * self.resolutions[r][0] / SAMPLE_RATE)
                last = round(high * self.resolutions[r][0] / SAMPLE_RATE)
                power = self._power(log[:, first:last], index, share, self.get_buffer(f"frequency_{r}_{b}"))
                grouped = self.get_buffer(f"group_{r}_{b}") @ power @ self.get_buffer("group_rates").T
                features.append(grouped.flatten(1))
        return (torch.cat(features, dim=1) + 1e-3).log()

    def _power(self, log: Tensor, index: Tensor, share: Tensor, frequency: Tensor) -> Tensor:
        """Modulation power (N, quefrencies, rates) of one band (N, bins, frames), averaged over blocks by `share`."""
        time = self.get_buffer("time")
        mean = log.mean(dim=1)[:, index].mean(dim=2)[:, None, :, None]
        spectrum = (frequency @ log)[:, :, index] @ time
        spectrum = spectrum - mean * (frequency.sum(dim=1)[:, None, None] * time.sum(dim=0))
        power = (spectrum.square() * share[:, None, :, None]).sum(dim=2)
        quefrencies, rates = frequency.shape[0] // 2, time.shape[1] // 2
        power = power[:, :quefrencies] + power[:, quefrencies:]
        return power[:, :, :rates] + power[:, :, rates:]


def _groups(highest: int, groups: int) -> Tensor:
    """Averaging matrix (groups or fewer, highest + 1) over roughly logarithmic groups of 1..highest, 0 left out."""
    edges = torch.logspace(0, math.log10(highest + 1), groups + 1).round().long()
    edges = torch.maximum(edges, torch.arange(1, groups + 2))
    edges = torch.tensor(sorted(set(edges.clamp(max=highest + 1).tolist())))
    matrix = torch.zeros(len(edges) - 1, highest + 1)
    for g, (start, stop) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        matrix[g, start:stop] = 1 / (stop - start)
    return matrix
