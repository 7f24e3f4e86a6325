"""Fit temperature, bias and decision thresholds of a bundle on its held-out logits.

Every clip is judged by the members that never saw its fold, clean and over a telephone line. Codecs that a service
tells from the file (`conditions.STREAMS`) get a temperature and a bias of their own, on some clips of every source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def fitted(scored: Mapping[str, Scores], settings: Calibrate) -> VoiceCalibration:
    """The calibration for held-out scores: clean, over a telephone line, and of every codec of `STREAMS`."""
    common = measure([scored[name] for name in (CLEAN, TELEPHONE)], settings)
    threshold, rate = common.thresholds.likely_deepfake, settings.false_alarm_rate
    codecs = [measure_codec(scored[name], stream, threshold, rate) for name, stream in STREAMS.items()]
    return common.model_copy(update={"codecs": tuple(codecs)})


def nested(scored: Mapping[str, Scores], settings: Calibrate) -> dict[int, VoiceCalibration]:
    """For every fold the calibration that never met it."""

    def without(fold: int) -> dict[str, Scores]:
        return {name: part.where(lambda s: s.fold != fold) for name, part in scored.items()}

    return {fold: fitted(without(fold), settings) for fold in sorted({s.fold for s in scored[CLEAN].samples})}


def held_out(samples: Sequence[Sample], model: Path, recipe: Recipe, work: Path) -> dict[str, FoldScores]:
    """What `fitted` needs: clean and over a telephone line, and codecs on some clips of every source."""

    def scored(of: Sequence[Sample], condition: str) -> FoldScores:
        return score(model, of, condition, folder=work / "scores", seed=recipe.seed)

    whole = {
        name: scored(samples, name).where(lambda s: s.family not in recipe.left_out_families)
        for name in (CLEAN, TELEPHONE)
    }
    few = whole[CLEAN].at(few_per_source(whole[CLEAN].samples, CLIPS_PER_SOURCE)).samples
    return {**whole, **{name: scored(few, name) for name in STREAMS}}


def calibrate(samples: Sequence[Sample], bundle: Path, recipe: Recipe, work: Path) -> VoiceCalibration:
    """Measure the calibration and what other variants lose, and write both into model.json; returns the calibration."""
    spec = read_task(bundle, VoiceSpec)
    models = {name: bundle / variant.file for name, variant in spec.variants.items()}
    scored = held_out(samples, models.pop("fp32"), recipe, work)
    calibration = fitted(scored, recipe.calibrate)
    few = scored[CLEAN].at(few_per_source(scored[CLEAN].samples, CLIPS_PER_SOURCE))
    others = {
        name: losses(few, score(model, few.samples, CLEAN, folder=work / "scores", seed=recipe.seed), calibration)
        for name, model in models.items()
    }
    write_spec(bundle, spec, calibration=calibration.model_dump(mode="json"), variants=measured(spec, others))
    return calibration
