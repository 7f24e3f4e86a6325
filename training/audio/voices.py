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
from training.common.manifest import Sample
from training.common.scores import Scores

SPANS = ((1.0, 1.5), (1.5, 2.0))
"""Seconds of short speech with a calibration of their own; from the last on the common one counts."""
LONG = 8.0
"""Seconds of speech from which on voices have one again: some five windows."""

Materials = Mapping[str, Material]


def calibrated(
    materials: Materials, common: VoiceCalibration, settings: Calibrate, keep: Callable[[int], bool]
) -> VoiceCalibration:
    """The common calibration with entries by the amount of speech and with stretches, measured under all conditions on
    what is of the folds to keep."""
    threshold, rate = common.thresholds.likely_deepfake, settings.false_alarm_rate
    entries = [
        by_speech(low, [_short(m, low, high, keep) for m in materials.values()], threshold, rate) for low, high in SPANS
    ]
    usual = SpeechCalibration(seconds=SPANS[-1][1], temperature=common.temperature, bias=common.bias)
    long = by_speech(LONG, [_long(m, keep) for m in materials.values()], threshold, rate)
    whole = common.model_copy(update={"speech": (*entries, usual, long), "stretches": None})
    genuine = [[r for r in of if keep(r.fold)] for m in materials.values() for of in m.genuine.values()]
    as_found = [r for m in materials.values() for r in m.genuine[0] if keep(r.fold)]
    return whole.model_copy(update={"stretches": stretches(as_found, genuine, whole, settings.stretches)})


def _short(material: Material, low: float, high: float, keep: Callable[[int], bool]) -> Scores:
    spoken = (material.speech >= low) & (material.speech < high)
    kept = np.asarray([keep(sample.fold) for sample in material.clips.samples])
    return material.clips.at(np.flatnonzero(spoken & kept))


def _long(material: Material, keep: Callable[[int], bool]) -> Scores:
    rows = [
        (Sample(path=material.clips.samples[0].path, label=label, fold=r.fold, family="", source=r.source), v.logits)
        for label, recordings in enumerate((material.genuine[0], material.made))
        for r in recordings
        for v in r.voices
        if keep(r.fold) and (v.speech >= LONG or label)
    ]
    return Scores(tuple(sample for sample, _ in rows), np.asarray([logits.mean() for _, logits in rows]))


def by_speech(seconds: float, parts: Sequence[Scores], threshold: float, rate: float) -> SpeechCalibration:
    """The calibration of voices of about so much speech, a part a condition: of the genuine ones of each part at most
    `rate` come to the threshold."""
    fitted = fit(np.concatenate([p.logits for p in parts]), np.concatenate([p.labels for p in parts]))
    highest = max(threshold_for_false_alarm(p.genuine, rate) for p in parts)
    bias = min(fitted.bias, logit(threshold) - highest / fitted.temperature)
    return SpeechCalibration(
        seconds=seconds, temperature=round(fitted.temperature, 4), bias=float(np.floor(bias * 1000) / 1000)
    )


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
            counts, and at most `false_alarm_rate` come to `whole`'s threshold, by it or as a whole.
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
    threshold = whole.thresholds.likely_deepfake
    named, called = [], []
    for recordings in genuine:
        values = np.asarray([evidence(recording, plain) for recording in recordings])
        named.append(threshold_for_false_alarm(values, settings.named_rate))
        # Those called as a whole are, whatever a stretch is worth.
        values[[by_whole(recording, whole) >= threshold for recording in recordings]] = np.inf
        called.append(threshold_for_false_alarm(values, settings.false_alarm_rate))
    least = max(named)
    most = max(least + 0.1, *(value for value in called if np.isfinite(value)))
    temperature = (most - least) / logit(threshold)
    return plain.model_copy(
        update={
            "temperature": round(temperature, 4),
            "bias": float(np.floor(-1000 * least / temperature) / 1000),
        }
    )


def evidence(recording: Recording, calibration: StretchCalibration) -> float:
    """That of the recording's strongest stretch."""
    return max(strongest(voice.logits, recording.windows, calibration) for voice in recording.voices)


def by_whole(recording: Recording, calibration: VoiceCalibration) -> float:
    """The probability of the most suspicious voice as a whole."""
    return max(
        float(calibration.for_speech(voice.speech).probability(calibration.aggregation(voice.logits)))
        for voice in recording.voices
    )


def logit(probability: float) -> float:
    """Log odds."""
    return float(np.log(probability / (1 - probability)))
