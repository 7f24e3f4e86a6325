"""Find the faces of a clip, follow them, and cut out those that are fit to be judged."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sg_common.bundle.spec import FaceInput
from sg_common.media import Frame

from video_analyzer.crops import crop_face
from video_analyzer.detector import ClipSearch, Face, FaceDetector
from video_analyzer.quality import SIDE, Flaw, QualityGates, grey_face, inner
from video_analyzer.tracks import Track, Tracker, displayed

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class FoundFace:
    """A face fit to be judged.

    Attributes:
        box: x, y, width, height in pixels of the displayed video.
        pixels: the box's longer side in pixels of the frame, which may have been scaled down.
        crop: the model's.
    """

    track: Track
    box: Box
    pixels: float
    crop: npt.NDArray[np.uint8]


class FaceFollower:
    """The faces of one clip, frame by frame. Deterministic; not safe to share between threads.

    Attributes:
        frames: how many were searched.
        flaws: why sightings of followed faces were not fit to be judged.
        crowded_out: sightings beyond `max_faces` a frame.
    """

    def __init__(self, detector: FaceDetector, face_input: FaceInput, gates: QualityGates, max_faces: int) -> None:
        self._search = ClipSearch(detector)
        self._input = face_input
        self._gates = gates
        self._max_faces = max_faces
        self.tracker = Tracker()
        self.frames = 0
        self.flaws: Counter[Flaw] = Counter()
        self.crowded_out = 0

    def faces(self, frame: Frame) -> list[FoundFace]:
        """The faces of the next frame that are fit to be judged, largest first."""
        self.frames += 1
        found = sorted(self._search.faces(frame.rgb), key=lambda face: -face.width * face.height)
        faces = found[: self._max_faces]
        self.crowded_out += len(found) - len(faces)
        fit = []
        for face, track in zip(faces, self.tracker.update(frame.rgb, frame.time, faces, frame.scale), strict=True):
            if track is None:
                continue
            flaw = self._gates.check(frame.rgb, face, frame.scale)
            if flaw is None:
                track.motion.see(frame.time, face, lambda box: brightness(frame.rgb, box))
                box = displayed_box(face, frame)
                crop = crop_face(frame.rgb, face, self._input)
                fit.append(FoundFace(track, box, max(box[2:]) * frame.scale, crop))
            else:
                self.flaws[flaw] += 1
        return fit


def brightness(rgb: npt.NDArray[np.uint8], box: Face) -> npt.NDArray[np.float32]:
    """A part of a frame as brightness 0..255, float32 [64, 64]; black where a frame has grown too small to have it."""
    part = inner(rgb, box)
    return grey_face(part) if part.size else np.zeros((SIDE, SIDE), np.float32)


def displayed_box(face: Face, frame: Frame) -> Box:
    """The face as (x, y, width, height) in whole pixels of the displayed video, clipped to it."""
    box = displayed(face, frame.scale)
    height, width = (round(side / frame.scale) for side in frame.rgb.shape[:2])
    x0, y0 = max(0, round(box.x)), max(0, round(box.y))
    x1, y1 = min(width, round(box.x + box.width)), min(height, round(box.y + box.height))
    return x0, y0, max(0, x1 - x0), max(0, y1 - y0)
