"""The evidence of one clip: frames, tracks and the verdict they support."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from sg_common.analysis import UNKNOWN_PROBABILITY, Status
from sg_common.bundle.calibration import FaceCalibration
from sg_common.verdict import DEFAULT_POLICY, Policy, Verdict
from sg_common.words.phrases import Finding

from video_analyzer import words
from video_analyzer.following import Box
from video_analyzer.report import FaceTrack, SuspiciousFrame, TimelinePoint
from video_analyzer.tracks import Track

TIMELINE_POINTS = 500
SUSPICIOUS_FRAMES = 10
FULL_SUPPORT = 3
"""Different judged frames that a verdict needs: one frame, or two, can't accuse or acquit anybody."""
LEAST_SECONDS = 0.5
"""How far apart the first and the last of them must lie."""
LARGEST_SUPPORT = 8
FRAMES_PER_SUPPORT = 16


def needed_support(judged_frames: int) -> int:
    """Different judged frames that a track of its own needs among a clip's.

    Three; a sixteenth of all where that is more (a face of a tenth of a second within minutes of video is as
    likely the detector's error), eight at most (a face seen for one second must count).
    """
    return min(LARGEST_SUPPORT, max(FULL_SUPPORT, -(-judged_frames // FRAMES_PER_SUPPORT)))


class Timeline:
    """Frames with their scores, at most `limit` of them: neighbours are merged, the worse one stays."""

    def __init__(self, limit: int = TIMELINE_POINTS) -> None:
        self._limit = limit
        self._stride = 1
        self._count = 0
        self._points: list[TimelinePoint] = []

    def add(self, point: TimelinePoint) -> None:
        """Add the next point in order of time."""
        bucket = self._count // self._stride
        self._count += 1
        if bucket < len(self._points):
            self._points[-1] = worse(self._points[-1], point)
            return
        self._points.append(point)
        if len(self._points) > self._limit:
            pairs = [self._points[i : i + 2] for i in range(0, len(self._points), 2)]
            self._points = [worse(pair[0], pair[-1]) for pair in pairs]
            self._stride *= 2

    def points(self) -> list[TimelinePoint]:
        return list(self._points)


def worse(a: TimelinePoint, b: TimelinePoint) -> TimelinePoint:
    """The point with the higher score, the earlier one of equals."""
    return b if b.inconsistency_score > a.inconsistency_score else a


@dataclass(frozen=True)
class JudgedFace:
    """One judged face of a frame. `logit`: the model's own; `pixels`: the face's longer side, pixels of the frame."""

    track: Track
    logit: float
    box: Box
    pixels: float


@dataclass(frozen=True)
class Conclusion:
    """What the evidence of a clip supports.

    Attributes:
        logit: the aggregated logit behind the probability; None where nothing could be judged.
        reason: why it is not a full verdict and what to do about it, else None. Whoever tells it adds the `count` of
            analysed frames.
    """

    logit: float | None
    probability: float
    verdict: Verdict
    status: Status
    reason: Finding | None


@dataclass
class ClipEvidence:
    """Collects the scores of one clip; its memory does not grow with the frames but by 8 bytes a face.

    Attributes:
        judged_frames: frames in which at least one face was judged.
        judged_faces: faces judged in them.
        stray_logits, stray_different: of tracks that were dropped for there being too many.
        judged_seconds: from the first judged frame to the last.
    """

    calibration: FaceCalibration
    policy: Policy = DEFAULT_POLICY
    judged_frames: int = 0
    judged_faces: int = 0
    stray_logits: array[float] = field(default_factory=lambda: array("d"))
    stray_different: int = 0
    judged_seconds: float = 0.0
    timeline: Timeline = field(default_factory=Timeline)
    _first_judged: float | None = None
    _worst: list[tuple[float, int, SuspiciousFrame]] = field(default_factory=list)
    _face_pixels: float = 0.0

    @property
    def face_pixels(self) -> float:
        """Mean longer side of the judged faces, pixels of their frames; 0 without any."""
        return self._face_pixels / max(1, self.judged_faces)

    def add_frame(self, number: int, time: float, faces: Iterable[JudgedFace]) -> None:
        """Take in a frame's judged faces; frames come in order of time."""
        judged = [replace(face, logit=float(self.calibration.without_size(face.logit, face.pixels))) for face in faces]
        if not judged:
            return
        self.judged_frames += 1
        self._first_judged = time if self._first_judged is None else self._first_judged
        self.judged_seconds = time - self._first_judged
        self.judged_faces += len(judged)
        self._face_pixels += sum(face.pixels for face in judged)
        for face in judged:
            face.track.logits.append(face.logit)
        worst = max(judged, key=lambda face: face.logit)
        score = float(self.calibration.probability(worst.logit))
        self.timeline.add(TimelinePoint(time=time, frame_number=number, inconsistency_score=score))
        if score < self.calibration.at(self.policy).likely_authentic:
            return
        frame = SuspiciousFrame(frame_number=number, time=time, inconsistency_score=score, box=worst.box)
        heapq.heappush(self._worst, (score, -number, frame))
        if len(self._worst) > SUSPICIOUS_FRAMES:
            heapq.heappop(self._worst)

    def suspicious_frames(self) -> list[SuspiciousFrame]:
        """Worst first, the earlier of equals first."""
        return [frame for _, _, frame in sorted(self._worst, key=lambda entry: entry[:2], reverse=True)]

    def faces(self, tracks: Iterable[Track]) -> list[FaceTrack]:
        """The tracks in order of first appearance."""
        return [self._face(track) for track in sorted(tracks, key=lambda track: track.number)]

    def _face(self, track: Track) -> FaceTrack:
        probability, verdict = UNKNOWN_PROBABILITY, Verdict.INCONCLUSIVE
        if (logit := self._track_logit(track)) is not None:
            judged = self._judged(logit)
            probability, verdict = judged.probability, Verdict.UNCERTAIN if track.motion.still else judged.verdict
        return FaceTrack(
            track=track.number,
            first_seen=track.first_seen,
            last_seen=track.last_seen,
            frames=len(track.logits),
            seconds=track.motion.seconds,
            manipulation_probability=probability,
            verdict=verdict,
        )

    def conclude(self, tracks: Iterable[Track]) -> Conclusion:
        """The clip's probability and verdict.

        The most suspicious of the tracks with enough judged frames in which the face moves decides: a photograph on the
        wall does not. Where none has enough (short shots of many people), all judged faces count together as one
        track. With two different frames, within half a second, or where nothing in any face moves, the probability
        stands but the verdict is `uncertain`; with one judged frame the clip is inconclusive.
        """
        kept = list(tracks)
        supported = [(track, logit) for track in kept if (logit := self._track_logit(track)) is not None]
        if supported:
            alive = [logit for track, logit in supported if not track.motion.still]
            if alive:
                return self._judged(max(alive))
            conclusion = self._judged(max(logit for _, logit in supported))
            return replace(conclusion, verdict=Verdict.UNCERTAIN, reason=words.NOTHING_MOVES(advice=words.ALIVE()))
        if self.judged_frames < FULL_SUPPORT - 1:
            lacking = words.NO_FIT_FACE if self.judged_frames == 0 else words.ONE_FRAME
            reason = lacking(needed=FULL_SUPPORT, advice=words.MORE())
            return Conclusion(None, UNKNOWN_PROBABILITY, Verdict.INCONCLUSIVE, Status.INCONCLUSIVE, reason)
        pooled = array("d", self.stray_logits)
        for track in kept:
            pooled.extend(track.logits)
        conclusion = self._judged(self._aggregate(pooled))
        different = sum(track.motion.different for track in kept) + self.stray_different
        if self.judged_frames < FULL_SUPPORT:
            reason = words.TWO_FRAMES(needed=FULL_SUPPORT, advice=words.MORE())
        elif self.judged_seconds < LEAST_SECONDS:
            seconds = f"{self.judged_seconds:.1f}"
            reason = words.TOO_SHORT(seconds=seconds, needed=f"{LEAST_SECONDS:g}", advice=words.MORE())
        elif different < FULL_SUPPORT:
            reason = words.SAME_PICTURE(needed=FULL_SUPPORT, advice=words.MORE())
        else:
            return conclusion
        return replace(conclusion, verdict=Verdict.UNCERTAIN, reason=reason)

    def _judged(self, logit: float) -> Conclusion:
        probability = float(self.calibration.probability(logit))
        return Conclusion(logit, probability, self.calibration.verdict(probability, self.policy), Status.SUCCESS, None)

    def _aggregate(self, logits: array[float]) -> float:
        return self.calibration.aggregation(np.asarray(logits, np.float64))

    def _track_logit(self, track: Track) -> float | None:
        """None where the track has too few different judged frames, or those lie too close together."""
        if track.motion.different < needed_support(self.judged_frames) or track.motion.seconds < LEAST_SECONDS:
            return None
        return self._aggregate(track.logits)
