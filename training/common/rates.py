"""How often files are called, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from sg_common.verdict import Policy

from training.common.manifest import Sample
from training.common.metrics import Interval, bootstrap

Flags = npt.NDArray[np.bool_]

POLICIES: Mapping[Policy, float] = {"low_false_alarm": 0.035, "balanced": 0.1, "high_recall": 0.2}
"""For each policy the share of genuine files that its threshold may call fake where it is chosen. The default's is
under the promised 0.05, since unseen sources are called more often than those that a threshold was set on."""


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
