"""Held-out logits of samples, and what is told of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from training.common.manifest import Sample
from training.common.metrics import Interval, bootstrap

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Samples with their logits (N,), each of members that never saw it; arrays of subclasses are (N, ...) too."""

    samples: tuple[Sample, ...]
    logits: Array

    @property
    def labels(self) -> NDArray[np.int64]:
        """1 for fake, (N,)."""
        return np.asarray([s.label for s in self.samples], np.int64)

    @property
    def folds(self) -> NDArray[np.int64]:
        """The fold of each sample, (N,)."""
        return np.asarray([s.fold for s in self.samples], np.int64)

    @property
    def sources(self) -> list[str]:
        """Generator or recording source of each sample."""
        return [s.source for s in self.samples]

    @property
    def genuine(self) -> Array:
        """Logits of the genuine samples."""
        return np.asarray(self.logits[self.labels == 0])

    @property
    def fake(self) -> Array:
        """Logits of the fakes."""
        return np.asarray(self.logits[self.labels == 1])

    def where(self, keep: Callable[[Sample], bool]) -> Self:
        """The samples that pass a test."""
        return self.at(np.asarray([i for i, s in enumerate(self.samples) if keep(s)], np.int64))

    def at(self, rows: NDArray[np.int64]) -> Self:
        """The samples of the given rows."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "samples"}
        chosen = {name: value[rows] for name, value in arrays.items() if isinstance(value, np.ndarray)}
        return replace(self, samples=tuple(self.samples[i] for i in rows.tolist()), **chosen)

    def interval(self, figure: Callable[[Array, NDArray[np.int64]], float]) -> Interval:
        """A figure with its bootstrap interval over sources and generators."""
        return bootstrap(figure, self.logits, self.labels, groups=self.sources)


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
