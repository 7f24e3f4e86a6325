"""Calibrate voices by how much they speak, and stretches within them, on recordings that the members never saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from audio_analyzer.stretches import strongest
from sg_common.bundle.calibration import SpeechCalibration, StretchCalibration, VoiceCalibration

from training.audio.calls import Material
from training.audio.recipe import Calibrate, Stretches
from training.audio.recordings import Recording
from training.common.calibration import fit, threshold_for_false_alarm
from training.common.scores import Scores

SPANS = ((1.0, 1.5), (1.5, 2.0))
"""Seconds of short speech with a calibration of their own; from the last on the common one counts."""
ROUNDING = 0.002
"""Evidence by which a probability that rounds to a threshold may miss it."""

Materials = Mapping[str, Material]


def calibrated(
    materials: Materials, common: VoiceCalibration, settings: Calibrate, keep: Callable[[int], bool]
) -> VoiceCalibration:
    """The common calibration with entries by the amount of speech and with stretches, measured under all conditions on
    what is of the folds to keep."""
    entries = [
        by_speech(low, [_short(m, low, high, keep) for m in materials.values()], common, settings.false_alarm_rate)
        for low, high in SPANS
    ]
    usual = SpeechCalibration(seconds=SPANS[-1][1], temperature=common.temperature, bias=common.bias)
    whole = common.model_copy(update={"speech": (*entries, usual), "stretches": None})
    genuine = [[r for r in of if keep(r.fold)] for m in materials.values() for of in m.genuine.values()]
    as_found = [r for m in materials.values() for r in m.genuine[0] if keep(r.fold)]
    return whole.model_copy(update={"stretches": stretches(as_found, genuine, whole, settings.stretches)})


def _short(material: Material, low: float, high: float, keep: Callable[[int], bool]) -> Scores:
    spoken = (material.speech >= low) & (material.speech < high)
    kept = np.asarray([keep(sample.fold) for sample in material.clips.samples])
    return material.clips.at(np.flatnonzero(spoken & kept))


def by_speech(seconds: float, parts: Sequence[Scores], common: VoiceCalibration, rate: float) -> SpeechCalibration:
    """The calibration of voices of about so much speech, a part a condition.

    Of the genuine ones of each part at most `rate` come to `likely_deepfake`, and none is cleared that the common
    calibration would not clear: how much a voice speaks says nothing of a generator that is not heard at all.
    """
    fitted = fit(np.concatenate([p.logits for p in parts]), np.concatenate([p.labels for p in parts]))
    low, high = logit(common.thresholds.likely_authentic), logit(common.thresholds.likely_deepfake)
    highest = max(threshold_for_false_alarm(p.genuine, rate) for p in parts)
    cleared = (low - common.bias) * common.temperature
    # A little more than needed, so that rounding has room between the two bounds of the bias.
    temperature = round(max(fitted.temperature, 1.005 * (highest - cleared) / (high - low)), 4)
    bias = min(max(fitted.bias, low - cleared / temperature + ROUNDING), high - highest / temperature)
    return SpeechCalibration(seconds=seconds, temperature=temperature, bias=float(np.floor(bias * 1000) / 1000))


def stretches(
    as_found: Sequence[Recording],
    genuine: Sequence[Sequence[Recording]],
    whole: VoiceCalibration,
    settings: Stretches,
) -> StretchCalibration:
    """What stretches are worth.

    Args:
        as_found: genuine recordings, whose level and variances are measured.
        genuine: genuine recordings, a list a condition and length. Of each at most `named_rate` have a stretch that
            is named, at most `false_alarm_rate` come to `whole`'s threshold, by it or as a whole, and at most
            `doubtful_rate` are not cleared for a doubtful run alone.
        whole: the calibration of whole voices.
        settings: the rates.
    """
    found = [voice.logits for recording in as_found for voice in recording.voices if len(voice.logits) > 1]
    means = np.asarray([logits.mean() for logits in found])
    plain = StretchCalibration(
        temperature=1.0,
        bias=0.0,
        level=round(float(means.mean()), 4),
        between=round(float(means.var(ddof=1)), 4),
        within=round(float(np.mean([logits.var(ddof=1) for logits in found])), 4),
        chances=settings.chances,
    )
    limits, named, called, doubtful = whole.thresholds, [], [], []
    runs = [np.asarray([evidence(recording, plain) for recording in recordings]) for recordings in genuine]
    wholes = [np.asarray([by_whole(recording, whole) for recording in recordings]) for recordings in genuine]
    for run, probability in zip(runs, wholes, strict=True):
        named.append(threshold_for_false_alarm(run, settings.named_rate))
        # Those called as a whole count, whatever their stretches are worth; beyond the rate no stretch may call more.
        over = probability >= limits.likely_deepfake
        limit = threshold_for_false_alarm(np.where(over, np.inf, run), settings.false_alarm_rate)
        called.append(min(limit, float(run[~over].max())) + ROUNDING)
        lost = np.where(probability < limits.likely_authentic, run, run.min())
        doubtful.append(threshold_for_false_alarm(lost, settings.doubtful_rate))
    least = max(named)
    most = max(least + 0.1, *called)
    temperature = (most - least) / logit(limits.likely_deepfake)
    fitted = plain.model_copy(
        update={
            "temperature": round(temperature, 4),
            "bias": float(np.floor(-1000 * least / temperature) / 1000),
        }
    )
    from_here = float(fitted.probability(max(doubtful) + ROUNDING))
    return fitted.model_copy(update={"doubtful": min(from_here, fitted.doubtful)})


def evidence(recording: Recording, calibration: StretchCalibration) -> float:
    """That of the recording's strongest stretch."""
    return max(strongest(voice.logits, recording.windows, calibration).evidence for voice in recording.voices)


def by_whole(recording: Recording, calibration: VoiceCalibration) -> float:
    """The probability of the most suspicious voice as a whole."""
    return max(
        float(calibration.for_speech(voice.speech).probability(calibration.aggregation(voice.logits)))
        for voice in recording.voices
    )


def logit(probability: float) -> float:
    """Log odds."""
    return float(np.log(probability / (1 - probability)))
