"""Follow faces from frame to frame, whether those are 1/30 s or 8 s apart."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from video_analyzer import pixels
from video_analyzer.detector import Face
from video_analyzer.motion import FaceMotion
from video_analyzer.pixels import Pixels

Histogram = npt.NDArray[np.float32]

APPEARANCE_SCALE = 1.4
"""Side of the region that is compared over the face box's: hair and a little clothing tell people apart."""


@dataclass(frozen=True)
class TrackingRules:
    """When a face continues a track.

    Similarities are Bhattacharyya coefficients of colour histograms, 0..1. Over the genuine video frames of the
    training corpus (`benchmarks/face_rules.py`), 95% of neighbouring frames of one person lie above 0.91, 95% of
    pairs of different people below 0.78 and 99.9% below 0.95.

    Attributes:
        near_seconds: longest gap over which a face is expected near its last place.
        near_similarity: least similarity there.
        same_place_iou, same_place_similarity: what a face needs after a longer gap in the same shot.
        return_similarity: least similarity of a face that comes back elsewhere, or after a cut.
        start_confidence: least detector's confidence of a face that starts a track; a doubtful one only continues one
            (as in Zhang et al., "ByteTrack", ECCV 2022). Genuine faces of the corpus lie above it.
        max_tracks: most tracks that are kept.
    """

    near_seconds: float = 2.0
    near_similarity: float = 0.75
    same_place_iou: float = 0.3
    same_place_similarity: float = 0.85
    return_similarity: float = 0.95
    start_confidence: float = 0.65
    max_tracks: int = 64


@dataclass(eq=False)
class Track:
    """One face through the clip. Boxes are in pixels of the displayed video.

    Attributes:
        number: in order of first appearance, the first is 1.
        first_seen, last_seen: seconds.
        sightings: frames in which the face was found.
        logits: of the frames in which it was judged.
        motion: what moved in the face over these.
    """

    number: int
    first_seen: float
    last_seen: float
    box: Face
    appearance: Histogram
    sightings: int = 1
    logits: array[float] = field(default_factory=lambda: array("d"))
    motion: FaceMotion = field(default_factory=FaceMotion)

    def similarity(self, appearance: Histogram) -> float:
        return float(np.dot(self.appearance, appearance))

    def see(self, time: float, box: Face, appearance: Histogram) -> None:
        """Continue the track; its appearance follows slowly, so that one odd frame does not replace it."""
        self.last_seen, self.box = time, box
        self.sightings += 1
        # Histograms are kept as square roots: their mixture is one of the squares.
        self.appearance = np.sqrt(0.7 * self.appearance**2 + 0.3 * appearance**2)


class Tracker:
    """The tracks of one clip. Deterministic; not safe to share between threads."""

    def __init__(self, rules: TrackingRules | None = None) -> None:
        self.rules = rules or TrackingRules()
        self.tracks: list[Track] = []
        self._made = 0
        self._scene: npt.NDArray[np.float32] | None = None

    def update(self, rgb: Pixels, time: float, faces: Sequence[Face], scale: float) -> list[Track | None]:
        """The track that each face belongs to, made where none fits; None for what is hardly a face.

        Args:
            rgb: the frame, uint8 [H, W, 3].
            time: seconds; not before the previous call's.
            faces: in pixels of `rgb`.
            scale: pixels of `rgb` per pixel of the displayed video.
        """
        scene = scene_signature(rgb)
        cut = self._scene is not None and is_cut(self._scene, scene)
        self._scene = scene
        appearances = [appearance(rgb, face) for face in faces]
        boxes = [displayed(face, scale) for face in faces]
        chosen = self._associate(time, boxes, appearances, cut)
        result: list[Track | None] = []
        for index, (box, look) in enumerate(zip(boxes, appearances, strict=True)):
            track = chosen.get(index)
            if track is not None:
                track.see(time, box, look)
            elif box.score >= self.rules.start_confidence:
                self._made += 1
                track = Track(self._made, time, time, box, look)
                self.tracks.append(track)
            result.append(track)
        return result

    def prune(self) -> list[Track]:
        """Drop the least seen tracks beyond `max_tracks` (of equals the ones gone longest) and return them."""
        excess = len(self.tracks) - self.rules.max_tracks
        if excess <= 0:
            return []
        dropped = sorted(self.tracks, key=lambda t: (t.sightings, t.last_seen, t.number))[:excess]
        numbers = {track.number for track in dropped}
        self.tracks = [track for track in self.tracks if track.number not in numbers]
        return dropped

    def _associate(self, time: float, boxes: list[Face], appearances: list[Histogram], cut: bool) -> dict[int, Track]:
        """Greedy one-to-one assignment: what continues in place first, then by likeness."""
        candidates = []
        for track in self.tracks:
            for index, (box, look) in enumerate(zip(boxes, appearances, strict=True)):
                affinity = self._affinity(track, time, box, look, cut)
                if affinity is not None:
                    candidates.append((*affinity, track.number, index, track))
        candidates.sort(key=lambda c: c[:4])
        chosen: dict[int, Track] = {}
        taken: set[int] = set()
        for _, _, number, index, track in candidates:
            if index not in chosen and number not in taken:
                chosen[index] = track
                taken.add(number)
        return chosen

    def _affinity(self, track: Track, time: float, box: Face, look: Histogram, cut: bool) -> tuple[int, float] | None:
        """(0 in place or 1 returning, cost), or None when the face is not this track's."""
        rules = self.rules
        similarity = track.similarity(look)
        gap = time - track.last_seen
        if not cut:
            distance, ratio = separation(track.box, box)
            moved = min(gap, 1.0)
            near = distance <= 0.5 + 1.5 * moved and ratio <= 1.4 + 0.6 * moved
            if gap <= rules.near_seconds and near and similarity >= rules.near_similarity:
                return 0, distance + 2 * (1 - similarity)
            if similarity >= rules.same_place_similarity and iou(track.box, box) >= rules.same_place_iou:
                return 0, distance + 2 * (1 - similarity)
        return (1, 1 - similarity) if similarity >= rules.return_similarity else None


