"""Spectral front ends as plain matrix products, so that an exported graph starts at the waveform."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

SAMPLE_RATE = 16000
TELEPHONE_HZ = 4000


class Resolution(NamedTuple):
    """A short-time Fourier transform, in samples, the highest frequency that is read from it, in Hz, and the frames
    from one block to the next."""

    n_fft: int
    hop: int
    highest: int = 8000
    block_hop: int = 8


# Long windows are dear, and what they show above 4 kHz told nothing more. Blocks of short frames are many enough to be
# averaged at half the density.
RESOLUTIONS = (
    Resolution(512, 160),
    Resolution(1024, 160, 4000),
    Resolution(256, 80, block_hop=16),
    Resolution(128, 32, block_hop=16),
    Resolution(448, 140),
    Resolution(896, 140, 4000),
    Resolution(384, 120, 4000),
    Resolution(768, 120, 4000),
)
# Which of them: speech as it is and as if it were played at seven eighths of its speed, both with the finest
# resolution; the finest alone; and speech at three speeds, the last three quarters, without it.
VIEWS: Mapping[str, tuple[int, ...]] = {
    "normal": (0, 1, 2, 3),
    "slowed": (3, 4, 5),
    "fine": (3,),
    "speeds": (0, 1, 2, 4, 5, 6, 7),
}


class Spectrogram(nn.Module):
    """Short-time Fourier transform by Hann: waveform (N, T) to magnitude (N, bins, frames), energy (N, frames).

    Frames are not padded. Bins from `highest` Hz on are left out of the magnitude; the energy is the mean square over
    all bins, taken from the waveform (Parseval).
    """

    def __init__(self, n_fft: int, hop: int, highest: int = SAMPLE_RATE // 2) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        self.bins = 2 * (highest * n_fft // SAMPLE_RATE // 2)
        window = torch.hann_window(n_fft)
        self.register_buffer("window", window, persistent=False)
        hops = -(-n_fft // hop)
        squares = nn.functional.pad(window.square(), (0, hops * hop - n_fft)).reshape(hops, hop).T
        self.register_buffer("squares", squares * (n_fft / (n_fft + 2)), persistent=False)
        n = torch.arange(n_fft // 4, dtype=torch.float64) - (n_fft - 1) / 2
        for name, bins in (("even", torch.arange(0, self.bins, 2)), ("odd", torch.arange(1, self.bins, 2))):
            angle = 2 * math.pi * torch.outer(bins.double(), n) / n_fft
            self.register_buffer(f"{name}_cos", angle.cos().float(), persistent=False)
            self.register_buffer(f"{name}_sin", angle.sin().float(), persistent=False)
        self.register_buffer("mirrored", torch.arange(n_fft // 2 - 1, n_fft // 4 - 1, -1), persistent=False)

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        frames = (waveform.shape[-1] - self.n_fft) // self.hop + 1
        power = self.as_products(waveform, frames) if torch.onnx.is_in_onnx_export() else self._fft(waveform)
        return power.sqrt(), self._energy(waveform, frames)

    def _energy(self, waveform: Tensor, frames: int) -> Tensor:
        squares = self._hops(waveform * waveform, frames) @ self.get_buffer("squares")
        return torch.stack([squares[:, j : j + frames, j] for j in range(squares.shape[2])]).sum(dim=0) + 1e-12

    def _fft(self, waveform: Tensor) -> Tensor:
        window = self.get_buffer("window")
        spectrum = torch.stft(waveform, self.n_fft, self.hop, window=window, center=False, return_complex=True)
        spectrum = spectrum[:, : self.bins]
        return spectrum.real.square() + spectrum.imag.square()

    def _hops(self, waveform: Tensor, frames: int) -> Tensor:
        """The waveform cut at every hop (N, hops, hop), as far as frames reach."""
        hops = frames - 1 + self.get_buffer("squares").shape[1]
        missing = hops * self.hop - waveform.shape[-1]
        waveform = nn.functional.pad(waveform, (0, missing)) if missing > 0 else waveform[:, : hops * self.hop]
        return waveform.reshape(-1, hops, self.hop)

    def as_products(self, waveform: Tensor, frames: int) -> Tensor:
        """The power spectrum (N, bins, frames) without an FFT: what is exported.

        One step of decimation in frequency (even bins are the transform of the sum of a frame's halves, odd ones of
        their difference), and real and imaginary parts from a half's sum and difference with its mirror image, the
        phase being counted from the frame's middle: a quarter of the products.
        """
        step, half, quarter = self._hops(waveform, frames).transpose(1, 2), self.n_fft // 2, self.n_fft // 4
        framed = torch.cat([step[:, :, j : j + frames] for j in range(self.get_buffer("squares").shape[1])], dim=1)
        framed = framed[:, : self.n_fft] * self.get_buffer("window")[:, None]
        first, second = framed[:, :half], framed[:, half:]
        parts = []
        for name, both in (("even", first + second), ("odd", first - second)):
            part, mirror = both[:, :quarter], both[:, self.get_buffer("mirrored")]
            same, other = ("cos", "sin") if name == "even" else ("sin", "cos")
            real = self.get_buffer(f"{name}_{same}") @ (part + mirror)
            imaginary = self.get_buffer(f"{name}_{other}") @ (part - mirror)
            parts.append(real * real + imaginary * imaginary)
        return torch.stack(parts, dim=2).reshape(-1, self.bins, frames)


def unit_rms(waveform: Tensor) -> Tensor:
    """Scale every clip (N, T) to unit RMS; silence stays silence."""
    return waveform / (waveform.square().mean(dim=1, keepdim=True).sqrt() + 1e-5)


def log_magnitude(magnitude: Tensor, energy: Tensor, floor: float) -> Tensor:
    """Logarithm over a floor relative to the clip's RMS magnitude, so that level and faint noise say little."""
    rms = energy.mean(dim=1).sqrt()
    return (magnitude + floor * rms[:, None, None] + 1e-7).log()


