"""Judge one video: frames in, faces followed, crops judged, a report out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from sg_common.analysis import AnalysisOptions, Job, LoadedModel, sha256_of
from sg_common.bundle.calibration import FaceCalibration
from sg_common.media import VideoInfo, open_video, read_provenance
from sg_common.provenance import Provenance
from sg_common.words import shared
from sg_common.words.phrases import Finding

from video_analyzer import words
from video_analyzer.detector import FaceDetector
from video_analyzer.following import FaceFollower, FoundFace
from video_analyzer.model import FaceModel
from video_analyzer.quality import QualityGates, describe
from video_analyzer.report import VideoReport
from video_analyzer.scoring import ClipEvidence, Conclusion, JudgedFace
from video_analyzer.settings import VideoSettings


class VideoAnalyzer:
    """The video expert. Loading checks the bundles; `analyze` may run in several threads.

    Raises:
        BundleError: a bundle is missing, altered, or not what this service needs.
    """

    kind: ClassVar[str] = "video"

    def __init__(self, settings: VideoSettings) -> None:
        self._settings = settings
        runtime = settings.runtime()
        self._model = FaceModel.load(
            settings.model_dir or settings.bundle_dir("video"), runtime, settings.model_variant
        )
        self._detector = FaceDetector.load(settings.face_detector_dir or settings.bundle_dir("face_detector"), runtime)
        self._gates = QualityGates(settings.video_min_face_pixels or self._model.input.min_face_pixels)

    @property
    def model(self) -> LoadedModel:
        return self._model.info

    def check(self, options: AnalysisOptions) -> None:
        self._model.calibration.at(options.policy)

    def analyze(self, path: Path, options: AnalysisOptions, job: Job) -> VideoReport:
        """Judge the faces of one video file.

        Memory holds one frame and the crops of one batch, however long the video is.

        Raises:
            InvalidOption: the bundle has no such operating point.
            ServiceError: as in `sg_common.errors`; `MissingStream` when the file has no video.
        """
        clip = self._read(path, options, job, self._model.calibration)
        checks, limits = self._settings.credential_checks(), self._settings.decode_limits()
        provenance = read_provenance(path, clip.claims, checks=checks, limits=limits, job=job)
        return self._report(clip, options, job, sha256_of(path, job), provenance)

    def examine(self, path: Path, options: AnalysisOptions, job: Job) -> Examination:
        """Judge a file as `analyze` does and give what calibration is fitted on; raises the same.

        Logits are the model's own: whoever fits takes out what the size of the face puts into them.
        """
        clip = self._read(path, options, job, self._model.calibration.model_copy(update={"face_size": None}))
        return Examination(clip.evidence.conclude(clip.follower.tracker.tracks), clip.evidence.face_pixels)

    def _read(self, path: Path, options: AnalysisOptions, job: Job, calibration: FaceCalibration) -> _Clip:
        self.check(options)
        with open_video(
            path,
            sample_rate=options.sample_rate,
            budget=self._settings.frame_budget(),
            limits=self._settings.decode_limits(),
            job=job,
        ) as reader:
            evidence = ClipEvidence(calibration, options.policy)
            clip = _Clip(reader.info, reader.claims, evidence, self._follower())
            for frame in reader:
                job.check()
                if reader.info.palette:
                    break
                faces = clip.follower.faces(frame)
                if faces:
                    clip.waiting.append(_WaitingFrame(frame.number, frame.time, faces))
                if clip.pending_crops >= self._settings.video_batch_size:
                    self._judge(clip, job)
                job.progress(frame.time, reader.info.duration)
            self._judge(clip, job)
            clip.cut_off = reader.cut_off
            return clip

    def _follower(self) -> FaceFollower:
        return FaceFollower(self._detector, self._model.input, self._gates, self._settings.video_max_faces)

    def _judge(self, clip: _Clip, job: Job) -> None:
        """Score the waiting crops, a batch at a time, and take in their frames."""
        waiting = [face for frame in clip.waiting for face in frame.faces]
        logits: list[float] = []
        for start in range(0, len(waiting), self._settings.video_batch_size):
            job.check()
            batch = waiting[start : start + self._settings.video_batch_size]
            logits.extend(self._model.logits([face.crop for face in batch]))
        scored = iter(logits)
        for frame in clip.waiting:
            judged = [JudgedFace(face.track, next(scored), face.box, face.pixels) for face in frame.faces]
            clip.evidence.add_frame(frame.number, frame.time, judged)
        clip.waiting.clear()
        for track in clip.follower.tracker.prune():
            clip.evidence.stray_logits.extend(track.logits)
            clip.evidence.stray_different += track.motion.different

    def _report(
        self, clip: _Clip, options: AnalysisOptions, job: Job, sha256: str, provenance: Provenance | None
    ) -> VideoReport:
        tracks, evidence, info = clip.follower.tracker.tracks, clip.evidence, clip.info
        conclusion = evidence.conclude(tracks)
        point = self._model.calibration.at(options.policy)
        return VideoReport(
            manipulation_probability=conclusion.probability,
            verdict=conclusion.verdict,
            status=conclusion.status,
            total_frames=info.total_frames,
            analyzed_frames=clip.follower.frames,
            video_duration=info.duration,
            fps=info.fps,
            resolution=f"{info.width}x{info.height}",
            faces=evidence.faces(tracks),
            timeline=evidence.timeline.points(),
            suspicious_frames=evidence.suspicious_frames(),
            policy=options.policy,
            thresholds=point.alone,
            policy_rates=point.rates,
            sha256=sha256,
            provenance=provenance,
            model=self.model,
            processing_seconds=job.elapsed(),
            limits=(words.PALETTE(),) if info.palette else tuple(self._limits(clip, conclusion, options)),
        )

    def _limits(self, clip: _Clip, conclusion: Conclusion, options: AnalysisOptions) -> Iterator[Finding]:
        """What a person should know about the evidence."""
        if conclusion.reason is not None:
            yield _reason(clip, conclusion.reason, options)
        yield from describe(clip.follower.flaws, self._gates.min_face_pixels)
        if clip.follower.crowded_out:
            yield words.CROWD(count=self._settings.video_max_faces)
        if clip.cut_off:
            yield shared.CUT_OFF()


@dataclass(frozen=True)
class Examination:
    """What a clip gives before it is put into words. `face_pixels`: mean longer side of the judged faces, pixels of
    their frames."""

    conclusion: Conclusion
    face_pixels: float


@dataclass(frozen=True)
class _WaitingFrame:
    number: int
    time: float
    faces: list[FoundFace]


@dataclass
class _Clip:
    """The state of one analysis."""

    info: VideoInfo
    claims: dict[str, Any]
    evidence: ClipEvidence
    follower: FaceFollower
    waiting: list[_WaitingFrame] = field(default_factory=list)
    cut_off: bool = False

    @property
    def pending_crops(self) -> int:
        return sum(len(frame.faces) for frame in self.waiting)


def _reason(clip: _Clip, reason: Finding, options: AnalysisOptions) -> Finding:
    """Why there is no full verdict, and what the caller can do about it."""
    if not clip.follower.tracker.tracks:
        reason = words.NO_FACE(advice=words.MORE())
    if options.sample_rate is not None and options.sample_rate > 1 and reason.values["advice"] == words.MORE():
        reason = reason.but(advice=words.LOWER_RATE(rate=options.sample_rate))
    return reason.but(count=clip.follower.frames)
