"""What is cut out of a frame around a face."""

from __future__ import annotations

import numpy as np
import pytest
from video_analyzer.crops import face_views, native_crop, square_crop
from video_analyzer.detector import Face


def test_crop_is_centred_and_scaled() -> None:
    frame = np.zeros((100, 100, 3), np.uint8)
    frame[40:60, 40:60] = 255
    crop = square_crop(frame, Face(40, 40, 20, 16, 0.9), 2.0, 40)
    assert crop.shape == (40, 40, 3)
    assert crop[18, 20].tolist() == [255, 255, 255]
    assert crop[2, 2].tolist() == [0, 0, 0]


def test_crop_repeats_the_frames_edge() -> None:
    frame = np.full((50, 50, 3), 200, np.uint8)
    crop = square_crop(frame, Face(-10, -10, 30, 30, 0.9), 1.5, 64)
    assert (crop == 200).all()


@pytest.mark.parametrize("face", [Face(0, 0, 0, 5, 0.9), Face(500, 500, 10, 10, 0.9)])
def test_crop_refuses_a_box_outside(face: Face) -> None:
    with pytest.raises(ValueError, match="outside"):
        square_crop(np.zeros((50, 50, 3), np.uint8), face, 1.2, 64)


def frame_of(side: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)


def test_a_native_crop_holds_the_frames_own_pixels() -> None:
    frame = frame_of(200)
    crop = native_crop(frame, Face(60, 50, 80, 100, 0.9), 1.35, 64, 120)
    np.testing.assert_array_equal(crop, frame[68:132, 68:132])


def test_a_native_crop_shows_no_more_than_the_square_around_the_face() -> None:
    frame = frame_of(200)
    crop = native_crop(frame, Face(80, 80, 40, 30, 0.9), 1.5, 100, 120)
    np.testing.assert_array_equal(crop[20:80, 20:80], frame[65:125, 70:130])
    np.testing.assert_array_equal(crop[:20, 20:80], np.repeat(frame[65:66, 70:130], 20, axis=0))


def test_a_large_face_is_shrunk_before_its_native_crop() -> None:
    frame = np.kron(frame_of(100), np.ones((4, 4, 1), np.uint8))
    crop = native_crop(frame, Face(100, 100, 200, 200, 0.9), 1.35, 32, 50)
    np.testing.assert_array_equal(crop, frame[136:264:4, 136:264:4])


def test_views_are_the_crop_and_below_it_the_native_one() -> None:
    frame, face = frame_of(200), Face(60, 60, 80, 80, 0.9)
    crop = square_crop(frame, face, 1.35, 64)
    np.testing.assert_array_equal(face_views(frame, face, 1.35, 64), crop)
    views = face_views(frame, face, 1.35, 64, 120)
    np.testing.assert_array_equal(views[:64], crop)
    np.testing.assert_array_equal(views[64:], native_crop(frame, face, 1.35, 64, 120))
