"""Gates: what a face must be like to be judged."""

from __future__ import annotations

from collections import Counter

import cv2
import numpy as np
import pytest
from video_analyzer.detector import Face
from video_analyzer.quality import Flaw, QualityGates, describe, grey_face, sharpness

from testbed.faces import ASTRONAUT, HOPPER, Portrait

GATES = QualityGates(min_face_pixels=64)


def face_of(portrait: Portrait) -> Face:
    x, y, width, height = portrait.face
    return Face(x, y, width, height, 0.9)


@pytest.mark.parametrize("portrait", [ASTRONAUT, HOPPER], ids=["astronaut", "hopper"])
def test_a_clear_face_passes(portrait: Portrait) -> None:
    assert GATES.check(portrait.rgb(), face_of(portrait), 1.0) is None


def test_size_is_measured_in_the_displayed_video() -> None:
    rgb, face = ASTRONAUT.rgb(), face_of(ASTRONAUT)
    small = QualityGates(min_face_pixels=max(face.width, face.height) * 1.1)
    assert small.check(rgb, face, 1.0) is Flaw.SMALL
    assert small.check(rgb, face, 0.5) is None


def test_a_frame_scaled_down_far_does_not_promise_detail() -> None:
    face = face_of(ASTRONAUT)
    gates = QualityGates(min_face_pixels=face.width * 3)
    assert gates.check(ASTRONAUT.rgb(), face, 0.1) is Flaw.SMALL


def test_dark_bright_flat_and_blurred_faces_are_gated() -> None:
    rgb, face = ASTRONAUT.rgb(), face_of(ASTRONAUT)
    side = max(face.width, face.height)
    assert GATES.check((rgb * 0.1).astype(np.uint8), face, 1.0) is Flaw.DARK
    assert GATES.check((230 + rgb * 0.1).astype(np.uint8), face, 1.0) is Flaw.BRIGHT
    assert GATES.check((120 + rgb * 0.05).astype(np.uint8), face, 1.0) is Flaw.FLAT
    assert GATES.check(np.asarray(cv2.GaussianBlur(rgb, (0, 0), 0.04 * side), np.uint8), face, 1.0) is Flaw.BLURRED


def test_strong_compression_is_no_blur() -> None:
    encoded = cv2.imencode(".jpg", ASTRONAUT.rgb(), [cv2.IMWRITE_JPEG_QUALITY, 15])[1]
    assert GATES.check(np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8), face_of(ASTRONAUT), 1.0) is None


def test_a_face_cut_off_by_the_frame_is_gated() -> None:
    x, y, width, height = ASTRONAUT.face
    rgb = ASTRONAUT.rgb()[:, x + width // 3 :]
    assert GATES.check(rgb, Face(-width / 3, y, width, height, 0.9), 1.0) is Flaw.CROPPED
    rgb = ASTRONAUT.rgb()[:, x + width // 10 :]
    assert GATES.check(rgb, Face(-width / 10, y, width, height, 0.9), 1.0) is None
    assert GATES.check(rgb, Face(9000, 9000, 100, 100, 0.9), 1.0) is Flaw.CROPPED


def test_sharpness_does_not_depend_on_contrast() -> None:
    grey = grey_face(ASTRONAUT.rgb())
    assert sharpness(0.5 * grey + 60) == pytest.approx(sharpness(grey), rel=1e-3)
    assert sharpness(np.full((64, 64), 99, np.float32)) == 0


def test_each_flaw_is_counted() -> None:
    assert describe(Counter(), 64) == []
    assert [finding.text("en") for finding in describe(Counter({Flaw.BLURRED: 1, Flaw.SMALL: 3}), 64)] == [
        "Not judged were 3 sightings of faces that were too small (under 64 pixels).",
        "Not judged was 1 sighting of a face that was too blurred, by focus, motion or strong compression.",
    ]
