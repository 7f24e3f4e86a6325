"""What is said of each voice, and of the file by its most suspicious one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sg_common.bundle.calibration import Logits, VoiceCalibration
from sg_common.verdict import DEFAULT_POLICY, Policy

from audio_analyzer.model import SAMPLE_RATE
from audio_analyzer.report import Segment, SuspiciousSegment
from audio_analyzer.scoring import ScoredWindow
from audio_analyzer.sound import Sounds
from audio_analyzer.stretches import NAMED, Stretch, find_stretches, span, strength


@dataclass(frozen=True)
class Judgement:
    """A voice's probability: that of its whole speech, or of its strongest run of windows where that is higher and at
    least doubtful. `stretches` are named, strongest first; the whole voice is one where no part stands out."""

    probability: float
    stretches: Sequence[Stretch]


def judge(
    logits: npt.ArrayLike,
    sounds: Sounds,
    speech_seconds: float,
    of: int,
    calibration: VoiceCalibration,
    *,
    policy: Policy = DEFAULT_POLICY,
) -> Judgement:
    """Judge one voice; whatever the policy calls a deepfake has a stretch that is named (raises as `calibration.at`).

    Args:
        logits: of its judged windows in order, (N,), N at least 1, as the common calibration reads them.
        sounds: how these windows sound, (N, BANDS).
        speech_seconds: how much it speaks.
        of: the number of judged windows in the file, on all channels.
        calibration: the bundle's.
        policy: the operating point.
    """
    named = min(NAMED, calibration.at(policy).likely_deepfake)
    values: Logits = np.asarray(logits, np.float64)
    whole = float(calibration.for_speech(speech_seconds).probability(calibration.aggregation(values)))
    parts = calibration.stretches if values.size > 1 else None
    found, probability = [], whole
    if parts is not None:
        run = strength(values, of, parts)
        found = find_stretches(values, sounds, of, parts, named) if run >= named else []
        probability = max(whole, run) if run >= parts.doubtful else whole
    if probability >= named and [stretch.count for stretch in found] in ([], [values.size]):
        found = [Stretch(0, values.size, probability)]
    return Judgement(probability, found)


@dataclass(frozen=True)
class HeardVoice:
    """A judged voice. `channel`: null where all channels are one; `logits` as the common calibration reads them."""

    number: int
    channel: int | None
    windows: Sequence[ScoredWindow]
    logits: Logits
    judgement: Judgement


def suspicious_segments(voices: Sequence[HeardVoice]) -> list[SuspiciousSegment]:
    """The stretches of all voices, strongest first."""
    made = []
    for voice in voices:
        times = [(window.start / SAMPLE_RATE, window.end / SAMPLE_RATE) for window in voice.windows]
        for stretch in voice.judgement.stretches:
            start, end = span(times, stretch)
            made.append(
                SuspiciousSegment(
                    start=start,
                    end=end,
                    channel=voice.channel,
                    voice=voice.number,
                    deepfake_probability=stretch.probability,
                )
            )
    return sorted(made, key=lambda segment: (-segment.deepfake_probability, segment.start))


def segments(voices: Sequence[HeardVoice], calibration: VoiceCalibration, limit: int) -> list[Segment]:
    """The evidence along the timeline, in order of time: a segment per window, or per run of a voice's neighbours where
    all are over `limit`."""
    size = -(-sum(len(voice.windows) for voice in voices) // max(1, limit - len(voices) + 1)) or 1
    made = [
        Segment(
            start=voice.windows[first].start / SAMPLE_RATE,
            end=voice.windows[min(first + size, len(voice.windows)) - 1].end / SAMPLE_RATE,
            deepfake_probability=float(calibration.probability(voice.logits[first : first + size].mean())),
        )
        for voice in voices
        for first in range(0, len(voice.windows), size)
    ]
    return sorted(made, key=lambda segment: segment.start)
