"""Judge a bundle on the folds that its members never saw and write every figure of its card.

python -m training.video.evaluate --bundle models/video [--write]

The shipped graph gives each member's logits beside the detector's own; a crop is judged by the members whose
training saw neither its method nor its source. With --write the tables replace those in the bundle's card.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from training.common.bundle import session
from training.common.calibration import Calibration
from training.common.metrics import Interval, auc, bootstrap, expected_calibration_error, paired_accuracy, rate_at
from training.video.augment import video_like
from training.video.baseline import held_out_logits
from training.video.calibrate import FALSE_ALARMS, false_alarm_threshold
from training.video.conditions import degraded, every_third, half_size, jpeg
from training.video.corpus import LEFT_OUT_FAMILIES, Pixels
from training.video.export import as_input
from training.video.network import imagenet_weights
from training.video.prepare import Prepared, arguments, load_prepared
from training.video.scores import (
    Scores,
    genuine_clips,
    headline,
    held_out_scores,
    is_video,
    read_document,
    source_weights,
    tracks,
)

START, END = "<!-- figures:start -->", "<!-- figures:end -->"
PAIRED = ("dfl_original", "faceswap_dfm")
CALLED = ("real clips called fake", "fakes called fake")
Row = Sequence[object]


def table(header: Sequence[str], rows: Sequence[Row]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row) + " |" for row in rows]
    return "\n".join(lines)


def interval(s: Scores) -> Interval:
    """AUC with its bootstrap interval over sources and methods."""
    return bootstrap(auc, s.logits, s.labels, groups=s.sources)


def shares_called(clips: Scores, threshold: float) -> tuple[float, float]:
    """Shares of the genuine clips and of all fakes that are called fake."""
    return rate_at(genuine_clips(clips).logits, threshold), rate_at(clips.logits[clips.labels == 1], threshold)


def fold_table(frames: Scores, clips: Scores) -> str:
    """AUC per held-out fold, of frames and of clips."""
    rows: list[Row] = []
    for fold in [*sorted(set(frames.folds.tolist())), None]:
        f, c = (s.where(lambda x, k=fold: k is None or x.fold == k) for s in (frames, clips))  # type: ignore[misc]
        counts = f"{(c.labels == 0).sum()} / {(c.labels == 1).sum()}"
        rows.append(("all, pooled" if fold is None else fold, counts, interval(f), interval(c)))
    return table(("held-out fold", "clips real / fake", "AUC of frames", "AUC of clips"), rows)


def family_table(clips: Scores, threshold: float) -> str:
    """Every family of fakes against the genuine clips of its folds; where there are two experts, for each apart too."""
    rows: list[Row] = []
    apart = ("blend expert", "whole-face expert") if clips.experts.shape[1] > 1 else ()
    for family in sorted({s.family for s in clips.samples if s.label}):
        folds = {s.fold for s in clips.samples if s.label and s.family == family}
        part = clips.where(lambda s, f=family, k=folds: s.family == f if s.label else s.fold in k)  # type: ignore[misc]
        experts = [auc(part.experts[:, i], part.labels) for i in range(len(apart))]
        name = f"{family} (not in the headline)" if family in LEFT_OUT_FAMILIES else family
        called = rate_at(part.logits[part.labels == 1], threshold)
        rows.append((name, int(part.labels.sum()), interval(part), *experts, called))
    return table(("family", "clips", "AUC", *apart, "called fake"), rows)


def method_table(clips: Scores, threshold: float) -> str:
    """Every method with at least three clips against the genuine clips of its fold."""
    rows: list[Row] = []
    for method in sorted({s.source for s in clips.samples if s.label}):
        part = clips.where(lambda s, m=method: s.label == 0 or s.source == m)  # type: ignore[misc]
        fold = next(s.fold for s in part.samples if s.label)
        part = part.where(lambda s, k=fold: s.fold == k)  # type: ignore[misc]
        if part.labels.sum() >= 3:
            called = rate_at(part.logits[part.labels == 1], threshold)
            rows.append((method, int(part.labels.sum()), auc(part.logits, part.labels), called))
    return table(("method", "clips", "AUC", "called fake"), rows)


def sides(clips: Scores) -> list[Scores]:
    """The genuine clips with all fakes, and with those that are videos."""
    real = {s.path for s in genuine_clips(clips).samples}
    alike = clips.where(lambda s: s.label == 1 or s.path in real)
    return [alike, alike.where(lambda s: s.label == 0 or is_video(s))]


def size_matched(s: Scores, bins: int = 4) -> float:
    """Mean AUC within bins of face size, weighted by the fakes in each: size itself cannot help."""
    edges = np.quantile(s.face_pixels, np.linspace(0, 1, bins + 1)[1:-1])
    index = np.searchsorted(edges, s.face_pixels)
    values, weights = [], []
    for b in range(bins):
        y = s.labels[index == b]
        if y.any() and not y.all():
            values.append(auc(s.logits[index == b], y))
            weights.append(int(y.sum()))
    return float(np.average(values, weights=weights))


def size_correlation(s: Scores) -> float:
    """Spearman's rank correlation of genuine scores with the face's size."""
    genuine = s.labels == 0
    scores, sizes = (np.argsort(np.argsort(x[genuine])).astype(np.float64) for x in (s.logits, s.face_pixels))
    return float(np.corrcoef(scores, sizes)[0, 1])


def paired(frames: Scores) -> tuple[Interval, float, int] | None:
    """AUC and pair accuracy of swapped frames against the very frames they were made from."""
    names = {kind: {s.path.name: i for i, s in enumerate(frames.samples) if s.source == kind} for kind in PAIRED}
    common = sorted(set(names[PAIRED[0]]) & set(names[PAIRED[1]]))
    if not common:
        return None
    real, fake = ([names[kind][n] for n in common] for kind in PAIRED)
    part = frames.at(np.array([*real, *fake], np.int64))
    groups = [re.sub(r"_\d+\.\w+$", "", s.path.name) for s in part.samples]
    figure = bootstrap(auc, part.logits, part.labels, groups=groups)
    return figure, paired_accuracy(frames.logits[real], frames.logits[fake]), len(common)


def shares_over_zero(parts: Sequence[Scores]) -> list[float]:
    """Shares of the genuine clips and of the fakes that are over 0: of all, and with sources evened."""
    rates = []
    for chosen in ([genuine_clips(p) for p in parts], [p.where(lambda s: s.label == 1) for p in parts]):
        over = np.concatenate([part.logits >= 0 for part in chosen])
        samples = [sample for part in chosen for sample in part.samples]
        rates += [float(over.mean()), float(np.average(over, weights=source_weights(samples)))]
    return rates


def false_alarm_table(clips: Scores, held_out: Sequence[Sequence[int]]) -> str:
    """Rates at a threshold set on the genuine clips of the other members' folds: unseen sources on both sides."""
    rows: list[Row] = []
    parts: list[Scores] = []
    for folds in held_out:
        development = clips.where(lambda s, k=tuple(folds): s.fold not in k)  # type: ignore[misc]
        own = clips.where(lambda s, k=tuple(folds): s.fold in k)  # type: ignore[misc]
        if not (development.labels == 0).any():
            continue
        parts.append(replace(own, logits=own.logits - false_alarm_threshold(development, FALSE_ALARMS)))
        rows.append((f"folds {', '.join(map(str, folds))}", *shares_over_zero(parts[-1:])))
    if parts:
        rows.append(("all, each at its own threshold", *shares_over_zero(parts)))
    header = ("judged on", CALLED[0], "real, sources evened", CALLED[1], "fake, methods evened")
    return table(header, rows)


