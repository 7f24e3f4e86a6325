"""Judge a bundle on held-out folds: every figure of its card.

The shipped graph gives one logit per fold beside the detector's own; a clip is judged by the logit of the members that
never saw its fold (neither its generator's family nor its recording source).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from sg_common.bundle.calibration import PlattScaling, VoiceCalibration
from sg_common.bundle.spec import VoiceSpec, read_task
from sg_common.verdict import Thresholds

from training.audio import baselines
from training.audio.conditions import CLEAN, CONDITIONS, STREAMS, TELEPHONE
from training.audio.pool import CLIP_SECONDS
from training.audio.recipe import Recipe
from training.audio.scores import FoldScores, score
from training.audio.waveforms import read
from training.audio.whisper import ShallowEncoder
from training.common.calibration import threshold_for_false_alarm
from training.common.cards import Row, table
from training.common.content import files_key
from training.common.manifest import Sample
from training.common.metrics import auc, eer, expected_calibration_error, mean_fold_auc, paired_accuracy, rate_at
from training.common.scores import Scores, few_per_source


def fold_table(clean: Scores, telephone: Scores) -> str:
    """AUC and EER of every fold and of all folds together."""
    rows: list[Row] = []
    folds: list[int | None] = [*sorted({s.fold for s in clean.samples}), None]
    for fold in folds:
        part, phone = (p.where(lambda s, f=fold: f is None or s.fold == f) for p in (clean, telephone))  # type: ignore[misc]
        families = sorted({s.family for s in part.samples if s.label})
        rows.append(
            (
                "all, pooled" if fold is None else f"{fold}: {', '.join(families)}",
                f"{(part.labels == 0).sum()} / {(part.labels == 1).sum()}",
                part.interval(auc),
                part.interval(eer),
                phone.interval(auc),
                phone.interval(eer),
            )
        )
    header = ("held-out fold", "real / fake", "AUC clean", "EER clean", "AUC telephone", "EER telephone")
    return table(header, rows)


def contest(family: str, samples: Sequence[Sample]) -> Callable[[Sample], bool]:
    """Whether a sample is a fake of the family, or a genuine one of the folds that hold it out."""
    folds = {s.fold for s in samples if s.label and s.family == family}
    return lambda s: s.family == family if s.label else s.fold in folds


def baseline_tables(
    clean: Scores, left_out: Sequence[str], whisper: ShallowEncoder | None, folder: Path
) -> tuple[str, str]:
    """Simple detectors and shortcuts on the same clips and folds: AUC over all, and of every family."""
    samples = clean.samples

    def row(name: str, logits: np.ndarray) -> Row:
        return name, mean_fold_auc(logits, clean.labels, clean.folds), replace(clean, logits=logits).interval(auc)

    simple = baselines.detectors(whisper)
    functions = {**simple, **baselines.SHORTCUTS}
    waveforms = (read(s.path, CLIP_SECONDS) for s in samples)
    key = files_key(samples)
    rows: list[Row] = [row("this detector", clean.logits)]
    judged = {"this detector": clean.logits}
    for name, matrix in baselines.features(waveforms, functions, folder, key).items():
        logits = baselines.held_out_logits(matrix, samples, left_out)
        rows.append(row(name, logits))
        if name in simple:
            judged[name] = logits
    families: list[Row] = []
    for family in sorted({s.family for s in samples if s.label}):
        keep = np.asarray([*map(contest(family, samples), samples)])
        families.append((family, *(auc(logits[keep], clean.labels[keep]) for logits in judged.values())))
    return table(("detector", "AUC, mean of folds", "AUC, pooled"), rows), table(("family", *judged), families)


def family_table(clean: Scores, telephone: Scores, calibration: PlattScaling, threshold: float) -> str:
    """Every fake family against the genuine clips of its fold."""
    rows: list[Row] = []
    for family in sorted({s.family for s in clean.samples if s.label}):
        cells: list[object] = [family]
        for n, scores in enumerate((clean, telephone)):
            part = scores.where(contest(family, scores.samples))
            if not n:
                cells.append(int(part.labels.sum()))
            fakes = calibration.probability(part.logits[part.labels == 1])
            cells += [part.interval(auc), rate_at(fakes, threshold)]
        rows.append(cells)
    return table(("family", "clips", "AUC clean", "called", "AUC telephone", "called"), rows)


def calibrations_of(calibration: VoiceCalibration) -> Mapping[str, PlattScaling]:
    """A bundle's calibration for each condition, as a service chooses it."""
    streams = {name: calibration.for_stream(STREAMS[name].codec, STREAMS[name].bit_rate) for name in STREAMS}
    return {name: streams.get(name, calibration) for name in CONDITIONS}


def verdict_table(
    parts: Sequence[tuple[str, Scores]], calibrations: Mapping[str, PlattScaling], thresholds: Thresholds
) -> str:
    """Share of each verdict under each condition."""
    rows: list[Row] = []
    low, high = thresholds.likely_authentic, thresholds.likely_deepfake
    for name, s in parts:
        p = calibrations[name].probability(s.logits)
        real, fake = p[s.labels == 0], p[s.labels == 1]
        rows.append(
            (
                name,
                rate_at(real, high),
                1 - rate_at(real, low),
                rate_at(fake, high),
                1 - rate_at(fake, low),
                expected_calibration_error(p, s.labels, np.where(s.labels == 1, 1 / fake.size, 1 / real.size)),
            )
        )
    header = ("condition", "real called fake", "real cleared", "fake called fake", "fake cleared", "ECE")
    return table(header, rows)


