"""Which faces are fit to be judged."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt
from sg_common.words.phrases import Finding

from video_analyzer import pixels, words
from video_analyzer.detector import Face
from video_analyzer.pixels import Pixels

SIDE = 64
"""Faces are measured at this size, so that sharpness does not depend on their size."""


class Flaw(Enum):
    """Why a face is not judged, as it is said."""

    SMALL = words.FACES_SMALL
    CROPPED = words.FACES_CROPPED
    DARK = words.FACES_DARK
    BRIGHT = words.FACES_BRIGHT
    FLAT = words.FACES_FLAT
    BLURRED = words.FACES_BLURRED


@dataclass(frozen=True)
class QualityGates:
    """Limits of a face that can be judged.

    The photometric defaults gate none of the training corpus's genuine faces (`benchmarks/face_rules.py`).

    Attributes:
        min_face_pixels: longer side of the face's box, in pixels of the displayed video.
        min_visible: share of the box that lies inside the frame.
        min_luma, max_luma: mean brightness, 0..255.
        min_contrast: standard deviation of the brightness, 0..255.
        min_sharpness: see `sharpness`; most faces lie below it after a blur of 3% of their side, hardly any after 1%.
    """

    min_face_pixels: float
    min_visible: float = 0.8
    min_luma: float = 35.0
    max_luma: float = 225.0
    min_contrast: float = 8.0
    min_sharpness: float = 0.12

    def check(self, rgb: Pixels, face: Face, scale: float) -> Flaw | None:
        """Why the face must not be judged, or None.

        Args:
            rgb: the frame, uint8 [H, W, 3].
            face: in pixels of `rgb`.
            scale: pixels of `rgb` per pixel of the displayed video.
        """
        side = max(face.width, face.height)
        # A face of a frame scaled down by more than half shows less detail than its size in the video promises.
        if min(side / scale, 2 * side) < self.min_face_pixels:
            return Flaw.SMALL
        x0, y0 = max(face.x, 0.0), max(face.y, 0.0)
        x1, y1 = min(face.x + face.width, rgb.shape[1]), min(face.y + face.height, rgb.shape[0])
        visible = max(0.0, x1 - x0) * max(0.0, y1 - y0)
        if visible < self.min_visible * face.width * face.height:
            return Flaw.CROPPED
        return self._photometric_flaw(grey_face(inner(rgb, face)))

    def _photometric_flaw(self, grey: npt.NDArray[np.float32]) -> Flaw | None:
        luma, contrast = float(grey.mean()), float(grey.std())
        if luma < self.min_luma:
            return Flaw.DARK
        if luma > self.max_luma:
            return Flaw.BRIGHT
        if contrast < self.min_contrast:
            return Flaw.FLAT
        return Flaw.BLURRED if sharpness(grey) < self.min_sharpness else None


def inner(rgb: Pixels, face: Face) -> Pixels:
    """The part of a frame that is the face's box."""
    top, left = int(max(face.y, 0.0)), int(max(face.x, 0.0))
    return rgb[top : int(np.ceil(face.y + face.height)), left : int(np.ceil(face.x + face.width))]


def grey_face(face_rgb: Pixels) -> npt.NDArray[np.float32]:
    """The face as brightness 0..255, float32 [64, 64]."""
    shrinks = min(face_rgb.shape[:2]) > SIDE
    resized = pixels.resize(face_rgb, SIDE, SIDE, average=shrinks)
    return np.asarray(pixels.grey(resized), np.float32)


def sharpness(grey: npt.NDArray[np.float32]) -> float:
    """Standard deviation of the Laplacian over that of the brightness.

    The Laplacian's energy as a measure of focus is Pech-Pacheco et al., ICPR 2000; the division makes it
    independent of contrast.
    """
    return float(pixels.laplacian(grey).std() / max(float(grey.std()), 1e-3))


def describe(flaws: Counter[Flaw], min_face_pixels: float) -> list[Finding]:
    """What is to be said of the faces that were not judged."""
    return [flaw.value(count=flaws[flaw], limit=f"{min_face_pixels:g}") for flaw in Flaw if flaws[flaw]]
