"""Which clips are called fake."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from training.common.manifest import Sample
from training.common.rates import Flags
from training.video.operating import Called, Conditions, OperatingPoint, called


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