def threshold_transfer(parts: Sequence[tuple[str, Scores]], rate: float) -> str:
    """Rates in each fold at a threshold chosen on the other folds alone: what choosing it here hides."""
    rows: list[Row] = []
    folds = sorted({s.fold for s in parts[0][1].samples})
    for fold in folds:
        others = [p.where(lambda s, f=fold: s.fold != f) for _, p in parts]  # type: ignore[misc]
        threshold = max(threshold_for_false_alarm(o.genuine, rate) for o in others)
        cells: list[object] = [fold]
        for _, p in parts:
            own = p.where(lambda s, f=fold: s.fold == f)  # type: ignore[misc]
            cells += [rate_at(own.logits[own.labels == v], threshold) for v in (0, 1)]
        rows.append(cells)
    names = [f"{kind} called fake, {name}" for name, _ in parts for kind in ("real", "fake")]
    return table(("fold", *names), rows)


def worst_sources(s: Scores, calibration: PlattScaling, threshold: float, most: int = 12) -> str:
    """Genuine sources (five clips or more) most often called fake."""
    rates = defaultdict(list)
    for sample, p in zip(s.samples, calibration.probability(s.logits), strict=True):
        if not sample.label:
            rates[sample.source].append(p >= threshold)
    rows = [(name, len(v), float(np.mean(v))) for name, v in rates.items() if len(v) >= 5]
    return table(("genuine source", "clips", "called fake"), sorted(rows, key=lambda r: -r[2])[:most])


def pair_table(clean: FoldScores, extra: FoldScores | None) -> str:
    """Share of pairs in which the copy of a genuine clip scores above that clip."""
    rows: list[Row] = []
    genuine = {
        key: (logits, s.fold)
        for s, logits in zip(clean.samples, clean.fold_logits, strict=True)
        if not s.label
        for key in (s.fields["path"], s.fields.get("src_path", ""), s.group)
        if key
    }
    for scores in (clean, extra):
        pairs = defaultdict(list)
        for s, logits in zip(scores.samples, scores.fold_logits, strict=True) if scores else ():
            if s.label and s.group in genuine:
                mine, other = s.fold, genuine[s.group]
                pairs[s.family if scores is clean else s.source].append((other[0][mine], logits[mine]))
        for name, values in sorted(pairs.items()):
            a, b = np.asarray(values).T
            rows.append((name, len(values), paired_accuracy(a, b)))
    return table(("copies by", "pairs", "copy above its original"), rows)


def report(
    corpora: Sequence[Sequence[Sample]],
    bundle: Path,
    recipe: Recipe,
    work: Path,
    *,
    per_source: int,
    whisper: ShallowEncoder | None = None,
) -> str:
    """All tables as Markdown: of the first corpus, and the pairs of the others."""
    samples = corpora[0]
    spec = read_task(bundle, VoiceSpec)
    calibrations, thresholds = calibrations_of(spec.calibration), spec.calibration.thresholds
    high, calibration = thresholds.likely_deepfake, calibrations[CLEAN]

    def scored(condition: str, of: Sequence[Sample]) -> FoldScores:
        model = bundle / spec.variants["fp32"].file
        return score(model, of, condition, folder=work / "scores", seed=recipe.seed)

    def judged(s: Sample) -> bool:
        return s.family not in recipe.left_out_families

    full = [(name, scored(name, samples)) for name in (CLEAN, TELEPHONE)]
    (_, clean), (_, telephone) = main = [(name, s.where(judged)) for name, s in full]
    few = few_per_source(clean.samples, per_source)
    sampled = [(name, s.at(few)) for name, s in main]
    sampled += [(name, scored(name, sampled[0][1].samples)) for name in CONDITIONS if name not in (CLEAN, TELEPHONE)]
    more = [s for corpus in corpora[1:] for s in corpus]
    compared, compared_families = baseline_tables(clean, recipe.left_out_families, whisper, work / "features")
    rate = recipe.calibrate.false_alarm_rate
    sections = [
        ("Held-out folds", fold_table(clean, telephone)),
        ("Simple detectors (logistic regression) and shortcuts on the same folds", compared),
        ("Simple detectors, AUC of each held-out family, clean", compared_families),
        ("Families, each held out", family_table(clean, telephone, calibration, high)),
        (
            f"Robustness, at most {per_source} clips a source ({len(few)} clips)",
            table(("condition", "AUC", "EER"), [(name, s.interval(auc), s.interval(eer)) for name, s in sampled]),
        ),
        ("Verdicts at the shipped thresholds", verdict_table([*main, *sampled[2:]], calibrations, thresholds)),
        (f"Thresholds chosen on the other folds (false alarms {rate:.1%})", threshold_transfer(main, rate)),
        ("Genuine sources most often called fake, clean", worst_sources(clean, calibration, high)),
        ("Genuine sources most often called fake, telephone", worst_sources(telephone, calibration, high)),
        ("Pairs", pair_table(clean, scored(CLEAN, more) if more else None)),
    ]
    if len(clean.samples) < len(samples):
        sections.append(
            (
                f"With the left-out families ({', '.join(recipe.left_out_families)})",
                f"AUC pooled over folds, clean: {full[0][1].interval(auc)}.",
            )
        )
    return "\n\n".join(f"### {title}\n\n{body}" for title, body in sections)
