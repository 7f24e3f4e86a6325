"""What the world does to speech before it reaches a detector; applied to genuine and fake clips alike.

Every function takes and returns mono float32 at 16 kHz, shape (T,), and draws from the given generator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass
from scipy.signal import fftconvolve, lfilter

from training.audio.codecs import G711, TELEPHONE, WIDEBAND, transcode
from training.audio.waveforms import SAMPLE_RATE, Waveform, levelled
from training.common.recipe import STRICT

Rng = np.random.Generator
Companion = Callable[[Rng], Waveform]
Music = Callable[[int, Rng], Waveform]
"""So many samples of unit RMS."""


def _rms(x: NDArray[np.floating[Any]]) -> float:
    return float(np.sqrt(np.mean(np.square(x)))) + 1e-9


def unit(x: NDArray[np.floating[Any]]) -> Waveform:
    """At unit RMS; silence stays silence."""
    return np.asarray(x / _rms(x), dtype=np.float32)


def shape_spectrum(x: Waveform, gain: Callable[[np.ndarray], np.ndarray]) -> Waveform:
    """Multiply the spectrum by `gain(frequency in Hz)`."""
    spectrum = np.fft.rfft(x)
    spectrum *= gain(np.fft.rfftfreq(x.size, 1 / SAMPLE_RATE))
    return np.fft.irfft(spectrum, x.size).astype(np.float32)


def low_pass(x: Waveform, cutoff: float, width: float = 300.0) -> Waveform:
    """Low-pass with a raised-cosine edge `width` Hz wide."""
    return shape_spectrum(x, lambda f: 0.5 + 0.5 * np.cos(np.pi * np.clip((f - cutoff) / width, 0, 1)))


def telephone_band(x: Waveform, rng: Rng) -> Waveform:
    """Band-pass of a telephone line, about 300 to 3400 Hz."""
    low, high = rng.uniform(150, 350), rng.uniform(3200, 3700)
    return shape_spectrum(x, lambda f: 1 / (1 + (low / np.maximum(f, 1)) ** 8) / (1 + (f / high) ** 24))


def equalize(x: Waveform, rng: Rng) -> Waveform:
    """A smooth random response, within about 8 dB either way, drawn at points along the frequency axis."""
    points = np.sort(rng.uniform(0, 8000, 6))
    decibels = rng.normal(0, 4, 6).clip(-8, 8)
    return shape_spectrum(x, lambda f: 10 ** (np.interp(f, points, decibels) / 20))


def noise(samples: int, rng: Rng) -> Waveform:
    """Unit-RMS coloured noise (slope 0 to -2 in power per octave terms), sometimes with hum or slow swells."""
    spectrum = np.fft.rfft(rng.standard_normal(samples).astype(np.float32))
    f = np.maximum(np.fft.rfftfreq(samples, 1 / SAMPLE_RATE), 30)
    spectrum *= f ** (-rng.uniform(0, 1.1))
    x = np.fft.irfft(spectrum, samples)
    x /= _rms(x)
    t = np.arange(samples) / SAMPLE_RATE
    if rng.random() < 0.2:
        base = rng.choice([50.0, 60.0])
        x += sum(rng.uniform(0, 0.8) * np.sin(2 * np.pi * base * k * t + rng.uniform(0, 6.3)) for k in range(1, 6))
    if rng.random() < 0.4:
        x *= 1 + 0.8 * np.sin(2 * np.pi * rng.uniform(0.2, 3) * t + rng.uniform(0, 6.3))
    return unit(x)


def babble(samples: int, rng: Rng, companion: Companion) -> Waveform:
    """Unit-RMS mixture of three to six other clips."""
    voices = [np.roll(np.resize(companion(rng), samples), rng.integers(samples)) for _ in range(rng.integers(3, 7))]
    x = np.sum([v / _rms(v) * rng.uniform(0.5, 1) for v in voices], axis=0)
    return unit(x)


def add_noise(x: Waveform, rng: Rng, snr_db: float, companion: Companion | None = None) -> Waveform:
    """Add noise, or babble in a quarter of cases when there are companions, at a signal-to-noise ratio."""
    other = babble(x.size, rng, companion) if companion and rng.random() < 0.25 else noise(x.size, rng)
    return mix(x, other, snr_db)


def mix(x: Waveform, other: Waveform, snr_db: float) -> Waveform:
    """Add something of unit RMS at a signal-to-noise ratio."""
    return (x + other * np.float32(_rms(x) * 10 ** (-snr_db / 20))).astype(np.float32)


def music(samples: int, rng: Rng) -> Waveform:
    """Unit-RMS synthetic music: a tune over chords of a random key on strings of a random colour, plucked or held, with
    a bass and sometimes drums."""
    beat = int(SAMPLE_RATE / rng.uniform(1.5, 5))
    t, x = np.arange(beat) / SAMPLE_RATE, np.zeros(samples + beat)
    tonic, slope, decay = rng.uniform(80, 200), rng.uniform(0.5, 2), rng.choice([0.5, 4.0, 12.0])
    scale = rng.choice([[0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 10]])
    loudness, drums = rng.uniform(0.2, 1, 3), rng.random() < 0.6
    for number, start in enumerate(range(0, samples, beat)):
        if number % 4 == 0:
            degree = rng.integers(7)
            chord = [scale[(degree + step) % 7] for step in (0, 2, 4)]
        notes = [chord[0] - 12, 12 + rng.choice(scale), *chord]
        for semitones, level in zip(notes, loudness[[0, 1, 2, 2, 2]], strict=True):
            pitch = tonic * 2 ** (semitones / 12)
            k = np.arange(1, max(2, min(14, int(7500 / pitch))))[:, None]
            partials = np.sin(2 * np.pi * pitch * k * t + rng.uniform(0, 6.3, k.shape)) / k**slope
            x[start : start + beat] += level * partials.sum(0) * np.exp(-decay * t) * np.minimum(1, t / 0.01)
        if drums:
            struck = rng.standard_normal(beat) if number % 2 else 3 * np.sin(2 * np.pi * 60 * t)
            x[start : start + beat] += rng.uniform(0.2, 1) * struck * np.exp(-20 * t)
    return unit(x[:samples])


def impulse_response(rng: Rng, reverberation_seconds: float | None = None) -> Waveform:
    """A synthetic room: direct sound, sparse early reflections, exponentially decaying coloured tail."""
    t60 = reverberation_seconds or rng.uniform(0.12, 0.9)
    n = int(min(t60, 0.7) * SAMPLE_RATE)
    decay = np.exp(-6.9 * np.arange(n) / (t60 * SAMPLE_RATE))
    tail = rng.standard_normal(n) * decay
    tail = lfilter([1 - (pole := rng.uniform(0.1, 0.7))], [1, -pole], tail)
    tail[: int(rng.uniform(0.001, 0.02) * SAMPLE_RATE)] = 0
    for at in rng.integers(16, max(17, min(n, 800)), rng.integers(3, 9)):
        tail[at] += rng.normal(0, 2.0) * decay[at]
    ratio_db = rng.uniform(-3, 14)
    tail *= 10 ** (-ratio_db / 20) / (np.sqrt(np.sum(tail**2)) + 1e-9)
    tail[0] = 1.0
    return np.asarray(tail, dtype=np.float32)


def reverberate(x: Waveform, rng: Rng, reverberation_seconds: float | None = None) -> Waveform:
    """Convolve with a random room and keep the length."""
    return np.asarray(fftconvolve(x, impulse_response(rng, reverberation_seconds))[: x.size], dtype=np.float32)


def clip(x: Waveform, rng: Rng) -> Waveform:
    """Hard or soft clipping of the loudest 0.1 to 5 percent of samples."""
    level = float(np.quantile(np.abs(x), 1 - 10 ** rng.uniform(-3, -1.3))) + 1e-6
    if rng.random() < 0.5:
        return np.clip(x, -level, level)
    return np.asarray(level * np.tanh(x / level), dtype=np.float32)


def convolutive_distortion(x: Waveform, rng: Rng) -> Waveform:
    """Linear and non-linear convolutive noise, after RawBoost (Tak et al. 2022), with random notch filters."""
    out = np.zeros_like(x)
    for order in range(1, rng.integers(2, 6)):
        centre, width = rng.uniform(20, 8000), rng.uniform(100, 1000)
        depth = 10 ** (-rng.uniform(5, 20) / 20)
        notched = shape_spectrum(
            np.sign(x) * np.abs(x) ** order if order > 1 else x,
            lambda f, c=centre, w=width, d=depth: 1 - (1 - d) * (np.abs(f - c) < w / 2),  # type: ignore[misc]
        )
        out += notched * np.float32(10 ** (-(order - 1) * rng.uniform(5, 20) / 20))
    return out


def impulsive_noise(x: Waveform, rng: Rng) -> Waveform:
    """Signal-dependent impulses on up to 5 percent of samples, after RawBoost (Tak et al. 2022)."""
    hit = rng.random(x.size) < rng.uniform(0.001, 0.05)
    return (x + hit * x * rng.uniform(-1, 1, x.size) * rng.uniform(0.2, 1)).astype(np.float32)


def crop(x: Waveform, rng: Rng) -> Waveform:
    """A random part, half of the clip at least: the same voice, measured on other sounds."""
    samples = max(1, int(x.size * rng.uniform(0.5, 1.0)))
    start = int(rng.integers(x.size - samples + 1))
    return x[start : start + samples]


def change_speed(x: Waveform, factor: float) -> Waveform:
    """Play faster (factor > 1) or slower: pitch and length change together."""
    spectrum = np.fft.rfft(x)
    samples = max(1, round(x.size / factor))
    bins = samples // 2 + 1
    resized = np.zeros(bins, spectrum.dtype)
    keep = min(bins, spectrum.size)
    resized[:keep] = spectrum[:keep]
    return (np.fft.irfft(resized, samples) * (samples / x.size)).astype(np.float32)


def telephone(x: Waveform, rng: Rng) -> Waveform:
    """Telephone band and a random narrow-band codec."""
    banded = telephone_band(x, rng) if rng.random() < 0.6 else x
    return transcode(banded, TELEPHONE[rng.integers(len(TELEPHONE))])


def landline(x: Waveform, rng: Rng) -> Waveform:
    """Telephone band and G.711, as a line without a mobile at its end."""
    return transcode(telephone_band(x, rng), G711[rng.integers(len(G711))])


@dataclass(frozen=True, config=STRICT)
class Chain:
    """Probabilities of each step of `degrade`, in its order."""

    crop: float = 0.0
    speed: float = 0.0
    convolutive: float = 0.0
    reverberation: float = 0.0
    equalizer: float = 0.0
    noise: float = 0.0
    music: float = 0.0
    impulses: float = 0.0
    clipping: float = 0.0
    low_pass: float = 0.0
    landline: float = 0.0
    telephone: float = 0.0
    wideband_codec: float = 0.0
    again: float = 0.0
    snr_db: tuple[float, float] = (3.0, 30.0)


RANDOM = Chain(
    speed=0.3,
    convolutive=0.2,
    reverberation=0.35,
    equalizer=0.3,
    noise=0.5,
    impulses=0.1,
    clipping=0.12,
    low_pass=0.2,
    telephone=0.3,
    wideband_codec=0.4,
)
"""A little of everything."""


def degrade(x: Waveform, rng: Rng, chain: Chain, companion: Companion | None = None, band: Music = music) -> Waveform:
    """A random chain as a recording meets it: room, microphone, noise, level, then band and codec, sometimes one more
    codec `again`; peak 0.7."""
    if rng.random() < chain.crop:
        x = crop(x, rng)
    if rng.random() < chain.speed:
        x = change_speed(x, rng.uniform(0.85, 1.18))
    if rng.random() < chain.convolutive:
        x = convolutive_distortion(x, rng)
    if rng.random() < chain.reverberation:
        x = reverberate(x, rng)
    if rng.random() < chain.equalizer:
        x = equalize(x, rng)
    if rng.random() < chain.noise:
        x = add_noise(x, rng, rng.uniform(*chain.snr_db), companion)
    if chain.music and rng.random() < chain.music:
        x = mix(x, band(x.size, rng), rng.uniform(*chain.snr_db))
    if rng.random() < chain.impulses:
        x = impulsive_noise(x, rng)
    if rng.random() < chain.clipping:
        x = clip(x, rng)
    if rng.random() < chain.low_pass:
        x = low_pass(x, float(np.exp(rng.uniform(np.log(2500), np.log(7500)))), rng.uniform(50, 1500))
    x = x * np.float32(10 ** (rng.uniform(-25, 0) / 20) / (np.abs(x).max() + 1e-9))
    return levelled(_carried(x, rng, chain))


def _carried(x: Waveform, rng: Rng, chain: Chain) -> Waveform:
    if chain.landline and rng.random() < chain.landline:
        x = landline(x, rng)
    elif rng.random() < chain.telephone:
        x = telephone(x, rng)
    elif rng.random() < chain.wideband_codec / (1 - chain.telephone):
        x = transcode(x, WIDEBAND[rng.integers(len(WIDEBAND))])
    if chain.again and rng.random() < chain.again:
        x = transcode(x, WIDEBAND[rng.integers(len(WIDEBAND))])
    return x
