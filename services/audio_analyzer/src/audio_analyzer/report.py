"""The audio analyzer's answer."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from sg_common.analysis import Answer, Report


class Segment(Answer):
    """A judged stretch of the file; neighbours overlap as the windows do."""

    start: float = Field(ge=0, description="seconds on the file's timeline")
    end: float = Field(ge=0, description="seconds on the file's timeline")
    deepfake_probability: float = Field(ge=0, le=1)


class AudioReport(Report):
    """How likely the speech is synthetic, cloned or converted, and the evidence along the timeline."""

    score_field: ClassVar[str] = "deepfake_probability"

    deepfake_probability: float = Field(ge=0, le=1, description="0.5 when nothing could be judged; see status")
    audio_duration: float = Field(ge=0, description="seconds from the timeline's beginning to the end of the sound")
    speech_duration: float = Field(ge=0, description="seconds of it that hold speech")
    sample_rate: int = Field(description="Hz that the model saw")
    segments: list[Segment]
