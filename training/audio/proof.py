"""The operating points of voices, and what recordings of every length are told: the tables of the card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from audio_analyzer.stretches import span
from audio_analyzer.voices import judge
from numpy.typing import NDArray
from sg_common.bundle.calibration import VoiceCalibration
from sg_common.verdict import DECIMALS, DEFAULT_POLICY, OperatingPoint, Policy, Thresholds, Verdict

from training.audio.calls import CLIP_SPEECH, CONDITIONS, INSERTS, LENGTHS, Hearing, Material
from training.audio.conditions import CLEAN
from training.audio.pool import random_for
from training.audio.recipe import Calibrate, Recipe
from training.audio.recordings import Recording, with_windows
from training.audio.voices import SPANS, Materials, calibrated
from training.common.calibration import threshold_for_false_alarm
from training.common.cards import Row, percent, table
from training.common.metrics import Interval, auc, rate_at
from training.common.rates import POLICIES, by_clip
from training.common.scores import Scores

PLACED_SECONDS = 2.0
"""How far start and end of a named stretch may be from the synthetic voice's."""
STEP = 10.0**-DECIMALS
"""Of probabilities."""

Array = NDArray[np.float64]
Nested = Mapping[int, VoiceCalibration]
"""For every fold the calibration that never met it."""


def probabilities(material: Material, calibrations: Nested) -> Array:
    """Of every clip, by the calibration of its fold."""
    return np.asarray(
        [
            float(calibrations[s.fold].for_speech(speech).probability(x))
            for s, speech, x in zip(material.clips.samples, material.speech, material.clips.logits, strict=True)
        ]
    )


def whole_clips(material: Material, values: Array, least: float = SPANS[0][0]) -> Scores:
    """The clips as they are, with probabilities in place of logits, that speak for `least` seconds."""
    clips = Scores(material.clips.samples, values)
    return clips.at(np.flatnonzero(material.whole & (material.speech >= least)))


def threshold(parts: Sequence[Scores], rate: float) -> float:
    """The lowest probability to which at most `rate` of the genuine clips of every part come."""
    highest = max(threshold_for_false_alarm(part.genuine, rate) for part in parts)
    return round(highest + STEP, DECIMALS)  # the limit is just above the highest probability that must not come to it


def at_rate(materials: Materials, common: VoiceCalibration, plain: Nested, settings: Calibrate) -> VoiceCalibration:
    """The common calibration with the default policy's threshold set on clips that speak enough for it, under the
    worst condition."""
    clips = [whole_clips(m, probabilities(m, plain), CLIP_SPEECH) for m in materials.values()]
    high = threshold(clips, settings.false_alarm_rate)
    limits = Thresholds(likely_authentic=common.thresholds.likely_authentic, likely_deepfake=high)
    return common.model_copy(update={"thresholds": limits, "operating_points": {}})


def operating_points(
    materials: Materials, shipped: VoiceCalibration, calibrations: Nested, rates: Mapping[Policy, float]
) -> dict[Policy, OperatingPoint]:
    """Every policy's thresholds, and their rates on clips as found at thresholds that never met the clip's fold.

    The default policy's thresholds are the calibration's (`at_rate`); another one's `likely_deepfake` is where its rate
    of all genuine clips come to it, under the worst condition.
    """
    everybody = [whole_clips(m, probabilities(m, dict.fromkeys(calibrations, shipped))) for m in materials.values()]
    unmet = {name: whole_clips(m, probabilities(m, calibrations)) for name, m in materials.items()}
    points: dict[Policy, OperatingPoint] = {}
    for policy, rate in rates.items():
        high = shipped.thresholds.likely_deepfake if policy == DEFAULT_POLICY else threshold(everybody, rate)
        clean = unmet[CLEAN]
        limits = {
            fold: threshold([part.where(lambda s, f=fold: s.fold != f) for part in unmet.values()], rate)  # type: ignore[misc]
            for fold in calibrations
        }
        called = clean.logits >= [limits[s.fold] for s in clean.samples]
        alarms = by_clip(called[clean.labels == 0], [s for s in clean.samples if not s.label])
        points[policy] = OperatingPoint(
            likely_authentic=min(shipped.thresholds.likely_authentic, high),
            likely_deepfake=high,
            false_alarm_rate=alarms.value,
            false_alarm_interval=(alarms.low, alarms.high),
            detection_rate=float(called[clean.labels == 1].mean()),
        )
    return points


