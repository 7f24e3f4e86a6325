"""Judge a bundle on held-out folds and write every figure of its card.

    python -m training.audio.evaluate --data ../shared/data/audio --bundle models/audio [--write]

The shipped graph gives one logit per fold beside the detector's own; a clip is judged by the logit of the
members that never saw its fold (neither its generator's family nor its recording source). With --write the
tables replace those in the bundle's card.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from training.audio import baselines, config
from training.audio.conditions import CLEAN, CONDITIONS, STREAMS, TELEPHONE
from training.audio.pool import CLIP_SECONDS
from training.audio.prepare import arguments, work_folder
from training.audio.scores import Scores, few_per_source, score
from training.audio.waveforms import read
from training.audio.whisper import ShallowEncoder, read_weights
from training.common.calibration import Calibration, threshold_for_false_alarm
from training.common.manifest import Sample, read_manifest
from training.common.metrics import (
    Interval,
    auc,
    bootstrap,
    eer,
    expected_calibration_error,
    mean_fold_auc,
    paired_accuracy,
    rate_at,
)

Row = Sequence[object]
START, END = "<!-- figures:start -->", "<!-- figures:end -->"


def table(header: Sequence[str], rows: Sequence[Row]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(_cell(v) for v in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def interval(figure: Callable[..., float], s: Scores, logits: np.ndarray | None = None) -> Interval:
    """A figure with its interval over sources."""
    scores = s.held_out if logits is None else logits
    return bootstrap(figure, scores, s.labels, groups=s.sources)


def fold_table(clean: Scores, telephone: Scores) -> str:
    """AUC and EER of every fold and of all folds together."""
    rows: list[Row] = []
    folds: list[int | None] = [*sorted({s.fold for s in clean.chosen}), None]
    for fold in folds:
        part, phone = (p.where(lambda s, f=fold: f is None or s.fold == f) for p in (clean, telephone))  # type: ignore[misc]
        families = sorted({s.family for s in part.chosen if s.label})
        rows.append(
            (
                "all, pooled" if fold is None else f"{fold}: {', '.join(families)}",
                f"{(part.labels == 0).sum()} / {(part.labels == 1).sum()}",
                interval(auc, part),
                interval(eer, part),
                interval(auc, phone),
                interval(eer, phone),
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
    samples = clean.chosen

    def row(name: str, logits: np.ndarray) -> Row:
        return name, mean_fold_auc(logits, clean.labels, clean.folds), interval(auc, clean, logits)

    simple = baselines.detectors(whisper)
    functions = {**simple, **baselines.SHORTCUTS}
    waveforms = (read(s.path, CLIP_SECONDS) for s in samples)
    key = blake2b("\0".join(s.fields["path"] for s in samples).encode(), digest_size=6).hexdigest()
    rows: list[Row] = [row("this detector", clean.held_out)]
    judged = {"this detector": clean.held_out}
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


def family_table(clean: Scores, telephone: Scores, calibration: Calibration, threshold: float) -> str:
    """Every fake family against the genuine clips of its fold."""
    rows: list[Row] = []
    for family in sorted({s.family for s in clean.chosen if s.label}):
        cells: list[object] = [family]
        for n, scores in enumerate((clean, telephone)):
            part = scores.where(contest(family, scores.chosen))
            if not n:
                cells.append(int(part.labels.sum()))
            fakes = calibration.probabilities(part.held_out[part.labels == 1])
            cells += [interval(auc, part), rate_at(fakes, threshold)]
        rows.append(cells)
    return table(("family", "clips", "AUC clean", "called", "AUC telephone", "called"), rows)


def read_calibrations(document: Mapping[str, Any]) -> Mapping[str, Calibration]:
    """A bundle's calibration for each condition, as a service chooses it."""
    codecs = {(entry["codec"], entry["bit_rate"]): entry for entry in document.get("codecs", ())}
    entries = {
        name: codecs.get(astuple(STREAMS[name]), document) if name in STREAMS else document for name in CONDITIONS
    }
    return {name: Calibration(entry["temperature"], entry["bias"]) for name, entry in entries.items()}


def verdict_table(
    parts: Sequence[tuple[str, Scores]], calibrations: Mapping[str, Calibration], thresholds: tuple[float, float]
) -> str:
    """Share of each verdict under each condition."""
    rows: list[Row] = []
    low, high = thresholds
    for name, s in parts:
        p = calibrations[name].probabilities(s.held_out)
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
    folds = sorted({s.fold for s in parts[0][1].chosen})
    for fold in folds:
        others = [p.where(lambda s, f=fold: s.fold != f) for _, p in parts]  # type: ignore[misc]
        threshold = max(threshold_for_false_alarm(o.held_out[o.labels == 0], rate) for o in others)
        cells: list[object] = [fold]
        for _, p in parts:
            own = p.where(lambda s, f=fold: s.fold == f)  # type: ignore[misc]
            cells += [rate_at(own.held_out[own.labels == v], threshold) for v in (0, 1)]
        rows.append(cells)
    names = [f"{kind} called fake, {name}" for name, _ in parts for kind in ("real", "fake")]
    return table(("fold", *names), rows)


def worst_sources(s: Scores, calibration: Calibration, threshold: float, most: int = 12) -> str:
    """Genuine sources (five clips or more) most often called fake."""
    rates = defaultdict(list)
    for sample, p in zip(s.chosen, calibration.probabilities(s.held_out), strict=True):
        if not sample.label:
            rates[sample.source].append(p >= threshold)
    rows = [(name, len(v), float(np.mean(v))) for name, v in rates.items() if len(v) >= 5]
    return table(("genuine source", "clips", "called fake"), sorted(rows, key=lambda r: -r[2])[:most])


