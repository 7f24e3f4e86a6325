"""Clips with their logits under every condition, and the operating point that is chosen on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
from sg_common.bundle.calibration import FaceSize, PlattScaling
from sg_common.verdict import DECIMALS, DEFAULT_POLICY

from training.common.calibration import fit, threshold_for_false_alarm
from training.common.manifest import Sample, sampling_weights
from training.common.rates import POLICIES
from training.common.scores import Array, Scores
from training.video.clips import Judged
from training.video.recompress import AS_FOUND, SHRUNK

MISSES = 0.05
"""Share of the fakes that may be called authentic where the threshold is chosen, over all conditions: compression hides
fakes and genuine clips alike, and a share kept in the worst condition would clear nobody."""
OUTER = 0.01
"""Share of the clips with the smallest faces, and with the largest, that are too few to tell what their size does."""


@dataclass(frozen=True)
class ClipScores(Scores):
    """Clips that could be judged under one condition, with logits and mean face sizes in pixels, [N] each.

    ``offered`` are all clips that were tried, judged or not.
    """

    face_pixels: Array
    offered: tuple[Sample, ...]

    def where(self, keep: Callable[[Sample], bool]) -> Self:
        """The scores of some samples."""
        return replace(super().where(keep), offered=tuple(filter(keep, self.offered)))

    def of(self, label: int) -> Self:
        """The genuine (0) or the fake (1) clips."""
        return self.where(lambda s: s.label == label)

    def without(self, sizes: Sequence[FaceSize]) -> Self:
        """The scores with what the size of the face puts into each logit taken out, clip by clip."""
        each = zip(sizes, self.logits, self.face_pixels, strict=True)
        return replace(self, logits=np.array([size.without(logit, pixels) for size, logit, pixels in each], np.float64))


Conditions = Mapping[str, ClipScores]


def judged(found: Mapping[str, Judged]) -> dict[str, ClipScores]:
    """The scores of the clips that had enough evidence for a verdict, under each condition."""
    scores = {}
    for condition, clips in found.items():
        kept = [(s, j.logit, j.face_pixels) for s, j in clips if j.full]
        logits, sizes = np.array([k[1] for k in kept], np.float64), np.array([k[2] for k in kept], np.float64)
        scores[condition] = ClipScores(tuple(k[0] for k in kept), logits, sizes, tuple(s for s, _ in clips))
    return scores


def source_weights(samples: Sequence[Sample]) -> Array:
    """Weights with which every source of a label counts the same, and both labels the same; mean 1, shape (N,)."""
    return np.array(sampling_weights(samples, damping=1.0)) * len(samples)


def size_effect(conditions: Conditions) -> FaceSize:
    """What the size of a face alone puts into its logit: least squares over clips judged as found and shrunk.

    A face is compared with itself, so what large faces of the corpus have in common besides (cameras, methods, labels)
    does not count. Sources are evened, both labels alike. Where no clip was judged at two sizes the slope is 0.
    """
    rows = {s.path: i for i, s in enumerate(conditions[AS_FOUND].samples)}
    after = conditions[SHRUNK].where(lambda s: s.path in rows)
    before = conditions[AS_FOUND].at(np.array([rows[s.path] for s in after.samples], np.int64))
    steps, rises = np.log(after.face_pixels / before.face_pixels), after.logits - before.logits
    weighed = source_weights(after.samples) * steps
    slope = float((weighed * rises).sum() / (weighed * steps).sum()) if steps.any() else 0.0
    pixels = np.concatenate([scores.face_pixels for scores in conditions.values()])
    smallest, largest = np.round(np.quantile(pixels, [OUTER, 1 - OUTER]))
    return FaceSize(slope=round(slope, 4), smallest=float(smallest), largest=float(largest))


@dataclass(frozen=True)
class OperatingPoint:
    """Calibration and thresholds: a clip is called fake from the logit `deepfake` on, authentic under `authentic`.

    These logits are without what `face_size` takes out.
    """

    face_size: FaceSize
    calibration: PlattScaling
    authentic: float
    deepfake: float

    def probabilities(self) -> tuple[float, float]:
        """The thresholds as probabilities, of which no clip that rounds to one is on its wrong side."""
        step = 10.0**-DECIMALS
        low, high = self.calibration.probability([self.authentic, self.deepfake])
        low, high = np.round(np.clip([low, high + step], step, 1 - step), DECIMALS)
        return float(low), float(high)


def choose(
    conditions: Conditions, false_alarms: float = POLICIES[DEFAULT_POLICY], misses: float = MISSES
) -> OperatingPoint:
    """The operating point that keeps its promises by clip and with sources evened.

    What the size of the face puts into logits is taken out first. Probabilities are Platt's, fitted on all conditions
    with sources evened and both labels alike. Under each condition at most ``false_alarms`` of the genuine clips are
    called fake; over all at most ``misses`` of the fakes authentic.
    """
    size = size_effect(conditions)
    parts = [scores.without([size] * len(scores.samples)) for scores in conditions.values()]
    alarms = []
    for genuine in (scores.of(0) for scores in parts):
        alarms.append(threshold_for_false_alarm(genuine.logits, false_alarms))
        alarms.append(threshold_for_false_alarm(genuine.logits, false_alarms, source_weights(genuine.samples)))
    fakes = [scores.of(1) for scores in parts]
    low, evened = np.concatenate([-s.logits for s in fakes]), np.concatenate([source_weights(s.samples) for s in fakes])
    cleared = (-threshold_for_false_alarm(low, misses), -threshold_for_false_alarm(low, misses, evened))
    platt = fit(
        np.concatenate([s.logits for s in parts]),
        np.concatenate([s.labels for s in parts]),
        np.concatenate([source_weights(s.samples) for s in parts]),
    )
    deepfake = max(alarms)
    return OperatingPoint(size, platt, min(*cleared, deepfake), deepfake)


@dataclass(frozen=True)
class Called:
    """Judged clips, their logits as an operating point reads them, and what it made of them: ``fake`` and
    ``authentic``, bool [N]."""

    scores: ClipScores
    fake: npt.NDArray[np.bool_]
    authentic: npt.NDArray[np.bool_]


def called(scores: ClipScores, points: Sequence[OperatingPoint]) -> Called:
    """The calls on clips, each at its own operating point."""
    scores = scores.without([p.face_size for p in points])
    fake = scores.logits >= [p.deepfake for p in points]
    authentic = scores.logits < [p.authentic for p in points]
    return Called(scores, np.asarray(fake), np.asarray(authentic))


def nested_points(conditions: Conditions, false_alarms: float = POLICIES[DEFAULT_POLICY]) -> dict[int, OperatingPoint]:
    """For each fold the operating point chosen on the clips that are neither of it nor `also_held_out` with it."""
    folds = {s.fold for scores in conditions.values() for s in scores.offered}

    def others(fold: int) -> dict[str, ClipScores]:
        def unmet(sample: Sample) -> bool:
            return sample.fold != fold and fold not in sample.also_held_out

        return {name: scores.where(unmet) for name, scores in conditions.items()}

    return {fold: choose(others(fold), false_alarms) for fold in sorted(folds)}