def condition_table(prepared: Prepared, bundle: Path, threshold: float) -> str:
    """AUC of clips and rates at the shipped threshold under compression and loss of size; a third of the crops."""
    conditions: dict[str, Callable[[Pixels, np.random.Generator], Pixels] | None] = {
        "as stored (JPEG 90)": None, "JPEG 60": jpeg(60), "JPEG 30": jpeg(30),
        "coarse, deblocked": video_like, "half the size": half_size,
    }  # fmt: skip
    rows: list[Row] = []
    third = every_third(prepared)
    for name, change in conditions.items():
        views = None if change is None else degraded(third.views, change)
        clips = tracks(headline(held_out_scores(third, bundle, "fp32", views)))
        rows.append((name, auc(clips.logits, clips.labels), *shares_called(clips, threshold)))
    return table(("condition", "AUC of clips", *CALLED), rows)


def milliseconds(bundle: Path, variant: str, prepared: Prepared) -> float:
    """Median CPU time of one crop."""
    graph = session(bundle / read_document(bundle)["variants"][variant]["file"])
    view, spent = as_input(prepared.views[:1]), []
    for _ in range(60):
        start = time.process_time()
        graph.run(None, {"faces": view})
        spent.append(time.process_time() - start)
    return float(np.median(spent) * 1e3)