def pair_table(clean: Scores, extra: Scores | None) -> str:
    """Share of pairs in which the copy of a genuine clip scores above that clip."""
    rows: list[Row] = []
    genuine = {
        key: (logits, s.fold)
        for s, logits in zip(clean.chosen, clean.fold_logits, strict=True)
        if not s.label
        for key in (s.fields["path"], s.fields.get("src_path", ""), s.group)
        if key
    }
    for scores in (clean, extra):
        pairs = defaultdict(list)
        for s, logits in zip(scores.chosen, scores.fold_logits, strict=True) if scores else ():
            if s.label and s.group in genuine:
                mine, other = s.fold, genuine[s.group]
                pairs[s.family if scores is clean else s.source].append((other[0][mine], logits[mine]))
        for name, values in sorted(pairs.items()):
            a, b = np.asarray(values).T
            rows.append((name, len(values), paired_accuracy(a, b)))
    return table(("copies by", "pairs", "copy above its original"), rows)


def report(
    options_data: Sequence[Path],
    bundle: Path,
    work: Path,
    settings: config.Config,
    *,
    per_source: int,
    whisper: ShallowEncoder | None = None,
) -> str:
    """All tables as Markdown."""
    samples: list[Sample] = read_manifest(options_data[0] / "manifest.tsv")
    document = json.loads((bundle / "model.json").read_text())
    model = bundle / document["variants"]["fp32"]["file"]
    c = document["calibration"]
    calibrations = read_calibrations(c)
    calibration = calibrations[CLEAN]
    thresholds = (c["thresholds"]["likely_authentic"], c["thresholds"]["likely_deepfake"])
    folder = work / "scores"

    def scored(condition: str, indices: np.ndarray, of: Sequence[Sample] = samples) -> Scores:
        return score(model, of, indices, condition, folder=folder, seed=settings.seed)

    every = np.arange(len(samples))
    full = [(name, scored(name, every)) for name in (CLEAN, TELEPHONE)]

    def judged(s: Sample) -> bool:
        return s.family not in settings.left_out_families

    (_, clean), (_, telephone) = main = [(name, s.where(judged)) for name, s in full]
    few = few_per_source(samples, per_source)
    few = few[[judged(samples[i]) for i in few]]
    sampled = [(name, Scores(samples, few, s.fold_logits[few])) for name, s in full]
    sampled += [(name, scored(name, few)) for name in CONDITIONS if name not in (CLEAN, TELEPHONE)]
    extra = None
    if len(options_data) > 1:
        more = read_manifest(options_data[1] / "manifest.tsv")
        extra = scored(CLEAN, np.arange(len(more)), more)
    compared, compared_families = baseline_tables(clean, settings.left_out_families, whisper, work / "features")
    left_out = [s for s in full[0][1].chosen if not judged(s)]
    sections = [
        ("Held-out folds", fold_table(clean, telephone)),
        ("Simple detectors (logistic regression) and shortcuts on the same folds", compared),
        ("Simple detectors, AUC of each held-out family, clean", compared_families),
        ("Families, each held out", family_table(clean, telephone, calibration, thresholds[1])),
        (
            f"Robustness, at most {per_source} clips a source ({len(few)} clips)",
            table(
                ("condition", "AUC", "EER"),
                [(name, interval(auc, s), interval(eer, s)) for name, s in sampled],
            ),
        ),
        ("Verdicts at the shipped thresholds", verdict_table([*main, *sampled[2:]], calibrations, thresholds)),
        (
            f"Thresholds chosen on the other folds (false alarms {settings.calibrate.false_alarm_rate:.1%})",
            threshold_transfer(main, settings.calibrate.false_alarm_rate),
        ),
        ("Genuine sources most often called fake, clean", worst_sources(clean, calibration, thresholds[1])),
        ("Genuine sources most often called fake, telephone", worst_sources(telephone, calibration, thresholds[1])),
        ("Pairs", pair_table(clean, extra)),
    ]
    if left_out:
        with_codecs = full[0][1]
        sections.append(
            (
                f"With the left-out families ({', '.join(settings.left_out_families)})",
                f"AUC pooled over folds, clean: {interval(auc, with_codecs)}.",
            )
        )
    return "\n\n".join(f"### {title}\n\n{body}" for title, body in sections)


def write_into_card(card: Path, figures: str) -> None:
    """Replace what lies between the card's marks. Raises ValueError when the marks are missing."""
    text = card.read_text(encoding="utf-8")
    if START not in text or END not in text:
        raise ValueError(f"{card} lacks the marks {START} and {END}")
    new = re.sub(f"{START}.*{END}", lambda _: f"{START}\n\n{figures}\n\n{END}", text, flags=re.DOTALL)
    card.write_text(new, encoding="utf-8")


def main() -> None:
    """Print the report, and write it into the card when asked."""
    parser = arguments(__doc__)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--per-source", type=int, default=1)
    parser.add_argument("--whisper", type=Path, help="Whisper-base as CTranslate2's model.bin, to compare with")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    settings = config.load(options.config)
    whisper = ShallowEncoder(read_weights(options.whisper)) if options.whisper else None
    figures = report(
        options.data, options.bundle, work_folder(options), settings, per_source=options.per_source, whisper=whisper
    )
    print(figures)
    if options.write:
        write_into_card(options.bundle / "MODEL_CARD.md", figures)


if __name__ == "__main__":
    main()
