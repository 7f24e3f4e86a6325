"""Judge one video: frames in, faces followed, crops judged, a report out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from sg_common.analysis import AnalysisOptions, Job, ModelInfo, Status
from sg_common.bundle import load_bundle
from sg_common.errors import BundleError
from sg_common.media import Frame, VideoReader, open_video

from video_analyzer.calibration import as_logits, read_task_fields
from video_analyzer.detector import ClipSearch, Face, FaceDetector
from video_analyzer.quality import Flaw, QualityGates, describe, grey_face, inner
from video_analyzer.report import VideoReport
from video_analyzer.scoring import MORE, Box, ClipEvidence, Conclusion, JudgedFace
from video_analyzer.settings import VideoSettings
from video_analyzer.tracks import Track, Tracker, displayed

PALETTE = (
    "The picture has a palette of few colours, as a GIF has, which hides what is judged; "
    "send the video that it was made from."
)
CUT_OFF = "The file is cut off: its header promises more than is there. Send the whole file to have all of it judged."
ACCURACY_BUDGET = 0.01
"""AUC that a faster variant of the model may lose."""


class VideoAnalyzer:
    """The video expert. Loading checks the bundles; `analyze` may run in several threads.

    Raises:
        BundleError: a bundle is missing, altered, or not what this service needs.
    """

    kind: ClassVar[str] = "video"

    def __init__(self, settings: VideoSettings) -> None:
        self._settings = settings
        runtime = settings.runtime()
        self._bundle = load_bundle(
            settings.model_dir or settings.bundle_dir("video"),
            task="face-manipulation",
            runtime=runtime,
            variant=settings.model_variant,
            accuracy_budget=ACCURACY_BUDGET,
        )
        self._input, self._calibration = read_task_fields(self._bundle.spec)
        self._detector_bundle = load_bundle(
            settings.face_detector_dir or settings.bundle_dir("face_detector"), task="face-detection", runtime=runtime
        )
        try:
            self._detector = FaceDetector(self._detector_bundle, self._detector_bundle.spec.input.model_dump())
        except (TypeError, ValueError) as error:
            raise BundleError(f"{self._detector_bundle.spec.name}: input: {error}") from error
        self._gates = QualityGates(settings.video_min_face_pixels or self._input.min_face_pixels)

    @property
    def model(self) -> ModelInfo:
        return self._bundle.model

    def self_test(self) -> None:
        """Run both bundles' golden inputs.

        Raises:
            BundleError: a model does not answer as its bundle says.
        """
        self._bundle.self_test()
        self._detector_bundle.self_test()

    def analyze(self, path: Path, options: AnalysisOptions, job: Job) -> VideoReport:
        """Judge the faces of one video file.

        Memory holds one frame and the crops of one batch, however long the video is.

        Raises:
            ServiceError: as in `sg_common.errors`; `MissingStream` when the file has no video.
        """
        clip = _Clip(ClipEvidence(self._calibration), ClipSearch(self._detector))
        with open_video(
            path,
            sample_rate=options.sample_rate,
            budget=self._settings.frame_budget(),
            limits=self._settings.decode_limits(),
            job=job,
        ) as reader:
            for frame in reader:
                job.check()
                if reader.info.palette:
                    break
                self._search(clip, frame)
                if clip.pending_crops >= self._settings.video_batch_size:
                    self._judge(clip, job)
                job.progress(frame.time, reader.info.duration)
            self._judge(clip, job)
            return self._report(clip, reader, options, job)

    def _search(self, clip: _Clip, frame: Frame) -> None:
        """Find and follow the frame's faces; those fit to be judged wait for the next batch."""
        clip.analyzed_frames += 1
        found = sorted(clip.search.faces(frame.rgb), key=lambda face: -face.width * face.height)
        faces = found[: self._settings.video_max_faces]
        clip.crowded_out += len(found) - len(faces)
        waiting = _WaitingFrame(frame.number, frame.time)
        for face, track in zip(faces, clip.tracker.update(frame.rgb, frame.time, faces, frame.scale), strict=True):
            if track is None:
                continue
            flaw = self._gates.check(frame.rgb, face, frame.scale)
            if flaw is not None:
                clip.flaws[flaw] += 1
                continue
            track.motion.see(frame.time, grey_face(inner(frame.rgb, face)), track.box)
            crop = self._input.crop(frame.rgb, face)
            waiting.faces.append(_WaitingFace(track, displayed_box(face, frame), crop))
        if waiting.faces:
            clip.waiting.append(waiting)

    def _judge(self, clip: _Clip, job: Job) -> None:
        """Score the waiting crops, a batch at a time, and take in their frames."""
        waiting = [face for frame in clip.waiting for face in frame.faces]
        logits: list[float] = []
        for start in range(0, len(waiting), self._settings.video_batch_size):
            job.check()
            batch = waiting[start : start + self._settings.video_batch_size]
            scores = self._bundle.scores(self._input.tensor([face.crop for face in batch]))
            logits.extend(as_logits(scores, self._bundle.spec.output.kind))
        scored = iter(logits)
        for frame in clip.waiting:
            judged = [JudgedFace(face.track, next(scored), face.box) for face in frame.faces]
            clip.evidence.add_frame(frame.number, frame.time, judged)
        clip.waiting.clear()
        for track in clip.tracker.prune():
            clip.evidence.stray_logits.extend(track.logits)
            clip.evidence.stray_different += track.motion.different

    def _report(self, clip: _Clip, reader: VideoReader, options: AnalysisOptions, job: Job) -> VideoReport:
        info = reader.info
        tracks, evidence = clip.tracker.tracks, clip.evidence
        conclusion = evidence.conclude(tracks)
        return VideoReport(
            manipulation_probability=conclusion.probability,
            verdict=conclusion.verdict,
            status=conclusion.status,
            total_frames=info.total_frames,
            analyzed_frames=clip.analyzed_frames,
            video_duration=info.duration,
            fps=info.fps,
            resolution=f"{info.width}x{info.height}",
            faces=evidence.faces(tracks),
            timeline=evidence.timeline.points(),
            suspicious_frames=evidence.suspicious_frames(),
            model=self.model,
            processing_seconds=job.elapsed(),
            message=PALETTE if info.palette else self._message(clip, conclusion, options, reader.cut_off),
        )

    def _message(self, clip: _Clip, conclusion: Conclusion, options: AnalysisOptions, cut_off: bool) -> str | None:
        """What a person should know about the evidence, or None."""
        sentences = []
        if conclusion.reason is not None:
            sentences.append(_reason(clip, conclusion, options))
        sentences.append(describe(clip.flaws, self._gates.min_face_pixels))
        if clip.crowded_out:
            limit = self._settings.video_max_faces
            sentences.append(f"Only the {limit} largest faces of a frame were followed.")
        if cut_off:
            sentences.append(CUT_OFF)
        return " ".join(filter(None, sentences)) or None


