"""What the video analyzer answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field
from sg_common.analysis import Answer, Report
from sg_common.verdict import Verdict
from sg_common.words.phrases import Finding, clock
from sg_common.words.shared import STAYS_UNCERTAIN, number, when

from video_analyzer import words

SHOWN = 3
"""Faces that the words name; the rest are counted."""

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

    def headline(self) -> Finding:
        if self._unsettled:
            return STAYS_UNCERTAIN(why=self.limits[0])
        suspects = self._with(self.verdict)
        match self.verdict:
            case Verdict.LIKELY_DEEPFAKE:
                if suspects:
                    return words.PROBABLY_CHANGED(when=span(suspects[:1]))
                return words.FACES_PROBABLY_CHANGED(when=self._judged_span())
            case Verdict.UNCERTAIN:
                return words.SOME_SIGNS(when=span(suspects[:1]) if suspects else self._judged_span())
            case Verdict.LIKELY_AUTHENTIC:
                return words.NO_SIGN(when=span(suspects) if suspects else self._judged_span())
        return super().headline()

    def findings(self) -> list[Finding]:
        if self.verdict is Verdict.INCONCLUSIVE or self._unsettled:
            return []
        agreeing = self._with(self.verdict)
        if not agreeing:
            found = [words.FACES_TOGETHER(when=self._judged_span())]
        elif self.verdict is Verdict.LIKELY_AUTHENTIC:
            found = [words.NOTHING_FOUND(count=len(agreeing), when=span(agreeing))]
            found += [words.FACE_STILL(when=span([face])) for face in self._with(Verdict.UNCERTAIN)[:SHOWN]]
        else:
            say = words.FACE_SUSPICIOUS if self.verdict is Verdict.LIKELY_DEEPFAKE else words.FACE_DOUBTFUL
            found = [say(when=span([face]), score=number(face.manipulation_probability)) for face in agreeing[:SHOWN]]
            if more := len(agreeing) - len(found):
                found.append(words.MORE_FACES(count=more))
        if self.verdict is not Verdict.LIKELY_AUTHENTIC and self.suspicious_frames:
            found.append(words.STRONGEST_MOMENT(time=clock(self.suspicious_frames[0].time)))
        if agreeing and (brief := len(self._with(Verdict.INCONCLUSIVE))):
            found.append(words.FACES_TOO_BRIEF(count=brief))
        return found

    def scope(self) -> list[Finding]:
        return [words.SCOPE()]

    @property
    def _unsettled(self) -> bool:
        """Whether something that was missing keeps the verdict uncertain, whatever the score."""
        return bool(self.limits) and self.limits[0].phrase in words.UNSETTLED

    def _with(self, verdict: Verdict) -> list[FaceTrack]:
        """The faces that alone would be called so, the most suspicious first."""
        faces = [face for face in self.faces if face.verdict is verdict]
        return sorted(faces, key=lambda face: -face.manipulation_probability)

    def _judged_span(self) -> Finding:
        return when(self.timeline[0].time, self.timeline[-1].time)


def span(faces: Sequence[FaceTrack]) -> Finding:
    """When these faces are seen, as a part of a sentence."""
    return when(min(face.first_seen for face in faces), max(face.last_seen for face in faces))
