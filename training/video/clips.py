"""Judge the clips of a corpus with a bundle, through the service's own path, as found and encoded again.

Frames are chosen, faces followed and gated, and frames joined to a clip by the service's code. What was judged is kept
under a name that changes with the clip's bytes, the condition, the graphs and the rules, so it is never taken for
another's.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
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
from training.common.manifest import Sample, read_manifest
from training.video.recompress import CONDITIONS, recompress

PATH_VERSION = 1
"""Raise it when the service's path from file to logit changes in a way that its settings and rules do not show."""
VARIANT = "fp32"
DEADLINE_SECONDS = 600.0


@dataclass(frozen=True)
class Judgement:
    """What the service found in one clip.

    Attributes:
        logit: of the most suspicious face, uncalibrated; None where none could be judged.
        full: whether the evidence is enough for a verdict, whatever the thresholds.
        face_pixels: mean longer side of the judged faces, pixels of the clip; 0 without any.
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
        return VideoSettings(models_root=self.models, model_dir=self.bundle, model_variant=VARIANT, threads=1)

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


def judge_all(
    reader: Reader, samples: Sequence[Sample], conditions: Sequence[str], workers: int
) -> dict[str, list[Judgement]]:
    """The judgements of all samples under each condition, in the samples' order; says how far it is."""
    reader.folder.mkdir(parents=True, exist_ok=True)
    judged = {}
    with ProcessPoolExecutor(workers) as pool:
        for condition in conditions:
            jobs = pool.map(reader.judge, [s.path for s in samples], [condition] * len(samples), chunksize=4)
            judged[condition] = list(_counted(jobs, len(samples), condition))
    return judged


def _counted(judgements: Iterator[Judgement], total: int, condition: str) -> Iterator[Judgement]:
    for done, judgement in enumerate(judgements, start=1):
        yield judgement
        if done % 100 == 0 or done == total:
            log(f"{condition}: {done} of {total} clips")


def read_clips(corpora: Sequence[Path], seen_column: str) -> list[Sample]:
    """The clips of one or more folders with a manifest that the bundle never saw.

    A clip was seen where the manifest's `seen_column` says `yes`; without that column none was.
    """
    samples = [sample for corpus in corpora for sample in read_manifest(corpus / "manifest.tsv")]
    return [sample for sample in samples if sample.fields.get(seen_column, "no") != "yes"]