@dataclass(frozen=True)
class Told:
    """What a recording is told: its verdict, the named stretches (channel, start, end), and the verdict by the mean of
    all its windows, as before there were voices and stretches."""

    verdict: Verdict
    named: Sequence[tuple[int, float, float]]
    before: Verdict

    def placed(self, place: tuple[int, float, float]) -> bool:
        """Whether a stretch is named there."""
        channel, *span = place
        return any(
            at == channel and np.abs(np.subtract((start, end), span)).max() <= PLACED_SECONDS
            for at, start, end in self.named
        )


def tell(recording: Recording, calibration: VoiceCalibration, points: Thresholds) -> Told:
    """Judge a recording as the service does, at thresholds."""
    best = 0.0
    named: list[tuple[int, float, float]] = []
    for channel, voice in enumerate(recording.voices):
        if not len(voice.logits) or voice.speech < SPANS[0][0]:
            continue
        judged = judge(voice.logits, voice.sounds, voice.speech, recording.windows, calibration)
        best = max(best, judged.probability)
        named += [(channel, *span(voice.times, stretch)) for stretch in judged.stretches]
    verdict = points.verdict(best)
    mean = np.concatenate([voice.logits for voice in recording.voices]).mean()
    before = calibration.thresholds.verdict(float(calibration.probability(mean)))
    return Told(verdict, () if verdict is Verdict.LIKELY_AUTHENTIC else named, before)


def share(told: Sequence[Told], verdict: Verdict, *, before: bool = False) -> float:
    """Of recordings that get a verdict."""
    return float(np.mean([(t.before if before else t.verdict) is verdict for t in told]))


def genuine_table(materials: Materials, calibrations: Nested) -> str:
    """What genuine recordings of every length are told."""
    rows: list[Row] = []
    for condition, material in materials.items():
        for minutes, recordings in material.genuine.items():
            told = _told(recordings, calibrations)
            rows.append(
                (
                    condition,
                    f"{minutes:g} min, drawn" if minutes else "as found",
                    len(told),
                    percent(share(told, Verdict.LIKELY_DEEPFAKE)),
                    percent(float(np.mean([bool(t.named) for t in told]))),
                    percent(share(told, Verdict.LIKELY_AUTHENTIC)),
                    percent(share(told, Verdict.LIKELY_DEEPFAKE, before=True)),
                    percent(share(told, Verdict.LIKELY_AUTHENTIC, before=True)),
                )
            )
    header = ("condition", "length", "recordings", "called fake", "with a named stretch", "cleared", *BEFORE)
    return table(header, rows)


BEFORE = ("called before", "cleared before")


def calls_table(materials: Materials, calibrations: Nested) -> str:
    """What calls with a synthetic voice are told."""
    rows: list[Row] = []
    for condition, material in materials.items():
        for (seconds, how), calls in material.calls.items():
            rows.append((condition, how, f"{seconds:g} s", *_found(calls, calibrations)))
    return table(("condition", "the voice speaks", "for", *FOUND), rows)


FOUND = ("calls", "called fake", "named", "named in its place", "cleared", *BEFORE)


def long_table(materials: Materials, calibrations: Nested, seed: int) -> str:
    """What long recordings with a synthetic voice of 12 s are told."""
    rows: list[Row] = []
    seconds = max(INSERTS)
    for condition, material in materials.items():
        alone = material.calls[seconds, "other channel"]
        for minutes, stride in LENGTHS.items():
            calls = []
            for call in alone:
                rng = random_for(seed, "long", minutes, call.source)
                hosts = [r for r in material.genuine[minutes] if r.fold == call.fold]
                if len(call.voices[1].logits):
                    host = hosts[int(rng.integers(len(hosts)))]
                    calls.append(with_windows(host, call.voices[1], call.source, stride, rng))
            rows.append((condition, f"{minutes:g} min", *_found(calls, calibrations)))
    return table(("condition", "length", *FOUND), rows)


def _found(calls: Sequence[Recording], calibrations: Nested) -> Row:
    told = _told(calls, calibrations)
    placed = [t.placed(call.place) for t, call in zip(told, calls, strict=True) if call.place]
    return (
        len(told),
        percent(share(told, Verdict.LIKELY_DEEPFAKE)),
        percent(float(np.mean([bool(t.named) for t in told]))),
        percent(float(np.mean(placed))),
        percent(share(told, Verdict.LIKELY_AUTHENTIC)),
        percent(share(told, Verdict.LIKELY_DEEPFAKE, before=True)),
        percent(share(told, Verdict.LIKELY_AUTHENTIC, before=True)),
    )