class ModulationSpectrum(nn.Module):
    """Joint modulation spectrum of the log spectrogram; waveform (N, T) to features (N, size).

    Per resolution and band, blocks of 32 frames within 25 dB of the loudest block get a 2-D Hann window and a 2-D
    Fourier power spectrum, which is grouped to `rates` modulation rates by `quefrencies` quefrency groups, averaged
    over blocks and logged: how finely speech is textured in time and frequency, whatever is said by whom. A block's
    mean reaches but one group, the lowest rate and quefrency, as the windows are periodic; that group is left out.
    After the modulation spectrum of Atlas and Shamma (2003).
    """

    bands = ((0, 2000), (2000, 4000), (4000, 8000))
    rates, quefrencies, block = 8, 15, 32

    def __init__(self, resolutions: Sequence[Resolution] = RESOLUTIONS) -> None:
        super().__init__()
        self.resolutions = tuple(resolutions)
        self.spectrograms = nn.ModuleList(Spectrogram(*resolution[:3]) for resolution in self.resolutions)
        rates = torch.arange(1, self.block // 2 + 1).float()
        hann_time = torch.hann_window(self.block)
        time_angle = 2 * math.pi * torch.outer(torch.arange(self.block).float(), rates) / self.block
        time = torch.cat([time_angle.cos(), time_angle.sin()], dim=1) * hann_time[:, None]
        self.register_buffer("time", time, persistent=False)
        self.register_buffer("group_rates", _groups(self.block // 2, self.rates), persistent=False)
        self.sizes: list[list[int]] = []
        for r, (n_fft, _, highest, _) in enumerate(self.resolutions):
            self.sizes.append([])
            for b, (low, high) in enumerate(self.bands):
                if high > highest:
                    break
                width = round((high - low) * n_fft / SAMPLE_RATE)
                q = torch.arange(1, width // 2 + 1).float()
                angle = 2 * math.pi * torch.outer(q, torch.arange(width).float()) / width
                hann = torch.hann_window(width)
                frequency = torch.cat([angle.cos(), angle.sin()]) * hann
                self.register_buffer(f"frequency_{r}_{b}", frequency, persistent=False)
                groups = _groups(width // 2, self.quefrencies)
                self.register_buffer(f"group_{r}_{b}", groups, persistent=False)
                self.sizes[r].append(groups.shape[0] * self.rates - 1)

    @property
    def size(self) -> int:
        """Number of features."""
        return sum(map(sum, self.sizes))

    def columns(self, view: str, highest: int = SAMPLE_RATE // 2) -> Tensor:
        """Where the features of a view are, those of bands up to `highest` Hz, (features,)."""
        places = [(r, b) for r, row in enumerate(self.sizes) for b in range(len(row))]
        ends = itertools.accumulate(self.sizes[r][b] for r, b in places)
        return torch.cat(
            [
                torch.arange(end - self.sizes[r][b], end)
                for (r, b), end in zip(places, ends, strict=True)
                if r in VIEWS[view] and self.bands[b][1] <= highest
            ]
        )

    def forward(self, waveform: Tensor) -> Tensor:
        waveform = unit_rms(waveform)
        features = []
        for r, spectrogram in enumerate(self.spectrograms):
            magnitude, energy = spectrogram(waveform)
            log = log_magnitude(magnitude, energy, 0.003)
            n_fft, _, _, hop = self.resolutions[r]
            blocks = (magnitude.shape[2] - self.block) // hop + 1
            index = torch.arange(blocks)[:, None] + torch.arange(self.block // hop)
            runs = blocks - 1 + self.block // hop
            energy = energy[:, : runs * hop].reshape(-1, runs, hop).mean(dim=2)[:, index].mean(dim=2)
            loud = (energy > energy.amax(dim=1, keepdim=True) * 10**-2.5).float()
            share = loud / loud.sum(dim=1, keepdim=True)
            for b, (low, high) in enumerate(self.bands[: len(self.sizes[r])]):
                first, last = (round(edge * n_fft / SAMPLE_RATE) for edge in (low, high))
                band = log[:, first:last, : runs * hop].transpose(1, 2)
                power = self._band(band, index, share, self.get_buffer(f"frequency_{r}_{b}"))
                grouped = self.get_buffer(f"group_{r}_{b}") @ power @ self.get_buffer("group_rates").T
                features.append(grouped.flatten(1)[:, 1:])
        return (torch.cat(features, dim=1) + 1e-3).log()

    def _band(self, log: Tensor, index: Tensor, share: Tensor, frequency: Tensor) -> Tensor:
        """Modulation power (N, quefrencies, rates) of one band (N, frames, bins), averaged over blocks by `share`."""
        time = self.get_buffer("time")
        runs, size = int(index[-1, -1]) + 1, frequency.shape[0]
        along = (log @ frequency.T).reshape(-1, runs, log.shape[1] // runs * size)[:, index]
        spectrum = time.T @ along.reshape(-1, len(index), self.block, size)
        power = share[:, None] @ (spectrum * spectrum).flatten(2)
        power = power.reshape(-1, self.block, size)
        power = power[:, :, : size // 2] + power[:, :, size // 2 :]
        return (power[:, : self.block // 2] + power[:, self.block // 2 :]).transpose(1, 2)


def _groups(highest: int, groups: int) -> Tensor:
    """Averaging matrix (groups or fewer, highest + 1) over roughly logarithmic groups of 1..highest, 0 left out."""
    edges = torch.logspace(0, math.log10(highest + 1), groups + 1).round().long()
    edges = torch.maximum(edges, torch.arange(1, groups + 2))
    edges = torch.tensor(sorted(set(edges.clamp(max=highest + 1).tolist())))
    matrix = torch.zeros(len(edges) - 1, highest)
    for g, (start, stop) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        matrix[g, start - 1 : stop - 1] = 1 / (stop - start)
    return matrix
