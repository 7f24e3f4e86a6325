"""The pixel functions against OpenCV's, which the detector was measured and the model trained with."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from video_analyzer import pixels

from testbed.faces import ASTRONAUT, backdrop

SIZES = [
    ((1080, 1920), (320, 180), True),
    ((1080, 1920), (128, 72), True),
    ((1077, 1913), (320, 180), True),
    ((333, 333), (224, 224), True),
    ((91, 160), (32, 18), True),
    ((200, 200), (224, 224), False),
    ((60, 50), (64, 64), False),
    ((1, 7), (5, 3), False),
]


@pytest.mark.parametrize(("shape", "size", "average"), SIZES)
def test_scaling_is_opencvs_to_within_a_grey_level(
    shape: tuple[int, int], size: tuple[int, int], average: bool
) -> None:
    room = backdrop(shape[1], shape[0])
    noise = np.random.default_rng(0).integers(-30, 31, room.shape)
    picture = np.asarray(np.clip(room + noise, 0, 255), np.uint8)
    interpolation = cv2.INTER_AREA if average else cv2.INTER_LINEAR
    reference = cv2.resize(picture, size, interpolation=interpolation).astype(int)
    scaled = pixels.resize(picture, *size, average=average)
    assert scaled.dtype == np.uint8
    assert np.abs(scaled - reference).max() <= 1


def test_brightness_sharpness_colours_and_edges_are_opencvs() -> None:
    picture = ASTRONAUT.rgb()[:64, 100:164]
    grey = pixels.grey(picture)
    assert np.abs(grey.astype(int) - cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)).max() == 0
    values = grey.astype(np.float32)
    np.testing.assert_allclose(pixels.laplacian(values), cv2.Laplacian(values, cv2.CV_32F), atol=1e-3)
    counts = cv2.calcHist([picture], [0, 1, 2], None, [8, 8, 8], [0, 256] * 3).ravel()
    np.testing.assert_array_equal(pixels.colour_histogram(picture), counts)
    padded = cv2.copyMakeBorder(picture, 1, 2, 3, 4, cv2.BORDER_REPLICATE)
    np.testing.assert_array_equal(pixels.pad(picture, 1, 2, 3, 4), padded)