def displayed(face: Face, scale: float) -> Face:
    """The face in pixels of the displayed video; `scale`: pixels of the frame per such pixel."""
    return Face(face.x / scale, face.y / scale, face.width / scale, face.height / scale, face.score)


def separation(a: Face, b: Face) -> tuple[float, float]:
    """Distance of two boxes' centres in face sizes, and the larger size over the smaller."""
    size_a, size_b = float(np.sqrt(a.width * a.height)), float(np.sqrt(b.width * b.height))
    dx = a.x + a.width / 2 - b.x - b.width / 2
    dy = a.y + a.height / 2 - b.y - b.height / 2
    return float(np.hypot(dx, dy)) / max((size_a + size_b) / 2, 1e-6), max(size_a, size_b) / max(
        min(size_a, size_b), 1e-6
    )


def iou(a: Face, b: Face) -> float:
    """Intersection of two boxes over their union."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (a.width * a.height + b.width * b.height - width * height)


def appearance(rgb: Pixels, face: Face) -> Histogram:
    """Square roots of the colour histogram (8x8x8 RGB bins) around a face, float32 [512], of unit length.

    The dot product of two is their Bhattacharyya coefficient (as in Comaniciu et al., CVPR 2000).
    """
    half = APPEARANCE_SCALE * max(face.width, face.height) / 2
    x, y = face.x + face.width / 2, face.y + face.height / 2
    height, width = rgb.shape[:2]
    x0, x1 = np.clip([int(x - half), int(np.ceil(x + half))], 0, width)
    y0, y1 = np.clip([int(y - half), int(np.ceil(y + half))], 0, height)
    if x1 <= x0 or y1 <= y0:
        return np.zeros(512, np.float32)
    small = pixels.resize(rgb[y0:y1, x0:x1], 32, 32, average=True)
    counts = pixels.colour_histogram(small)
    return np.asarray(np.sqrt(counts / counts.sum()), np.float32)


def scene_signature(rgb: Pixels) -> npt.NDArray[np.float32]:
    """The frame as 32x18 brightness values, zero mean and unit length."""
    step = max(1, min(rgb.shape[0] // 90, rgb.shape[1] // 160))
    small = pixels.resize(rgb[::step, ::step], 32, 18, average=True)
    grey = pixels.grey(small).astype(np.float32).ravel()
    grey -= grey.mean()
    return np.asarray(grey / max(float(np.linalg.norm(grey)), 1e-6), np.float32)


def is_cut(before: npt.NDArray[np.float32], after: npt.NDArray[np.float32]) -> bool:
    """Whether two frames' signatures belong to different shots (correlation under 0.5)."""
    return float(np.dot(before, after)) < 0.5
