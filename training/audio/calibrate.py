"""Fit temperature, bias and decision thresholds of a bundle on its held-out logits.

Every clip is judged by the members that never saw its fold, clean and over a telephone line. Codecs that a service
tells from the file (`conditions.STREAMS`) get a temperature and a bias of their own, on some clips of every source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from sg_common.bundle.calibration import Aggregation, CodecCalibration, PlattScaling, VoiceCalibration
from sg_common.bundle.spec import VoiceSpec, read_task
from sg_common.verdict import Thresholds

from training.audio.conditions import CLEAN, STREAMS, TELEPHONE, Stream
from training.audio.recipe import Calibrate, Recipe
from training.audio.scores import FoldScores, score
from training.common.bundle import measured, write_spec
from training.common.calibration import fit, threshold_for_false_alarm
from training.common.manifest import Sample
from training.common.metrics import mean_fold_auc
from training.common.scores import Scores, few_per_source

CLIPS_PER_SOURCE = 4


def measure(parts: Sequence[Scores], settings: Calibrate) -> VoiceCalibration:
    """The calibration for a set of held-out scores, one part a condition: every part meets the rates."""
    fitted = fit(np.concatenate([p.logits for p in parts]), np.concatenate([p.labels for p in parts]))
    scaling = PlattScaling(temperature=round(fitted.temperature, 4), bias=round(fitted.bias, 4))
    rate = settings.false_alarm_rate
    high = max(0.5, *(threshold_for_false_alarm(scaling.probability(p.genuine), rate) for p in parts))
    low = min(float(np.quantile(scaling.probability(p.fake), settings.miss_rate)) for p in parts)
    return VoiceCalibration(
        **scaling.model_dump(),
        thresholds=Thresholds(
            likely_authentic=round(min(low, 0.5), 3), likely_deepfake=float(np.ceil(high * 1000) / 1000)
        ),
        aggregation=Aggregation(kind="mean"),
    )


def measure_codec(part: Scores, stream: Stream, threshold: float, rate: float) -> CodecCalibration:
    """The calibration of a codec's stream: at most `rate` of the genuine clips come to the common `threshold`."""
    fitted = fit(part.logits, part.labels)
    highest = threshold_for_false_alarm(part.genuine, rate)
    bias = min(fitted.bias, float(np.log(threshold / (1 - threshold))) - highest / fitted.temperature)
    return CodecCalibration(
        **asdict(stream), temperature=round(fitted.temperature, 4), bias=float(np.floor(bias * 1000) / 1000)
    )


def losses(fp32: FoldScores, other: FoldScores, scaling: PlattScaling) -> dict[str, float]:
    """What another variant loses against fp32 on the same held-out clips, as a bundle says it."""
    before, after = (mean_fold_auc(p.logits, p.labels, p.folds) for p in (fp32, other))
    moved = np.abs(scaling.probability(fp32.logits) - scaling.probability(other.logits))
    return {"auc_loss": max(0.0, before - after), "probability_difference": float(moved.max())}


def calibrate(samples: Sequence[Sample], bundle: Path, recipe: Recipe, work: Path) -> VoiceCalibration:
    """Measure the calibration and what other variants lose, and write both into model.json; returns the calibration."""
    spec = read_task(bundle, VoiceSpec)

    def scored(of: Sequence[Sample], condition: str, variant: str = "fp32") -> FoldScores:
        model = bundle / spec.variants[variant].file
        return score(model, of, condition, folder=work / "scores", seed=recipe.seed)

    parts = [
        scored(samples, condition).where(lambda s: s.family not in recipe.left_out_families)
        for condition in (CLEAN, TELEPHONE)
    ]
    common = measure(parts, recipe.calibrate)
    few = parts[0].at(few_per_source(parts[0].samples, CLIPS_PER_SOURCE))
    threshold, rate = common.thresholds.likely_deepfake, recipe.calibrate.false_alarm_rate
    codecs = [measure_codec(scored(few.samples, name), stream, threshold, rate) for name, stream in STREAMS.items()]
    calibration = common.model_copy(update={"codecs": tuple(codecs)})
    others = {name: losses(few, scored(few.samples, CLEAN, name), common) for name in spec.variants if name != "fp32"}
    write_spec(bundle, spec, calibration=calibration.model_dump(mode="json"), variants=measured(spec, others))
    return calibration
