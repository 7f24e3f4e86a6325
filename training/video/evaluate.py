"""Every figure of a bundle's card, from the judgements of clips by members that never saw them.

The nested figures call each clip at an operating point chosen on clips of other folds, so neither the members nor the
thresholds ever met the clip's source or method. Those at the shipped thresholds, which were chosen on all of these
clips, stand beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from sg_common.bundle.calibration import Calibration, FaceCalibration

from training.common.cards import Row, percent, table
from training.common.manifest import Sample
from training.common.metrics import Interval, auc, expected_calibration_error, rank_correlation, rate_at
from training.common.rates import by_clip, by_source
from training.video.operating import (
    Called,
    ClipScores,
    Conditions,
    OperatingPoint,
    nested_points,
    source_weights,
)
from training.video.rates import nested, parts_of, pooled
from training.video.recompress import AS_FOUND

SHORTCUTS = {
    "frames per second": "fps",
    "shorter side": "height",
    "size of the face": "face_px",
    "bit rate of the origin": "src_kbps",
}
PAIRED = ("dfl_original", "faceswap_dfm")
FEWEST_CLIPS = 10
"""Kinds of clips with fewer have no row of their own."""


def share_judged(scores: ClipScores, label: int) -> float:
    offered = sum(s.label == label for s in scores.offered)
    return float((scores.labels == label).sum() / offered)


def condition_table(calls: Mapping[str, Called]) -> str:
    """Rates of every condition."""
    rows: list[Row] = []
    for name, made in calls.items():
        genuine, alarms, cleared = parts_of(made, 0)
        fakes, found, missed = parts_of(made, 1)
        rows.append(
            (
                name,
                f"{percent(share_judged(made.scores, 0))} / {percent(share_judged(made.scores, 1))}",
                made.scores.interval(auc),
                percent(by_clip(alarms, genuine)),
                percent(by_source(alarms, genuine)),
                percent(by_clip(found, fakes)),
                percent(float(cleared.mean())),
                percent(float(missed.mean())),
            )
        )
    header = (
        "condition", "judged, real / fake", "AUC", "genuine called fake", "the same, sources evened", "fakes called",
        "genuine cleared", "fakes cleared",
    )  # fmt: skip
    return table(header, rows)


def flattered_table(calls: Mapping[str, Called]) -> str:
    """Rates at the shipped thresholds, which were chosen on these very clips."""
    rows: list[Row] = []
    for name, made in calls.items():
        genuine, alarms, cleared = parts_of(made, 0)
        _, found, missed = parts_of(made, 1)
        rates = (alarms.mean(), by_source(alarms, genuine).value, found.mean(), cleared.mean(), missed.mean())
        rows.append((name, *(percent(float(rate)) for rate in rates)))
    header = (
        "condition", "genuine called fake", "the same, sources evened", "fakes called", "genuine cleared",
        "fakes cleared",
    )  # fmt: skip
    return table(header, rows)


def shares(
    calls: Mapping[str, Called], label: int, member: Callable[[Sample], bool]
) -> tuple[int, int, tuple[str, str]]:
    """Of one label's clips that pass a test: how many as found, of how many sources, and the shares called fake, as
    found and over all conditions."""
    found, every = (pooled(chosen, label, member) for chosen in ([calls[AS_FOUND]], list(calls.values())))
    rates = percent(by_clip(*found)), percent(by_clip(*every))
    return len(found[1]), len({s.source for s in found[1]}), rates


def camera_table(calls: Mapping[str, Called]) -> str:
    """False alarms of every kind of camera with enough clips."""
    genuine = calls[AS_FOUND].scores.of(0).samples
    counts = Counter(s.fields["camera"] for s in genuine if s.fields.get("camera"))
    rows: list[Row] = []
    for camera in sorted(camera for camera, count in counts.items() if count >= FEWEST_CLIPS):
        clips, sources, rates = shares(calls, 0, lambda s, c=camera: s.fields.get("camera") == c)  # type: ignore[misc]
        rows.append((camera, clips, sources, *rates))
    return table(("camera", "clips", "sources", "called fake as found", "over all conditions"), rows)


def family_table(calls: Mapping[str, Called]) -> str:
    """AUC of every family of fakes against all genuine clips, and its rates."""
    scores = calls[AS_FOUND].scores
    counts = Counter(s.family for s in scores.of(1).samples)
    rows: list[Row] = []
    for family in sorted(family for family, count in counts.items() if count >= FEWEST_CLIPS):
        part = scores.where(lambda s, f=family: s.label == 0 or s.family == f)  # type: ignore[misc]
        clips, methods, rates = shares(calls, 1, lambda s, f=family: s.family == f)  # type: ignore[misc]
        rows.append((family, clips, methods, part.interval(auc), *rates))
    return table(("family", "clips", "methods", "AUC as found", "called fake as found", "over all conditions"), rows)


def size_table(calls: Mapping[str, Called], bins: int = 4) -> str:
    """Rates over all conditions by the size of the face that was judged, in quarters of the clips."""
    sizes = np.concatenate([made.scores.face_pixels for made in calls.values()])
    labels = np.concatenate([made.scores.labels for made in calls.values()])
    logits = np.concatenate([made.scores.logits for made in calls.values()])
    fake = np.concatenate([made.fake for made in calls.values()])
    edges = [0.0, *np.quantile(sizes, np.linspace(0, 1, bins + 1)[1:-1]), float("inf")]
    rows: list[Row] = []
    for low, high in pairwise(edges):
        rows_in = (sizes >= low) & (sizes < high)
        genuine, fakes = (fake[rows_in & (labels == label)] for label in (0, 1))
        name = f"{low:.0f} to {high:.0f}" if high < np.inf else f"{low:.0f} and more"
        rows.append(
            (
                name,
                f"{genuine.size} / {fakes.size}",
                auc(logits[rows_in], labels[rows_in]),
                percent(rate_at(genuine, 1)),
                percent(rate_at(fakes, 1)),
            )
        )
    return table(("face, pixels", "judgements real / fake", "AUC", "genuine called fake", "fakes called"), rows)


def fold_table(calls: Mapping[str, Called], points: Mapping[int, OperatingPoint]) -> str:
    """Each fold, judged at the operating point of the others: as found, and over all conditions."""
    rows: list[Row] = []
    for fold in points:
        own = calls[AS_FOUND].scores.where(lambda s, k=fold: s.fold == k)  # type: ignore[misc]
        rates = [
            percent(float(pooled(chosen, label, lambda s, k=fold: s.fold == k)[0].mean()))  # type: ignore[misc]
            for label in (0, 1)
            for chosen in ([calls[AS_FOUND]], list(calls.values()))
        ]
        rows.append((fold, f"{(own.labels == 0).sum()} / {own.labels.sum()}", auc(own.logits, own.labels), *rates))
    header = (
        "fold", "clips real / fake", "AUC as found", "genuine called fake as found", "over all conditions",
        "fakes called as found", "over all conditions",
    )  # fmt: skip
    return table(header, rows)


def shortcut_table(scores: ClipScores, measured: Mapping[str, Mapping[Path, float]]) -> str:
    """What tells the labels apart without looking at a face, and how far the detector's logits follow it."""
    stated = {
        name: {s.path: float(s.fields[column]) for s in scores.samples if s.fields.get(column)}
        for name, column in SHORTCUTS.items()
    }
    rows: list[Row] = []
    for name, values_of in {**stated, **measured}.items():
        known = scores.where(lambda s, v=values_of: s.path in v)  # type: ignore[misc]
        if not known.samples:
            continue
        values = np.array([values_of[s.path] for s in known.samples])
        alone = auc(values, known.labels)
        genuine = known.labels == 0
        rows.append((name, max(alone, 1 - alone), rank_correlation(values[genuine], known.logits[genuine])))
    return table(("known of the clip", "AUC of it alone", "rank correlation with genuine clips' logits"), rows)


