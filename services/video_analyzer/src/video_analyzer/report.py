"""What the video analyzer answers."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field
from sg_common.analysis import Answer, Report
from sg_common.verdict import Verdict

Probability = Annotated[float, Field(ge=0, le=1)]


class FaceTrack(Answer):
    """One face followed through the clip."""

    track: int = Field(ge=1, description="number of the track, in order of first appearance")
    first_seen: float = Field(ge=0, description="seconds")
    last_seen: float = Field(ge=0, description="seconds")
    frames: int = Field(ge=0, description="frames in which the face was judged")
    seconds: float = Field(ge=0, description="from the first of these frames to the last")
    manipulation_probability: Probability = Field(
        description="0.5 (unknown) where the face could be judged in too few frames"
    )
    verdict: Verdict = Field(
        description="of this face alone: `inconclusive` where it could be judged in too few frames, `uncertain` where "
        "nothing in it moves but the camera"
    )


class TimelinePoint(Answer):
    """One analysed frame in which a face was judged."""

    time: float = Field(ge=0, description="seconds")
    frame_number: int = Field(ge=0, description="the frame's place in the stream, the first is 0")
    inconsistency_score: Probability = Field(description="calibrated score of the frame's worst judged face")


class SuspiciousFrame(Answer):
    """A frame that a person should look at."""

    frame_number: int = Field(ge=0, description="the frame's place in the stream, the first is 0")
    time: float = Field(ge=0, description="seconds")
    inconsistency_score: Probability = Field(description="calibrated score of the face in `box`")
    box: tuple[int, int, int, int] = Field(
        description="the face as [x, y, width, height], pixels of the video as displayed (rotation applied), "
        "from the top left corner"
    )


class VideoReport(Report):
    """How likely the faces of a video are manipulated, and the evidence."""

    score_field: ClassVar[str] = "manipulation_probability"

    manipulation_probability: Probability = Field(description="0.5 when nothing could be judged (see `status`)")
    total_frames: int = Field(ge=0, description="frames of the stream")
    analyzed_frames: int = Field(ge=0, description="frames searched for faces")
    video_duration: float = Field(ge=0, description="seconds")
    fps: float = Field(ge=0, description="frames per second, on average")
    resolution: str = Field(description="width x height of the video as displayed", examples=["1920x1080"])
    faces: list[FaceTrack] = Field(description="every face that was followed, in order of first appearance")
    timeline: list[TimelinePoint] = Field(
        description="in order of time; where there would be more than 500 points, each stands for its "
        "neighbourhood's worst frame"
    )
    suspicious_frames: list[SuspiciousFrame] = Field(
        max_length=10, description="worst first; only frames that alone would not pass as likely authentic"
    )
