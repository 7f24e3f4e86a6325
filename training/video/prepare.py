"""What training reads: statistics of a few frames of every clip, as found and as real codecs leave it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import torch
from sg_common.bundle.spec import FaceDetectionSpec, read_task
from sg_common.runtime import Runtime
from video_analyzer.crops import face_views
from video_analyzer.detector import Face, FaceDetector, largest

from training.common.command import log
from training.common.content import digest, kept, key_of, samples_key
from training.common.manifest import Sample, read_corpora
from training.video.backbone import as_images, weights_key
from training.video.recompress import drawn, recompress
from training.video.regions import (
    CROP_SCALE,
    CROP_SIZE,
    NATIVE_FACE_PIXELS,
    READ_LAYERS,
    ZOOMS,
    RegionStatistics,
)

DETECTOR = Path("models/face_detector")
FRAMES = 4
# how far the face's box of a copy is off: deviations of the logarithm of its size, and of its place in sizes
SIZE_OFF, PLACE_OFF = 0.05, 0.03

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Prepared:
    """Frames of clips and of their copies.

    ``statistics`` float16 [R, D] are frames', ``owner`` [R] is each frame's clip among ``samples``; the first ``found``
    frames are of clips as found. ``key`` changes with all that was read.
    """

    samples: list[Sample]
    statistics: npt.NDArray[np.float16]
    owner: npt.NDArray[np.int64]
    key: str
    found: int

    def as_found(self, sample: int) -> list[int]:
        """The rows of a clip as found."""
        return np.flatnonzero(self.owner[: self.found] == sample).tolist()

    @cached_property
    def full_key(self) -> str:
        """`key`, and what the manifest says that training listens to."""
        return key_of(self.key, samples_key(self.samples))


def frames_of(path: Path) -> Iterator[Pixels]:
    """`FRAMES` evenly spread frames of a clip, uint8 [H, W, 3] RGB; fewer of a shorter one.

    Raises:
        av.FFmpegError: it cannot be decoded.
    """
    with av.open(str(path)) as container:
        decoded = list(container.decode(video=0))
    count = min(FRAMES, len(decoded))
    for place in (np.arange(count) + 0.5) * len(decoded) / max(1, count):
        yield np.asarray(decoded[int(place)].to_ndarray(format="rgb24"), np.uint8)


def off(face: Face, rng: np.random.Generator) -> Face:
    """The face as a detector may have found it as well."""
    grown = float(np.exp(rng.normal(0, SIZE_OFF)))
    across, down = rng.normal(0, PLACE_OFF, 2) * max(face.width, face.height)
    width, height = face.width * grown, face.height * grown
    left, top = face.x + (face.width - width) / 2 + across, face.y + (face.height - height) / 2 + down
    return replace(face, x=float(left), y=float(top), width=width, height=height)


def views_of(path: Path, detector: FaceDetector, rng: np.random.Generator | None = None) -> Iterator[Pixels]:
    """What the service would cut of the largest face in each frame, uint8 [2S, S, 3]; with `rng` a little off.

    Raises:
        av.FFmpegError: the clip cannot be decoded.
    """
    for frame in frames_of(path):
        face = largest(detector.detect(frame))
        if face is not None:
            yield face_views(frame, off(face, rng) if rng else face, CROP_SCALE, CROP_SIZE, NATIVE_FACE_PIXELS)


class Preparer:
    """Reads clips with one detector and one backbone; what was read before is read from `folder`."""

    def __init__(self, statistics: RegionStatistics, folder: Path, detector: Path = DETECTOR) -> None:
        self.statistics, self._folder = statistics, folder
        self._detector = FaceDetector.load(detector, Runtime(threads=1))
        spec = read_task(detector, FaceDetectionSpec)
        cut = (CROP_SCALE, CROP_SIZE, NATIVE_FACE_PIXELS, FRAMES, SIZE_OFF, PLACE_OFF)
        self.key = key_of(spec.variants, spec.input, cut, ZOOMS, READ_LAYERS, weights_key(statistics))

    def read(self, clip: Path, copy: int) -> npt.NDArray[np.float16]:
        """The statistics [frames, D] of a clip (copy 0), or of a copy that went through a codec drawn for it."""
        name = key_of(self.key, digest(clip), copy)
        return kept(self._folder / f"{name}.npy", lambda: self._measured(clip, copy))

    def _measured(self, clip: Path, copy: int) -> npt.NDArray[np.float16]:
        rng = np.random.default_rng((copy, int(digest(clip)[:8], 16)))
        with tempfile.TemporaryDirectory() as folder:
            path = clip
            if copy:
                path = Path(folder) / "clip.mp4"
                recompress(clip, path, drawn(rng))
            views = list(views_of(path, self._detector, rng if copy else None))
        if not views:
            return np.zeros((0, self.statistics.size * len(ZOOMS)), np.float16)
        with torch.inference_mode():
            statistics: torch.Tensor = self.statistics(as_images(np.stack(views)))
        return np.asarray(statistics.numpy(), np.float16)


def golden_views(samples: Sequence[Sample], detector: Path = DETECTOR) -> Pixels:
    """The graph's input [`FRAMES`, 3, 2S, S] for the first sample with a face in every frame.

    Raises:
        ValueError: there is none.
    """
    found = FaceDetector.load(detector, Runtime(threads=1))
    for sample in samples:
        views = list(views_of(sample.path, found))
        if len(views) == FRAMES:
            return np.ascontiguousarray(np.stack(views).transpose(0, 3, 1, 2))
    raise ValueError("no clip shows a face in every frame")


def prepare(corpora: Sequence[Path], copies: int, preparer: Preparer) -> Prepared:
    """Read every clip of the corpora as found, and as many recompressed ``copies`` of it; says how far it is."""
    samples = read_corpora(corpora)
    parts: list[npt.NDArray[np.float16]] = []
    owner: list[int] = []
    found = 0
    for copy in range(1 + copies):
        for i, sample in enumerate(samples):
            parts.append(preparer.read(sample.path, copy))
            owner += [i] * len(parts[-1])
            if (i + 1) % 100 == 0 or i + 1 == len(samples):
                log(f"copy {copy}: {i + 1} of {len(samples)} clips")
        if copy == 0:
            found = len(owner)
    key = key_of(preparer.key, copies, [digest(sample.path) for sample in samples])
    return Prepared(samples, np.concatenate(parts), np.array(owner, np.int64), key, found)