def pairs_text(scores: ClipScores) -> str:
    """In how many swaps that were made from a genuine clip's own video the swap scores higher; empty without any."""
    genuine, swaps = (
        {
            s.fields.get("source_path", ""): x
            for s, x in zip(scores.samples, scores.logits, strict=True)
            if s.source == n
        }
        for n in PAIRED
    )
    both = sorted(genuine.keys() & swaps.keys() - {""})
    if not both:
        return ""
    higher = sum(bool(swaps[path] > genuine[path]) for path in both)
    return (
        f"Of {len(both)} genuine videos of actors and face swaps on the same videos the swap scores higher in {higher}."
    )


def at_shipped(scores: ClipScores, calibration: FaceCalibration) -> Called:
    """What the bundle's own calibration and thresholds make of clips."""
    scores = replace(scores, logits=calibration.without_size(scores.logits, scores.face_pixels))
    probabilities, thresholds = calibration.probability(scores.logits), calibration.thresholds
    fake, authentic = probabilities >= thresholds.likely_deepfake, probabilities < thresholds.likely_authentic
    return Called(scores, np.asarray(fake), np.asarray(authentic))


def calibration_error(calls: Mapping[str, Called], points: Mapping[int, OperatingPoint]) -> float:
    """Expected calibration error of the nested probabilities over all conditions, sources evened, even odds."""
    probabilities, labels, weights = [], [], []
    for scores in (made.scores for made in calls.values()):
        each = [points[s.fold].calibration.probability(x) for s, x in zip(scores.samples, scores.logits, strict=True)]
        probabilities += [float(p) for p in each]
        labels += scores.labels.tolist()
        weights += source_weights(scores.samples).tolist()
    return expected_calibration_error(probabilities, labels, weights)


