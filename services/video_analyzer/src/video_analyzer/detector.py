"""Find faces in a frame: what goes into the face detector's graph and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from sg_common.bundle.load import load_bundle
from sg_common.bundle.spec import FaceDetectionSpec, FrameInput
from sg_common.runtime import Runtime

from video_analyzer import pixels

Frame = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]


class Session(Protocol):
    """A loaded graph: named input arrays in; the cells' logits, then their points, out."""

    def run(self, feeds: dict[str, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]: ...


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a frame, in pixels of that frame.

    The box may reach over the frame's edge. ``score`` is the detector's confidence, 0..1.
    """

    x: float
    y: float
    width: float
    height: float
    score: float


@dataclass(frozen=True, slots=True)
class Search:
    """Faces found in one frame, surest first, by all passes (``full``) or by the coarsest alone.

    ``enough`` is how many the coarsest pass must find in the next frame to have found them all; None: it saw too
    few in this one.
    """

    faces: list[Face]
    full: bool
    enough: int | None


class FaceDetector:
    """BlazeFace full-range over a frame at several scales.

    Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", CVPR
    workshops 2019, with its score-weighted suppression of overlapping boxes.
    """

    def __init__(self, session: Session, config: FrameInput | None = None) -> None:
        self._session = session
        self._config = config or FrameInput()

    @classmethod
    def load(cls, directory: Path, runtime: Runtime) -> FaceDetector:
        """Load a face-detection bundle.

        Raises:
            BundleError: it must not be served.
        """
        bundle = load_bundle(directory, FaceDetectionSpec, runtime)
        return cls(bundle, bundle.spec.input)

    def detect(self, frame_rgb: Frame) -> list[Face]:
        """Find the faces of one RGB frame, uint8 [H, W, 3], surest first.

        Raises:
            ValueError: the array is not an RGB frame of at least one pixel.
        """
        return self.search(frame_rgb).faces

    def search(self, frame_rgb: Frame, enough: int | None = None) -> Search:
        """`detect`, ended after the coarsest and cheapest pass where that finds ``enough`` faces."""
        if frame_rgb.ndim != 3 or frame_rgb.shape[2] != 3 or frame_rgb.dtype != np.uint8 or frame_rgb.size == 0:
            raise ValueError(f"expected uint8 [H, W, 3], got {frame_rgb.dtype} {frame_rgb.shape}")
        # each size is scaled from the one before it: reading a whole frame again costs more than the pass
        pictures = [frame_rgb]
        for side in sorted(self._config.long_sides, reverse=True):
            pictures.append(self._scaled(pictures[-1], frame_rgb, side))
        coarse = self._pass(pictures[-1], frame_rgb)
        seen = merge_overlapping(*coarse, self._config.iou_threshold)
        if enough is not None and len(seen) >= enough:
            return Search(seen, full=False, enough=enough)
        passes = [*(self._pass(picture, frame_rgb) for picture in pictures[1:-1]), coarse]
        scores = np.concatenate([scores for scores, _ in passes])
        boxes = np.concatenate([boxes for _, boxes in passes])
        faces = merge_overlapping(scores, boxes, self._config.iou_threshold)
        return Search(faces, full=True, enough=len(faces) if 0 < len(faces) <= len(seen) else None)

    @staticmethod
    def _scaled(picture: Frame, frame: Frame, long_side: int) -> Frame:
        """The frame scaled to a longer side of ``long_side``, out of a ``picture`` of it."""
        height, width = frame.shape[:2]
        scale = long_side / max(height, width)
        inner = (max(1, round(width * scale)), max(1, round(height * scale)))
        return pixels.resize(picture, *inner, average=long_side < max(picture.shape[:2]))

    def _pass(self, picture: Frame, frame: Frame) -> tuple[FloatArray, FloatArray]:
        """Scores [K] and boxes' corners [K, 2, 2] in frame pixels, of a scaled ``picture`` of it."""
        height, width = frame.shape[:2]
        inner = (picture.shape[1], picture.shape[0])
        padded = [-(-side // self._config.multiple) * self._config.multiple for side in inner]
        canvas = np.zeros((1, padded[1], padded[0], 3), np.uint8)
        canvas[0, : inner[1], : inner[0]] = picture
        logits, regressors = self._session.run({self._config.name: canvas})[:2]
        threshold = self._config.score_threshold
        rows, columns = np.nonzero(logits[0, :, :, 0] >= np.log(threshold / (1 - threshold)))
        scores = 1 / (1 + np.exp(-logits[0, rows, columns, 0].astype(np.float32)))
        # a cell's centre and size; its landmarks follow
        centre, size = regressors[0, rows, columns, :4].astype(np.float32).reshape(-1, 2, 2).swapaxes(0, 1)
        anchors = (np.stack([columns, rows], axis=1) + np.float32(0.5)) * self._config.stride
        centre = centre + anchors.astype(np.float32)
        half = np.maximum(size, 0) / 2
        boxes = np.stack([centre - half, centre + half], axis=1)
        # per axis, since the rounding of a thin frame's short side changes its scale
        return scores, np.asarray(boxes * np.array([width / inner[0], height / inner[1]], np.float32), np.float32)


class ClipSearch:
    """Finds the faces in one video's frames, in order, with the coarsest pass alone while that sees them all.

    At the latest every ``every``-th frame is searched in full, so that a small face beside a large one is found.
    """

    def __init__(self, detector: FaceDetector, every: int = 4) -> None:
        self._detector, self._every = detector, every
        self._enough: int | None = None
        self._frames = 0

    def faces(self, frame_rgb: Frame) -> list[Face]:
        """The faces of the next frame; as `FaceDetector.detect`."""
        found = self._detector.search(frame_rgb, self._enough if self._frames % self._every else None)
        self._enough = found.enough
        self._frames = 1 if found.full else self._frames + 1
        return found.faces


def merge_overlapping(scores: FloatArray, boxes: FloatArray, iou_threshold: float) -> list[Face]:
    """Merge candidates that overlap into one face each, averaging boxes by score.

    ``scores`` [K]; ``boxes`` [K, 2, 2], two corners each. Surest face first.
    """
    faces = []
    rest = np.argsort(-scores, kind="stable")
    while rest.size:
        best = rest[0]
        overlapping = box_iou(boxes[best], boxes[rest]) > iou_threshold
        overlapping[0] = True
        group = rest[overlapping]
        first, last = np.average(boxes[group], axis=0, weights=scores[group])
        if (last > first).all():
            faces.append(Face(*map(float, (*first, *(last - first), scores[best]))))
        rest = rest[~overlapping]
    return faces


def box_iou(box: FloatArray, boxes: FloatArray) -> FloatArray:
    """Intersection over union of one box [2, 2] with boxes [K, 2, 2], corners in pixels."""
    overlap = np.minimum(box[1], boxes[:, 1]) - np.maximum(box[0], boxes[:, 0])
    intersection = np.prod(np.maximum(overlap, 0), axis=1)
    union = np.prod(box[1] - box[0]) + np.prod(boxes[:, 1] - boxes[:, 0], axis=1) - intersection
    return np.asarray(intersection / np.maximum(union, np.float32(1e-6)), np.float32)


def largest(faces: Sequence[Face]) -> Face | None:
    """The face with the largest box, or None."""
    return max(faces, key=lambda face: face.width * face.height, default=None)
