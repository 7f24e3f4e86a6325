"""How often clips are called fake, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from training.common.manifest import Sample
from training.common.metrics import Interval, bootstrap
from training.video.operating import Called, Conditions, OperatingPoint, called

Flags = npt.NDArray[np.bool_]


def by_clip(flags: Flags, samples: Sequence[Sample]) -> Interval:
    """Share of flagged clips, with its bootstrap interval over sources."""
    return bootstrap(_share, flags, np.zeros(len(flags)), groups=[s.source for s in samples])


def by_source(flags: Flags, samples: Sequence[Sample]) -> Interval:
    """Mean over sources of their share of flagged clips, with its bootstrap interval over sources."""
    sources = np.unique([s.source for s in samples], return_inverse=True)[1]
    shares = np.bincount(sources, flags) / np.bincount(sources)
    return bootstrap(_share, shares, np.zeros(len(shares)))


def _share(values: npt.NDArray[np.float64], _labels: object) -> float:
    return float(values.mean())


def parts_of(made: Called, label: int) -> tuple[tuple[Sample, ...], Flags, Flags]:
    """Samples of one label, and which of them were called fake and authentic."""
    rows = made.scores.labels == label
    samples = tuple(s for s in made.scores.samples if s.label == label)
    return samples, made.fake[rows], made.authentic[rows]


def nested(conditions: Conditions, points: Mapping[int, OperatingPoint]) -> dict[str, Called]:
    """The calls of every condition, each clip's at the point of its fold."""
    return {name: called(scores, [points[s.fold] for s in scores.samples]) for name, scores in conditions.items()}


def pooled(calls: Sequence[Called], label: int, member: Callable[[Sample], bool]) -> tuple[Flags, list[Sample]]:
    """Which samples of one label that pass a test were called fake, of several conditions, and these samples."""
    samples, flags = [], []
    for made in calls:
        for sample, fake in zip(*parts_of(made, label)[:2], strict=True):
            if member(sample):
                samples.append(sample)
                flags.append(bool(fake))
    return np.array(flags, np.bool_), samples
