"""Judge the clips of a corpus through the service's own path, as found and encoded again.

Frames are chosen, faces followed and gated, and frames joined to a clip by the service's code. Each clip is judged by
members that never saw its fold. What was judged is kept under a name that changes with the clip's bytes, the condition,
the graphs and the rules, so it is never taken for another's.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from sg_common.analysis import AnalysisOptions, Job
from sg_common.bundle.spec import FaceDetectionSpec, FaceSpec, read_task
from sg_common.errors import ServiceError
from sg_common.verdict import Verdict
from video_analyzer.analyzer import VideoAnalyzer
from video_analyzer.quality import QualityGates
from video_analyzer.settings import VideoSettings
from video_analyzer.tracks import TrackingRules

from training.common.command import log
from training.common.content import digest, key_of
from training.common.manifest import Sample
from training.video.recompress import CONDITIONS, recompress

PATH_VERSION = 1
"""Raise it when the service's path from file to logit changes in a way that its settings and rules do not show."""
VARIANT = "fp32"
FRAMES = 8
"""Frames judged of a clip, spread over it as the service's 32 are: the mean hardly changes, the time much."""
DEADLINE_SECONDS = 600.0


@dataclass(frozen=True)
class Judgement:
    """What the service found in one clip.

    Attributes:
        logit: of the most suspicious face, uncalibrated; None where none could be judged.
        full: whether the evidence is enough for a verdict, whatever the thresholds.
        face_pixels: mean longer side of the judged faces, pixels of their frames; 0 without any.
        problem: why the clip could not be read, or None.
    """

    logit: float | None
    full: bool
    face_pixels: float
    problem: str | None = None


@dataclass(frozen=True)
class Reader:
    """Judges clips with one bundle; what was judged before is read from `folder`."""

    bundle: Path
    folder: Path
    models: Path = Path("models")

    def settings(self) -> VideoSettings:
        return VideoSettings(
            models_root=self.models,
            model_dir=self.bundle,
            model_variant=VARIANT,
            threads=1,
            video_whole_frames=FRAMES,
        )

    def path_of(self, clip: Path, condition: str) -> Path:
        """The file that keeps a clip's judgement."""
        return self.folder / f"{key_of(digest(clip), CONDITIONS[condition], _path_key(self))}.json"

    def judge(self, clip: Path, condition: str) -> Judgement:
        """Judge one clip under one condition."""
        kept = self.path_of(clip, condition)
        if kept.is_file():
            return Judgement(**json.loads(kept.read_text()))
        judgement = self._judge(clip, condition)
        partial = kept.with_suffix(f".{os.getpid()}.part")
        partial.write_text(json.dumps(asdict(judgement)))
        partial.replace(kept)
        return judgement

    def _judge(self, clip: Path, condition: str) -> Judgement:
        how = CONDITIONS[condition]
        with tempfile.TemporaryDirectory() as folder:
            path = clip
            if how is not None:
                path = Path(folder) / "clip.mp4"
                recompress(clip, path, how)
            try:
                examined = _analyzer(self).examine(path, AnalysisOptions(), Job(DEADLINE_SECONDS))
            except ServiceError as error:
                return Judgement(None, full=False, face_pixels=0.0, problem=str(error))
        conclusion = examined.conclusion
        full = conclusion.verdict is not Verdict.INCONCLUSIVE and conclusion.reason is None
        return Judgement(conclusion.logit, full, examined.face_pixels)


@cache
def _analyzer(reader: Reader) -> VideoAnalyzer:
    return VideoAnalyzer(reader.settings())


@cache
def _path_key(reader: Reader) -> str:
    settings = reader.settings()
    detector = read_task(settings.bundle_dir("face_detector"), FaceDetectionSpec)
    model = read_task(reader.bundle, FaceSpec)
    return key_of(
        PATH_VERSION,
        [spec.variants[VARIANT].sha256 for spec in (detector, model)],
        [spec.input.model_dump() for spec in (detector, model)],
        model.calibration.aggregation.model_dump(),
        settings.frame_budget(),
        settings.video_max_faces,
        QualityGates(settings.video_min_face_pixels or 0.0),
        TrackingRules(),
    )


Judged = Sequence[tuple[Sample, Judgement]]


def judge_all(
    readers: Mapping[int, Reader], whole: Reader, conditions: Mapping[str, Sequence[Sample]], workers: int
) -> dict[str, Judged]:
    """The judgements of each condition's samples; says how far it is.

    A sample is judged by the reader of its fold, of other folds by ``whole``.
    """
    whole.folder.mkdir(parents=True, exist_ok=True)
    judged: dict[str, Judged] = {}
    with ProcessPoolExecutor(workers) as pool:
        for condition, samples in conditions.items():
            chosen, paths = [readers.get(s.fold, whole) for s in samples], [s.path for s in samples]
            jobs = pool.map(Reader.judge, chosen, paths, [condition] * len(samples), chunksize=4)
            judged[condition] = list(zip(samples, _counted(jobs, len(samples), condition), strict=True))
    return judged


def _counted(judgements: Iterator[Judgement], total: int, condition: str) -> Iterator[Judgement]:
    for done, judgement in enumerate(judgements, start=1):
        yield judgement
        if done % 100 == 0 or done == total:
            log(f"{condition}: {done} of {total} clips")
