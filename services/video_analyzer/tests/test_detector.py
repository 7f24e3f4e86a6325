"""Faces found with the shipped detector, and crops cut around them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from video_analyzer.detector import (
    ClipSearch,
    FaceDetector,
    Session,
    largest,
    merge_overlapping,
)

BUNDLE = Path(__file__).resolve().parents[3] / "models/face_detector"


class OnnxSession:
    def __init__(self, path: Path) -> None:
        self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(self, feeds: dict[str, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        return list(self._session.run(None, feeds))


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector(OnnxSession(next(BUNDLE.glob("*.onnx"))))


@pytest.fixture(scope="module")
def face() -> npt.NDArray[np.uint8]:
    """The drawn face of the bundle's golden input, uint8 [192, 320, 3]; it is about 60x75 pixels, centred."""
    with np.load(BUNDLE / "golden.npz") as golden:
        return np.asarray(golden["input"][0], np.uint8)


@pytest.mark.parametrize("scale", [0.6, 1, 2, 5])
def test_finds_a_face_at_any_scale(detector: FaceDetector, face: npt.NDArray[np.uint8], scale: float) -> None:
    frame = np.asarray(cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    found = largest(detector.detect(frame))
    assert found is not None
    assert found.x + found.width / 2 == pytest.approx(160 * scale, abs=10 * scale)
    assert found.y + found.height / 2 == pytest.approx(96 * scale, abs=18 * scale)
    assert 40 * scale < found.width < 90 * scale


def test_finds_two_faces_apart(detector: FaceDetector, face: npt.NDArray[np.uint8]) -> None:
    frame = np.concatenate([face[:, 80:240], face[:, 80:240]], axis=1)
    centres = sorted(f.x + f.width / 2 for f in detector.detect(frame))
    assert centres == [pytest.approx(80, abs=12), pytest.approx(240, abs=12)]


class Counting:
    """The detector's session, which notes the longer side of what it is given."""

    def __init__(self, session: Session) -> None:
        self.session, self.sides = session, list[int]()

    def run(self, feeds: dict[str, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        self.sides.append(max(feeds["image"].shape[1:3]))
        return self.session.run(feeds)


def test_a_clips_large_face_is_followed_by_the_coarse_pass_alone(
    detector: FaceDetector, face: npt.NDArray[np.uint8]
) -> None:
    session = Counting(detector._session)
    search = ClipSearch(FaceDetector(session), every=4)
    large = face[:, 80:240]
    found = [search.faces(large) for _ in range(6)]
    assert [len(faces) for faces in found] == [1] * 6
    assert session.sides == [128, 320, 128, 128, 128, 128, 320, 128]


def test_a_lost_or_small_face_is_searched_in_full(detector: FaceDetector, face: npt.NDArray[np.uint8]) -> None:
    session = Counting(detector._session)
    search = ClipSearch(FaceDetector(session), every=100)
    small = np.zeros((540, 960, 3), np.uint8)
    small[200:392, 300:620] = face
    nothing = np.full((192, 160, 3), 128, np.uint8)
    assert [len(search.faces(frame)) for frame in (face[:, 80:240], small, small, nothing)] == [1, 1, 1, 0]
    assert session.sides == [128, 320] * 4


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 900, 3), (900, 3, 3), (360, 640, 3)])
def test_finds_nothing_where_nothing_is(detector: FaceDetector, shape: tuple[int, int, int]) -> None:
    assert detector.detect(np.full(shape, 128, np.uint8)) == []


@pytest.mark.parametrize(
    "frame", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)]
)
def test_refuses_what_is_no_frame(detector: FaceDetector, frame: npt.NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        detector.detect(frame)


def test_merges_what_overlaps_weighted_by_score() -> None:
    points = np.array([[[0, 0], [10, 10]], [[2, 0], [12, 10]], [[50, 50], [60, 60]]], np.float32)
    faces = merge_overlapping(np.array([0.5, 0.5, 0.9], np.float32), points, 0.3)
    assert [(f.x, f.score) for f in faces] == [(50.0, pytest.approx(0.9)), (pytest.approx(1.0), 0.5)]
