"""The audio analyzer's own settings, beside those that every service has."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from sg_common.settings import ServiceSettings, model_dir_field


class AudioSettings(ServiceSettings):
    """Settings of the audio service."""

    model_dir: Path | None = model_dir_field("audio")
    voice_activity_dir: Path | None = Field(
        default=None, description="another voice-activity bundle instead of models/voice_activity"
    )
    audio_batch_size: int = Field(default=4, ge=1, le=256, description="windows that the model scores at a time")
    audio_full_speech_seconds: float = Field(
        default=1200,
        ge=60,
        description="speech that is judged without a gap; of longer speech every second, fourth, ... window is judged",
    )
    audio_max_segments: int = Field(
        default=600, ge=1, description="most segments in an answer; more are merged with their neighbours"
    )
