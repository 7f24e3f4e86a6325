"""The audio analyzer's answer."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field
from sg_common.analysis import Answer, Report
from sg_common.verdict import Verdict

Seconds = Annotated[float, Field(ge=0, description="seconds on the file's timeline")]
Probability = Annotated[float, Field(ge=0, le=1)]
Channel = Annotated[
    int | None, Field(ge=1, description="the channel that it is heard on, the first is 1; null where all are one")
]
VoiceNumber = Annotated[int, Field(ge=1, description="number of the voice, in order of channels")]


class Segment(Answer):
    """A judged stretch of the file; neighbours overlap as the windows do."""

    start: Seconds
    end: Seconds
    deepfake_probability: Probability


class Voice(Answer):
    """What is judged as one voice: the speech of a channel."""

    voice: VoiceNumber
    channel: Channel
    first_heard: Seconds
    last_heard: Seconds
    speech_seconds: float = Field(ge=0)
    deepfake_probability: Probability = Field(description="0.5 (unknown) where there is too little speech to judge it")
    verdict: Verdict


class SuspiciousSegment(Answer):
    """A stretch that a person should listen to."""

    start: Seconds
    end: Seconds
    channel: Channel
    voice: VoiceNumber
    deepfake_probability: Probability


class AudioReport(Report):
    """How likely the speech is synthetic, cloned or converted, and the evidence along the timeline."""

    score_field: ClassVar[str] = "deepfake_probability"

    deepfake_probability: float = Field(ge=0, le=1, description="0.5 when nothing could be judged; see status")
    audio_duration: float = Field(ge=0, description="seconds from the timeline's beginning to the end of the sound")
    speech_duration: float = Field(ge=0, description="seconds of it that hold speech")
    sample_rate: int = Field(description="Hz that the model saw")
    segments: list[Segment]
    voices: list[Voice] = Field(description="every voice that was heard; the most suspicious one decides")
    suspicious_segments: list[SuspiciousSegment] = Field(
        description="strongest first; empty unless the verdict is uncertain or likely_deepfake"
    )