def policy_table(calibration: Calibration) -> str:
    """The bundle's operating points and what each is worth."""
    rows: list[Row] = []
    for policy, point in calibration.operating_points.items():
        alarms = Interval(point.false_alarm_rate, *point.false_alarm_interval)
        rows.append(
            (policy, point.likely_authentic, point.likely_deepfake, percent(alarms), percent(point.detection_rate))
        )
    header = ("policy", "authentic under", "fake from", "genuine called fake", "fakes called")
    return table(header, rows)


def figures(conditions: Conditions, shipped: FaceCalibration, measured: Mapping[str, Mapping[Path, float]]) -> str:
    """All tables of the card, as Markdown; ``measured`` of clips, by name, may be shortcuts."""
    points = nested_points(conditions)
    calls = nested(conditions, points)
    flattered = {name: at_shipped(scores, shipped) for name, scores in conditions.items()}
    offered = conditions[AS_FOUND].offered
    counts = [(sum(s.label == v for s in offered), len({s.source for s in offered if s.label == v})) for v in (0, 1)]
    error = calibration_error(calls, points)
    parts = [
        f"{counts[0][0]} genuine clips of {counts[0][1]} sources and {counts[1][0]} fakes of {counts[1][1]} methods, "
        "each judged by a member that never saw its source or method.",
        "### Called at thresholds that never met the clip's fold", condition_table(calls),
        f"Expected calibration error over all conditions (sources evened, even odds): {error:.3f}.",
        "### Policies: rates as found, at thresholds that never met the clip's fold", policy_table(shipped),
        "### The same clips at the shipped thresholds (flattered: chosen on these clips)", flattered_table(flattered),
        "### False alarms by camera", camera_table(calls),
        "### By size of the face, all conditions", size_table(calls),
        "### Families of fakes", family_table(calls),
        "### Folds", fold_table(calls, points),
        "### Shortcuts, clips as found", shortcut_table(calls[AS_FOUND].scores, measured),
        pairs_text(calls[AS_FOUND].scores),
    ]  # fmt: skip
    return "\n\n".join(filter(None, parts))
