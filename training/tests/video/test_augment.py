"""Changes that genuine and manipulated crops go through."""

from __future__ import annotations

import numpy as np
import pytest

from training.video.augment import View, cut_native, degrade, rescale, retouch

STRAIGHT = View(scale=1.5, shift=(0.0, 0.0), angle=0.0, mirrored=False)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_native_view_holds_the_same_pixels() -> None:
    stored = picture(64, 64)
    np.testing.assert_array_equal(cut_native(stored, STRAIGHT, 30, 40), stored[12:52, 12:52])
    moved = View(scale=1.5, shift=(0.1, -0.2), angle=3.0, mirrored=True)
    np.testing.assert_array_equal(cut_native(stored, moved, 30, 40), stored[6:46, 15:55][:, ::-1])


def test_a_native_view_of_a_small_face_repeats_its_edge() -> None:
    stored = picture(64, 64)
    view = cut_native(stored, STRAIGHT, 20, 40)
    np.testing.assert_array_equal(view[5:35, 5:35], stored[17:47, 17:47])
    np.testing.assert_array_equal(view[5:35, 0], stored[17:47, 17])


@pytest.mark.parametrize("seed", range(12))
def test_changes_keep_the_shape(seed: int) -> None:
    for image in (picture(48, 48), picture(96, 48)):
        changed = (rescale(image, np.random.default_rng(seed)), degrade(image, np.random.default_rng(seed)))
        assert all(c.shape == image.shape and c.dtype == np.uint8 for c in changed)
    square = picture(48, 48)
    np.testing.assert_array_equal(
        retouch(square, 1.35, np.random.default_rng(seed)), retouch(square, 1.35, np.random.default_rng(seed))
    )


def test_retouching_changes_most_pictures() -> None:
    square = picture(48, 48)
    changed = [retouch(square, 1.35, np.random.default_rng(seed)) for seed in range(20)]
    assert np.mean([(c != square).any() for c in changed]) > 0.8
