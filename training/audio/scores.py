"""Held-out logits of the clips of a corpus, each by the members that never saw its fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.audio.conditions import treat
from training.audio.pool import CLIP_SECONDS
from training.audio.waveforms import read, repeat_to
from training.common.bundle import digest, session
from training.common.manifest import Sample
from training.common.paths import file_name

BATCH = 8


@dataclass(frozen=True)
class Scores:
    """Logits of some samples under one condition: `fold_logits` is (n, folds), `indices` tells which samples."""

    samples: Sequence[Sample]
    indices: NDArray[np.int64]
    fold_logits: NDArray[np.float32]

    @property
    def held_out(self) -> NDArray[np.float64]:
        """The logit of the members that never saw the sample's fold, (n,); of all where no member saw it."""
        folds = self.folds
        one = self.fold_logits[np.arange(len(folds)), np.maximum(folds, 0)]
        return np.where(folds < 0, self.fold_logits.mean(axis=1), one).astype(np.float64)

    @property
    def chosen(self) -> list[Sample]:
        """The scored samples, in order."""
        return [self.samples[i] for i in self.indices]

    @property
    def labels(self) -> NDArray[np.int64]:
        """1 for fake, (n,)."""
        return np.asarray([s.label for s in self.chosen], dtype=np.int64)

    @property
    def folds(self) -> NDArray[np.int64]:
        """The fold of each sample, (n,)."""
        return np.asarray([s.fold for s in self.chosen], dtype=np.int64)

    @property
    def sources(self) -> list[str]:
        """Generator or recording source of each sample."""
        return [s.source for s in self.chosen]

    def where(self, wanted: Callable[[Sample], bool]) -> Scores:
        """The samples that pass a test."""
        keep = np.asarray([wanted(s) for s in self.chosen], dtype=bool)
        return Scores(self.samples, self.indices[keep], self.fold_logits[keep])


def few_per_source(samples: Sequence[Sample], most: int) -> NDArray[np.int64]:
    """Indices of at most so many samples of every source, spread over its list."""
    sizes = Counter((s.label, s.source) for s in samples)
    seen: Counter[tuple[int, str]] = Counter()
    chosen = []
    for i, s in enumerate(samples):
        key = (s.label, s.source)
        step = max(1, sizes[key] // most)
        if seen[key] % step == 0 and seen[key] // step < most:
            chosen.append(i)
        seen[key] += 1
    return np.asarray(chosen, dtype=np.int64)


def score(
    model: Path,
    samples: Sequence[Sample],
    indices: NDArray[np.int64],
    condition: str,
    *,
    folder: Path,
    seed: int,
) -> Scores:
    """Run a bundle's graph on samples under a condition, or read what an earlier run kept in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{digest(model)[:12]}_{len(samples)}_{len(indices)}_{file_name(condition)}.npy"
    if path.exists():
        return Scores(samples, indices, np.load(path))
    graph = session(model)
    parts = []
    for start in range(0, len(indices), BATCH):
        batch = []
        for i in indices[start : start + BATCH]:
            s = samples[int(i)]
            batch.append(repeat_to(treat(read(s.path, CLIP_SECONDS), condition, seed, s.fields["path"])))
        parts.append(graph.run(["fold_logits"], {"waveform": np.stack(batch)})[0])
    logits = np.concatenate(parts).astype(np.float32)
    np.save(path, logits)
    return Scores(samples, indices, logits)
