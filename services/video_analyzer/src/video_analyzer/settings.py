"""Settings of the video service, beside those that every service has."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from sg_common.media import FrameBudget
from sg_common.settings import ServiceSettings, model_dir_field

_BUDGET = FrameBudget()


class VideoSettings(ServiceSettings):
    """Environment variables with the prefix `SG_`."""

    port: int = Field(default=8001, ge=0, le=65535, description="port to listen on")
    model_dir: Path | None = model_dir_field("video")
    face_detector_dir: Path | None = Field(default=None, description="another bundle instead of models/face_detector")

    video_whole_seconds: float = Field(
        default=_BUDGET.whole_seconds, ge=0, description="clips up to this long are decoded whole"
    )
    video_whole_frames: int = Field(
        default=_BUDGET.whole_frames, ge=1, description="spread frames judged of such a clip"
    )
    video_long_frames: int = Field(default=_BUDGET.long_frames, ge=1, description="most frames judged of a longer clip")
    video_extra_frames: int = Field(
        default=_BUDGET.extra_frames, ge=0, description="most frames decoded besides the key frames of a longer clip"
    )
    video_max_frame_side: int = Field(
        default=_BUDGET.max_side, ge=160, description="larger frames are scaled down to this longer side, pixels"
    )

    video_min_face_pixels: float | None = Field(
        default=None, gt=0, description="longer side of the smallest face that is judged; default: the bundle's"
    )
    video_max_faces: int = Field(default=8, ge=1, description="most faces followed in a frame, largest first")
    video_batch_size: int = Field(default=4, ge=1, le=256, description="faces that the model judges at a time")

    def frame_budget(self) -> FrameBudget:
        return FrameBudget(
            whole_seconds=self.video_whole_seconds,
            whole_frames=self.video_whole_frames,
            long_frames=self.video_long_frames,
            extra_frames=self.video_extra_frames,
            max_side=self.video_max_frame_side,
        )
