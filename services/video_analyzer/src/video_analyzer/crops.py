"""Cut a face out of a frame, the same way for training and for judging."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from video_analyzer import pixels
from video_analyzer.detector import Face

Pixels = npt.NDArray[np.uint8]


def square_crop(frame_rgb: Pixels, face: Face, crop_scale: float, size: int) -> Pixels:
    """Cut a square around the face and scale it to uint8 [size, size, 3] RGB.

    The square's side is ``crop_scale`` times the larger side of the face's box, its centre the box's.
    What lies outside the frame repeats the frame's edge. Shrinking averages areas, enlarging is bilinear.

    Raises:
        ValueError: the box is empty or does not touch the frame.
    """
    height, width = frame_rgb.shape[:2]
    side = max(1, round(crop_scale * max(face.width, face.height)))
    left = round(face.x + face.width / 2 - side / 2)
    top = round(face.y + face.height / 2 - side / 2)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    if face.width <= 0 or face.height <= 0 or x0 >= x1 or y0 >= y1:
        raise ValueError(f"face box {face} lies outside the {width}x{height} frame")
    inside = frame_rgb[y0:y1, x0:x1]
    if (y1 - y0, x1 - x0) != (side, side):
        inside = pixels.pad(inside, y0 - top, top + side - y1, x0 - left, left + side - x1)
    return np.ascontiguousarray(pixels.resize(inside, size, size, average=side > size))
