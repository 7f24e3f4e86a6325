"""Judge a bundle on held-out folds: every figure of its card.

The shipped graph gives one logit per fold beside the detector's own; a clip is judged by the logit of the members that
never saw its fold (neither its generator's family nor its recording source).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sg_common.bundle.calibration import VoiceCalibration
from sg_common.bundle.spec import VoiceSpec, read_task

from training.audio import baselines
from training.audio.calibrate import held_out, nested
from training.audio.conditions import BESIDE, CLEAN, CONDITIONS, STREAMS, TELEPHONE
from training.audio.pool import CLIP_SECONDS
from training.audio.recipe import Recipe
from training.audio.scores import FoldScores, score
from training.audio.waveforms import read
from training.audio.whisper import ShallowEncoder
from training.common.cards import Row, table
from training.common.content import files_key
from training.common.manifest import Sample
from training.common.metrics import auc, eer, expected_calibration_error, mean_fold_auc, paired_accuracy
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


@dataclass(frozen=True)
class Told:
    """What clips are told by calibrations and thresholds that never met their folds.

    Attributes:
        scores: the clips.
        probabilities, called, cleared: of each, (N,).
    """

    scores: Scores
    probabilities: NDArray[np.float64]
    called: NDArray[np.bool_]
    cleared: NDArray[np.bool_]


def told(condition: str, scores: Scores, calibrations: Mapping[int, VoiceCalibration]) -> Told:
    """What clips are told under a condition; a service knows the codec of a stream."""
    values, called, cleared = [], [], []
    for sample, logit in zip(scores.samples, scores.logits, strict=True):
        common = calibrations[sample.fold]
        stream = STREAMS.get(condition)
        scaling = common.for_stream(stream.codec, stream.bit_rate) if stream else common
        values.append(float(scaling.probability(logit)))
        called.append(values[-1] >= common.thresholds.likely_deepfake)
        cleared.append(values[-1] < common.thresholds.likely_authentic)
    return Told(scores, np.asarray(values), np.asarray(called), np.asarray(cleared))


def family_table(clean: Told, telephone: Told) -> str:
    """Every fake family against the genuine clips of its fold."""
    rows: list[Row] = []
    for family in sorted({s.family for s in clean.scores.samples if s.label}):
        cells: list[object] = [family, sum(s.family == family for s in clean.scores.samples if s.label)]
        for part in (clean, telephone):
            of_family = np.asarray([bool(s.label) and s.family == family for s in part.scores.samples])
            cells += [
                part.scores.where(contest(family, part.scores.samples)).interval(auc),
                float(part.called[of_family].mean()),
            ]
        rows.append(cells)
    return table(("family", "clips", "AUC clean", "called", "AUC telephone", "called"), rows)


def verdict_table(parts: Mapping[str, Told]) -> str:
    """AUC and share of each verdict under each condition."""
    rows: list[Row] = []
    for name, part in parts.items():
        labels = part.scores.labels
        real, fake = labels == 0, labels == 1
        rows.append(
            (
                name,
                f"{real.sum()} / {fake.sum()}",
                part.scores.interval(auc),
                part.scores.interval(eer),
                part.called[real].mean(),
                part.cleared[real].mean(),
                part.called[fake].mean(),
                part.cleared[fake].mean(),
                expected_calibration_error(part.probabilities, labels, np.where(fake, 1 / fake.sum(), 1 / real.sum())),
            )
        )
    header = ("condition", "real / fake", "AUC", "EER", "real called", "cleared", "fakes called", "cleared", "ECE")
    return table(header, rows)


def worst_sources(part: Told, most: int = 12) -> str:
    """Genuine sources (five clips or more) most often called fake."""
    rates = defaultdict(list)
    for sample, called in zip(part.scores.samples, part.called, strict=True):
        if not sample.label:
            rates[sample.source].append(called)
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
    samples, model = corpora[0], bundle / read_task(bundle, VoiceSpec).variants["fp32"].file

    def scored(condition: str, of: Sequence[Sample]) -> FoldScores:
        return score(model, of, condition, folder=work / "scores", seed=recipe.seed)

    fitting = held_out(samples, model, recipe, work)
    calibrations = nested(fitting, recipe.calibrate)
    clean, telephone = fitting[CLEAN], fitting[TELEPHONE]
    few = clean.at(few_per_source(clean.samples, per_source)).samples
    judged = {name: told(name, part, calibrations) for name, part in ((CLEAN, clean), (TELEPHONE, telephone))}
    judged |= {
        name: told(name, scored(name, few), calibrations) for name in (*CONDITIONS, *BESIDE) if name not in judged
    }
    more = [s for corpus in corpora[1:] for s in corpus]
    compared, compared_families = baseline_tables(clean, recipe.left_out_families, whisper, work / "features")
    sections = [
        ("Held-out folds", fold_table(clean, telephone)),
        ("Simple detectors (logistic regression) and shortcuts on the same folds", compared),
        ("Simple detectors, AUC of each held-out family, clean", compared_families),
        ("Families, each held out", family_table(judged[CLEAN], judged[TELEPHONE])),
        (
            f"Conditions and verdicts, at most {per_source} clips a source but for the first two ({len(few)} clips)",
            verdict_table(judged),
        ),
        ("Genuine sources most often called fake, clean", worst_sources(judged[CLEAN])),
        ("Genuine sources most often called fake, telephone", worst_sources(judged[TELEPHONE])),
        ("Pairs", pair_table(clean, scored(CLEAN, more) if more else None)),
    ]
    if len(clean.samples) < len(samples):
        sections.append(
            (
                f"With the left-out families ({', '.join(recipe.left_out_families)})",
                f"AUC pooled over folds, clean: {scored(CLEAN, samples).interval(auc)}.",
            )
        )
    return "\n\n".join(f"### {title}\n\n{body}" for title, body in sections)