def variant_table(prepared: Prepared, bundle: Path, fp32: Scores, threshold: float) -> str:
    """What each variant costs and loses; ``fp32`` are the held-out scores of that one."""
    rows: list[Row] = []
    for variant in read_document(bundle)["variants"]:
        scores = fp32 if variant == "fp32" else held_out_scores(prepared, bundle, variant)
        clips = tracks(headline(scores))
        cost = f"{milliseconds(bundle, variant, prepared):.1f}"
        rows.append((variant, auc(clips.logits, clips.labels), *shares_called(clips, threshold), cost))
    return table(("variant", "AUC of clips", *CALLED, "ms a crop"), rows)


def verdict_table(clips: Scores, calibration: Calibration, thresholds: dict[str, float]) -> str:
    """Share of each verdict among real and fake, videos and pictures, and the calibration error, on held-out clips."""
    p = calibration.probabilities(clips.logits)
    low, high = thresholds["likely_authentic"], thresholds["likely_deepfake"]
    video = np.array([is_video(s) for s in clips.samples])
    kinds = {
        "real clips": (clips.labels == 0) & video,
        "real photographs": (clips.labels == 0) & ~video,
        "fake clips": (clips.labels == 1) & video,
        "fake pictures": (clips.labels == 1) & ~video,
        "all fakes": clips.labels == 1,
    }
    rows: list[Row] = []
    for name, kind in kinds.items():
        if kind.any():
            fake, clear = rate_at(p[kind], high), 1 - rate_at(p[kind], low)
            rows.append((name, int(kind.sum()), clear, 1 - fake - clear, fake))
    error = expected_calibration_error(p, clips.labels, source_weights(clips.samples))
    return table(("held-out", "number", "likely authentic", "uncertain", "likely deepfake"), rows) + (
        f"\n\nExpected calibration error (sources evened, even odds): {error:.3f}."
    )


def figures(prepared: Prepared, bundle: Path) -> str:
    """All tables of the card, as Markdown."""
    calibration_of: dict[str, Any] = read_document(bundle)["calibration"]
    calibration = Calibration(calibration_of["temperature"], calibration_of["bias"])
    thresholds: dict[str, float] = calibration_of["thresholds"]
    high = thresholds["likely_deepfake"]
    threshold = float((np.log(high / (1 - high)) - calibration.bias) * calibration.temperature)
    every = held_out_scores(prepared, bundle)
    frames, clips = headline(every), tracks(headline(every))
    parts = ["### Methods and sources held out together", fold_table(frames, clips)]
    all_fakes, fake_clips = (interval(part) for part in sides(clips))
    parts.append(f"AUC of real clips against all fakes, and against fake clips alone: {all_fakes}, {fake_clips}.")
    parts.append(
        f"AUC within bins of face size (four, of clips): {size_matched(clips):.3f}. "
        f"Rank correlation of genuine clips' scores with face size: {size_correlation(clips):.2f}."
    )
    pair = paired(every)
    if pair:
        parts.append(
            f"Swapped frames against the frames they were made from ({pair[2]} pairs): AUC {pair[0]}, "
            f"the swap scores higher in {pair[1]:.1%} of pairs."
        )
    weights = imagenet_weights()
    if weights:
        logits = held_out_logits(prepared, frames, calibration_of["held_out_folds"], weights)
        base = replace(frames, logits=logits)
        pair = paired(base)
        parts.append(
            f"ImageNet features with logistic regression, same folds: AUC of frames {interval(base)}, "
            f"of clips {interval(tracks(base))}" + (f", of the pairs {pair[0]}." if pair else ".")
        )
    parts += [
        "### Verdicts at the shipped thresholds", verdict_table(clips, calibration, thresholds),
        "### Threshold set on other sources", false_alarm_table(clips, calibration_of["held_out_folds"]),
        "### Variants", variant_table(prepared, bundle, every, threshold),
        "### Compression and size (every third crop)", condition_table(prepared, bundle, threshold),
        "### Families", family_table(tracks(every), threshold),
        "### Methods with three clips or more", method_table(clips, threshold),
    ]  # fmt: skip
    return "\n\n".join(parts)


def write_figures(card: Path, text: str) -> None:
    """Replace what stands between the markers in a card."""
    before, rest = card.read_text(encoding="utf-8").split(START)
    after = rest.split(END)[1]
    card.write_text(f"{before}{START}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser)
    parser.add_argument("--bundle", type=Path, default=Path("models/video"))
    parser.add_argument("--write", action="store_true", help="put the tables into the bundle's card")
    options = parser.parse_args()
    text = figures(load_prepared(options.corpus, options.work / "prepared"), options.bundle)
    print(text)
    if options.write:
        write_figures(options.bundle / "MODEL_CARD.md", text)


if __name__ == "__main__":
    main()