def _told(recordings: Sequence[Recording], calibrations: Nested) -> list[Told]:
    return [tell(r, calibrations[r.fold], calibrations[r.fold].thresholds) for r in recordings]


def sound_table(materials: Materials) -> str:
    """How alike windows of one genuine voice sound that do not overlap, beside a synthetic voice's channel."""
    rows: list[Row] = []
    for condition, material in materials.items():
        hosts = [call.voices[0].sounds for call in material.calls[max(INSERTS), "other channel"]]
        changes = np.concatenate([sounds[2:] - sounds[:-2] for sounds in hosts]) / np.sqrt(2)
        variances = np.linalg.eigvalsh(changes.T @ changes / len(changes))
        independent = np.square(variances.sum()) / np.square(variances).sum()
        rows.append((condition, len(changes), f"{np.sqrt(variances.mean()):.1f} dB", f"{independent:.1f}"))
    return table(("condition", "pairs of windows", "standard deviation of a band", "independent bands"), rows)


def speech_table(materials: Materials, calibrations: Nested) -> str:
    """Clips by how much they speak, those that were cut short among them."""
    rows: list[Row] = []
    for condition, material in materials.items():
        values = probabilities(material, calibrations)
        for low, high in (*SPANS, (CLIP_SPEECH, np.inf)):
            spoken = (material.speech >= low) & (material.speech < high)
            part = Scores(material.clips.samples, values).at(np.flatnonzero(spoken))
            limits = next(iter(calibrations.values())).thresholds
            rows.append(
                (
                    condition,
                    f"{low:g} to {high:g} s" if np.isfinite(high) else f"{low:g} s and more",
                    f"{part.genuine.size} / {part.fake.size}",
                    part.interval(auc),
                    percent(rate_at(part.genuine, limits.likely_deepfake)),
                    percent(rate_at(part.fake, limits.likely_deepfake)),
                    percent(1 - rate_at(part.genuine, limits.likely_authentic)),
                )
            )
    header = ("condition", "speech", "real / fake", "AUC", "real called fake", "fakes called", "real cleared")
    return table(header, rows)


def policy_table(points: Mapping[Policy, OperatingPoint]) -> str:
    """The operating points."""
    rows: list[Row] = [
        (
            policy,
            f"{point.likely_authentic:g}",
            f"{point.likely_deepfake:g}",
            percent(Interval(point.false_alarm_rate, *point.false_alarm_interval)),
            percent(point.detection_rate),
        )
        for policy, point in points.items()
    ]
    return table(("policy", "likely_authentic below", "likely_deepfake from", "real called fake", "fakes called"), rows)


def report(materials: Materials, calibrations: Nested, points: Mapping[Policy, OperatingPoint], seed: int) -> str:
    """All tables as Markdown."""
    sections = [
        ("Policies, on clips as found", policy_table(points)),
        ("Short speech", speech_table(materials, calibrations)),
        ("Genuine recordings", genuine_table(materials, calibrations)),
        ("Calls of half a minute with a synthetic voice", calls_table(materials, calibrations)),
        ("Long recordings with a synthetic voice of 12 s", long_table(materials, calibrations, seed)),
        ("Sound of a genuine voice", sound_table(materials)),
    ]
    return "\n\n".join(f"### {title}\n\n{body}" for title, body in sections)


def calibrate_voices(hearing: Hearing, common: VoiceCalibration, recipe: Recipe) -> tuple[VoiceCalibration, str]:
    """The calibration with speech, stretches and policies, and the card's tables by calibrations that never met a
    fold."""
    materials = {condition: hearing.under(condition) for condition in CONDITIONS}
    settings = recipe.calibrate
    folds = sorted({sample.fold for sample in hearing.clips})
    common = at_rate(materials, common, dict.fromkeys(folds, common.model_copy(update={"speech": ()})), settings)
    shipped = calibrated(materials, common, settings, lambda _: True)
    nested = {fold: calibrated(materials, common, settings, lambda f, held_out=fold: f != held_out) for fold in folds}  # type: ignore[misc]
    rates = {**POLICIES, DEFAULT_POLICY: settings.false_alarm_rate}
    points = operating_points(materials, shipped, nested, rates)
    figures = report(materials, nested, points, recipe.seed)
    return shipped.model_copy(update={"operating_points": points}), figures
