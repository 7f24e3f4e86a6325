"""Conditions under which a detector is judged: what happens to videos on their way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import cv2
import numpy as np

from training.video.corpus import Pixels
from training.video.prepare import Prepared


def degraded(views: Pixels, change: Callable[[Pixels, np.random.Generator], Pixels]) -> Pixels:
    """All views through one change, the same each time."""
    rng = np.random.default_rng(5)
    return np.stack([change(np.asarray(view), rng) for view in views])


def jpeg(quality: int) -> Callable[[Pixels, np.random.Generator], Pixels]:
    """JPEG compression of a crop at one quality."""

    def change(crop: Pixels, _rng: np.random.Generator) -> Pixels:
        data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)

    return change


def half_size(crop: Pixels, _rng: np.random.Generator) -> Pixels:
    """A crop as of a face half as large."""
    small = cv2.resize(crop, (crop.shape[1] // 2, crop.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (crop.shape[1], crop.shape[0]), interpolation=cv2.INTER_LINEAR), np.uint8)


def every_third(prepared: Prepared) -> Prepared:
    """A third of a corpus, for figures that need many passes."""
    return Prepared(**{field.name: getattr(prepared, field.name)[::3] for field in fields(prepared)})
