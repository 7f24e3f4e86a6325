"""Fit temperature, bias and decision thresholds of a bundle on its held-out logits.

    python -m training.audio.calibrate --data ../shared/data/audio --bundle models/audio

Every clip is judged by the members that never saw its fold, clean and over a telephone line. Codecs that a service
tells from the file (`conditions.STREAMS`) get a temperature and a bias of their own, on some clips of every source.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.audio import config
from training.audio.conditions import CLEAN, STREAMS, TELEPHONE, Stream
from training.audio.prepare import arguments, work_folder
from training.audio.scores import Scores, few_per_source, score
from training.common.calibration import fit, threshold_for_false_alarm
from training.common.manifest import read_manifest
from training.common.metrics import mean_fold_auc

CLIPS_PER_SOURCE = 4


def measure(parts: Sequence[Scores], settings: config.Calibrate) -> Mapping[str, Any]:
    """The calibration for a set of held-out scores, one part a condition: every part meets the rates."""
    logits = np.concatenate([p.held_out for p in parts])
    labels = np.concatenate([p.labels for p in parts])
    fitted = fit(logits, labels)
    high = max(
        threshold_for_false_alarm(fitted.probabilities(p.held_out[p.labels == 0]), settings.false_alarm_rate)
        for p in parts
    )
    low = min(float(np.quantile(fitted.probabilities(p.held_out[p.labels == 1]), settings.miss_rate)) for p in parts)
    high = max(high, 0.5)
    return {
        "temperature": round(fitted.temperature, 4),
        "bias": round(fitted.bias, 4),
        "thresholds": {
            "likely_authentic": round(min(low, 0.5, high), 3),
            "likely_deepfake": float(np.ceil(high * 1000) / 1000),
        },
        "aggregation": {"kind": "mean"},
    }


def measure_codec(part: Scores, stream: Stream, threshold: float, rate: float) -> Mapping[str, Any]:
    """The calibration of a codec's stream: at most `rate` of the genuine clips come to the common `threshold`."""
    fitted = fit(part.held_out, part.labels)
    highest = threshold_for_false_alarm(part.held_out[part.labels == 0], rate)
    bias = min(fitted.bias, float(np.log(threshold / (1 - threshold))) - highest / fitted.temperature)
    return {
        **asdict(stream),
        "temperature": round(fitted.temperature, 4),
        "bias": float(np.floor(bias * 1000) / 1000),
    }


def measure_loss(
    bundle: Path, document: Mapping[str, Any], clean: Scores, few: NDArray[np.int64], *, folder: Path, seed: int
) -> None:
    """Measure what every other variant loses in held-out AUC against fp32, on a few clean clips, into `document`."""
    position = {int(i): n for n, i in enumerate(clean.indices)}
    fp32 = Scores(clean.samples, few, clean.fold_logits[[position[int(i)] for i in few]])
    for name, variant in document["variants"].items():
        if name != "fp32":
            other = score(bundle / variant["file"], clean.samples, few, CLEAN, folder=folder, seed=seed)
            before, after = (mean_fold_auc(p.held_out, p.labels, p.folds) for p in (fp32, other))
            loss = before - after
            variant["auc_loss"] = round(max(0.0, loss), 5)
            difference = np.abs(fp32.fold_logits.mean(axis=1) - other.fold_logits.mean(axis=1))
            print(f"{name}: AUC loss {loss:.4f} on {len(few)} clips, logit off by {difference.mean():.3f} on average")


def main() -> None:
    """Measure and write into model.json."""
    parser = arguments(__doc__)
    parser.add_argument("--bundle", type=Path, required=True)
    options = parser.parse_args()
    settings = config.load(options.config)
    samples = [s for corpus in options.data for s in read_manifest(corpus / "manifest.tsv")]
    path: Path = options.bundle / "model.json"
    document = json.loads(path.read_text())
    model = options.bundle / document["variants"]["fp32"]["file"]
    folder = work_folder(options) / "scores"
    every = np.arange(len(samples))
    parts = [
        score(model, samples, every, condition, folder=folder, seed=settings.seed).where(
            lambda s: s.family not in settings.left_out_families
        )
        for condition in (CLEAN, TELEPHONE)
    ]
    measured = measure(parts, settings.calibrate)
    few = parts[0].indices[few_per_source(parts[0].chosen, CLIPS_PER_SOURCE)]
    threshold, rate = measured["thresholds"]["likely_deepfake"], settings.calibrate.false_alarm_rate
    codecs = [
        measure_codec(score(model, samples, few, name, folder=folder, seed=settings.seed), stream, threshold, rate)
        for name, stream in STREAMS.items()
    ]
    document["calibration"] = {**measured, "codecs": codecs}
    measure_loss(options.bundle, document, parts[0], few, folder=folder, seed=settings.seed)
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(document["calibration"], indent=2))


if __name__ == "__main__":
    main()