@dataclass
class _WaitingFace:
    track: Track
    box: Box
    crop: npt.NDArray[np.uint8]


@dataclass
class _WaitingFrame:
    number: int
    time: float
    faces: list[_WaitingFace] = field(default_factory=list)


@dataclass
class _Clip:
    """The state of one analysis."""

    evidence: ClipEvidence
    search: ClipSearch
    tracker: Tracker = field(default_factory=Tracker)
    waiting: list[_WaitingFrame] = field(default_factory=list)
    flaws: Counter[Flaw] = field(default_factory=Counter)
    analyzed_frames: int = 0
    crowded_out: int = 0

    @property
    def pending_crops(self) -> int:
        return sum(len(frame.faces) for frame in self.waiting)


def _reason(clip: _Clip, conclusion: Conclusion, options: AnalysisOptions) -> str:
    """Why there is no full verdict, and what the caller can do about it."""
    frames = f"{clip.analyzed_frames} analysed frame{'' if clip.analyzed_frames == 1 else 's'}"
    if not clip.tracker.tracks:
        sentence = f"No face was found in the {frames}"
    else:
        sentence = f"Of the {frames}, {conclusion.reason}"
    advice = conclusion.advice
    if options.sample_rate is not None and options.sample_rate > 1 and advice == MORE:
        advice = f"use a sample_rate below {options.sample_rate}, or none"
    status = "" if conclusion.status is Status.INCONCLUSIVE else "; the verdict stays uncertain"
    return f"{sentence}{status}: {advice}."


def displayed_box(face: Face, frame: Frame) -> Box:
    """The face as (x, y, width, height) in whole pixels of the displayed video, clipped to it."""
    box = displayed(face, frame.scale)
    height, width = (round(side / frame.scale) for side in frame.rgb.shape[:2])
    x0, y0 = max(0, round(box.x)), max(0, round(box.y))
    x1, y1 = min(width, round(box.x + box.width)), min(height, round(box.y + box.height))
    return x0, y0, max(0, x1 - x0), max(0, y1 - y0)
