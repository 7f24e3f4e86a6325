"""Simple detectors on the same folds, for comparison, and probes of what gives the labels away by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.audio.frontend import ModulationSpectrum, Resolution
from training.audio.waveforms import SAMPLE_RATE, Waveform, repeat_to
from training.audio.whisper import ShallowEncoder
from training.common.content import key_of
from training.common.manifest import Sample, sampling_weights, split
from training.common.regression import logistic_regression

Features = NDArray[np.float64]


def power_spectrogram(x: Waveform, n_fft: int = 512, hop: int = 160) -> Features:
    """Power of Hann-windowed frames, (frames, n_fft/2+1)."""
    frames = np.lib.stride_tricks.sliding_window_view(x, n_fft)[::hop] * np.hanning(n_fft)
    return np.asarray(np.abs(np.fft.rfft(frames)) ** 2 + 1e-10, dtype=np.float64)


def log_mel_statistics(x: Waveform, power: Features) -> Features:
    """Mean and deviation over time of 40 log-mel bands, (80,)."""
    del x
    mel = 2595 * np.log10(1 + np.fft.rfftfreq(512, 1 / SAMPLE_RATE) / 700)
    edges = np.linspace(0, mel[-1], 42)
    filters = np.stack(
        [
            np.clip(np.minimum((mel - a) / (b - a), (c - mel) / (c - b)), 0, None)
            for a, b, c in zip(edges, edges[1:], edges[2:], strict=False)
        ]
    )
    bands = np.log(power @ filters.T + 1e-8)
    return np.concatenate([bands.mean(axis=0), bands.std(axis=0)])


def bandwidth(x: Waveform, power: Features) -> Features:
    """Frequencies below which 95, 99 and 99.9 percent of the energy lie, log, (3,)."""
    del x
    share = np.cumsum(power.sum(axis=0))
    share /= share[-1]
    return np.log([np.searchsorted(share, p) + 1.0 for p in (0.95, 0.99, 0.999)])


def loudness(x: Waveform, power: Features) -> Features:
    """RMS and crest factor in decibels, (2,)."""
    del power
    rms = np.sqrt(np.mean(np.square(x, dtype=np.float64))) + 1e-9
    return np.log([rms, np.abs(x).max() / rms + 1e-9])


def silence(x: Waveform, power: Features) -> Features:
    """Levels of the quietest frames relative to the loudest, and the share of quiet frames, (4,)."""
    del x
    energy = np.log(power.sum(axis=1))
    energy -= energy.max()
    return np.concatenate([np.quantile(energy, [0.01, 0.05, 0.2]), [(energy < -6.9).mean()]])


def length(x: Waveform, power: Features) -> Features:
    """Seconds, (1,)."""
    del power
    return np.asarray([x.size / SAMPLE_RATE])


Rows = Callable[[Waveform, Features], Features]
SHORTCUTS: dict[str, Rows] = {
    "bandwidth alone": bandwidth,
    "loudness alone": loudness,
    "silence alone": silence,
    "length alone": length,
}


def detectors(whisper: ShallowEncoder | None) -> dict[str, Rows]:
    """Features of the simple detectors, each judged by a logistic regression."""
    front = ModulationSpectrum((Resolution(512, 160), Resolution(1024, 160), Resolution(256, 80)))

    def modulation(x: Waveform, power: Features) -> Features:
        del power
        with torch.no_grad():
            return np.asarray(front(torch.from_numpy(repeat_to(x))[None])[0].numpy(), dtype=np.float64)

    found: dict[str, Rows] = {"log-mel statistics": log_mel_statistics, "modulation spectrum": modulation}
    if whisper is not None:
        found["Whisper, layers 2 and 4"] = lambda x, power: whisper.describe(repeat_to(x), (2, 4))
    return found


def features(
    waveforms: Iterable[Waveform], functions: Mapping[str, Rows], folder: Path, key: str
) -> dict[str, Features]:
    """Features (N, size) by every function for N clips, kept in `folder`; `key` names the list of clips."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"simple_{key_of(name, key)}.npy" for name in functions}
    rows: dict[str, list[Features]] = {name: [] for name, path in paths.items() if not path.exists()}
    for x in waveforms if rows else ():
        power = power_spectrogram(x)
        for name, found in rows.items():
            found.append(functions[name](x, power))
    for name, found in rows.items():
        np.save(paths[name], np.stack(found))
    return {name: np.load(path) for name, path in paths.items()}


def held_out_logits(
    matrix: Features, samples: Sequence[Sample], left_out: Sequence[str], penalty: float = 1e-3
) -> Features:
    """Logistic regression on standardised features (N, size), each fold judged by one that never saw it, (N,).

    Sources weigh by the root of their size and both labels the same, as in the detector's training.
    Samples of `left_out` families are judged but not learned from.
    """
    logits = np.full(len(samples), np.nan)
    for fold in sorted({s.fold for s in samples}):
        train, held_out = split(samples, fold)
        train = [i for i in train if samples[i].family not in left_out]
        mean, scale = matrix[train].mean(axis=0), matrix[train].std(axis=0) + 1e-6
        x = np.clip((matrix - mean) / scale, -5, 5)
        labels = np.asarray([samples[i].label for i in train], np.int64)
        weights = np.asarray(sampling_weights([samples[i] for i in train])) * len(train)
        w, b = logistic_regression(x[train], labels, penalty, weights)
        logits[held_out] = x[held_out] @ w + b
    return logits
