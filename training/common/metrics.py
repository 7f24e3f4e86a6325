"""Measures of a detector: higher scores mean "fake", labels are 1 for fake and 0 for genuine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A figure with its bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def auc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Area under the ROC curve, ties counted half; NaN when a class is missing. Shapes (N,)."""
    s, y = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=bool)
    fake, real = s[y], np.sort(s[~y])
    if not fake.size or not real.size:
        return float("nan")
    below = np.searchsorted(real, fake, side="left")
    upto = np.searchsorted(real, fake, side="right")
    return float((below + upto).mean() / (2 * real.size))


def mean_fold_auc(scores: ArrayLike, labels: ArrayLike, folds: ArrayLike) -> float:
    """AUC within each fold, averaged: members of different folds are never compared. Shapes (N,)."""
    s, y, f = np.asarray(scores), np.asarray(labels), np.asarray(folds)
    return float(np.mean([auc(s[f == fold], y[f == fold]) for fold in np.unique(f)]))


def eer(scores: ArrayLike, labels: ArrayLike) -> float:
    """Equal error rate, linearly interpolated between operating points; NaN when a class is missing."""
    s, y = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=bool)
    if not y.any() or y.all():
        return float("nan")
    thresholds, last = np.unique(s[np.argsort(-s, kind="stable")], return_index=True)
    del last
    thresholds = np.concatenate([[np.inf], thresholds[::-1]])
    real, fake = np.sort(s[~y]), np.sort(s[y])
    false_alarm = 1 - np.searchsorted(real, thresholds, side="left") / real.size
    miss = np.searchsorted(fake, thresholds, side="left") / fake.size
    gap = false_alarm - miss
    i = int(np.argmax(gap >= 0))
    if i == 0:
        return float((false_alarm[0] + miss[0]) / 2)
    step = gap[i] - gap[i - 1]
    t = -gap[i - 1] / step if step else 0.0
    return float(false_alarm[i - 1] + t * (false_alarm[i] - false_alarm[i - 1]))


def rank_correlation(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rank correlation, ties at their mean rank; NaN where one does not vary. Shapes (N,)."""
    ranks = []
    for values in (np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)):
        ordered = np.sort(values)
        ranks.append(np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right"))
    if any(rank.std() == 0 for rank in ranks):
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def rate_at(scores: ArrayLike, threshold: float) -> float:
    """Share of scores at or above the threshold; NaN for none."""
    s = np.asarray(scores, dtype=np.float64)
    return float((s >= threshold).mean()) if s.size else float("nan")


def paired_accuracy(genuine: ArrayLike, copies: ArrayLike) -> float:
    """Share of pairs in which the copy scores above the genuine file it was made from (ties half).

    Source, speaker, text and room are the same on both sides, so a bias towards any of them cannot help.
    """
    difference = np.asarray(copies, dtype=np.float64) - np.asarray(genuine, dtype=np.float64)
    return float((np.sign(difference) / 2 + 0.5).mean()) if difference.size else float("nan")


def expected_calibration_error(
    probabilities: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None, bins: int = 10
) -> float:
    """Expected calibration error over equal-width bins (Guo et al. 2017), optionally weighted. Shapes (N,)."""
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    w = np.ones_like(p) if weights is None else np.asarray(weights, dtype=np.float64)
    index = np.minimum((p * bins).astype(int), bins - 1)
    gaps = np.bincount(index, w * (p - y), minlength=bins)
    return float(np.abs(gaps).sum() / w.sum())


def bootstrap(
    figure: Callable[[Array, NDArray[np.int64]], float],
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    groups: Sequence[str] | None = None,
    repeats: int = 300,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """A figure with its percentile bootstrap interval.

    With `groups` (one name per sample: its generator or recording source) whole groups are drawn, since
    clips of one source err together; the interval then says how the figure varies with the sources.
    Drawing is within each label.
    """
    s, y = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    names = np.arange(s.size) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    groupings = [_Grouping(np.flatnonzero(y == v), names) for v in (0, 1) if (y == v).any()]
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(repeats):
        drawn = np.concatenate([g.draw(rng) for g in groupings])
        values.append(figure(s[drawn], y[drawn]))
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return Interval(figure(s, y), float(low), float(high))


class _Grouping:
    """Samples of one label in the order of their groups, to draw whole groups from."""

    def __init__(self, rows: NDArray[np.int64], names: NDArray[np.int64]) -> None:
        self.rows = rows[np.argsort(names[rows], kind="stable")]
        _, self.starts, self.sizes = np.unique(names[self.rows], return_index=True, return_counts=True)

    def draw(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """As many groups as there are, with replacement; the indices of their samples."""
        chosen = rng.integers(0, len(self.starts), len(self.starts))
        sizes = self.sizes[chosen]
        ends = np.cumsum(sizes)
        within = np.arange(ends[-1]) + np.repeat(self.starts[chosen] - (ends - sizes), sizes)
        drawn: NDArray[np.int64] = self.rows[within]
        return drawn
