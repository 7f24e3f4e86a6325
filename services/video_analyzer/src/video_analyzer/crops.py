"""Cut a face out of a frame, the same way for training and for judging."""

from __future__ import annotations

import numpy as np
from sg_common.bundle.spec import FaceInput

from video_analyzer import pixels
from video_analyzer.detector import Face
from video_analyzer.pixels import Pixels


def square_crop(frame_rgb: Pixels, face: Face, crop_scale: float, size: int) -> Pixels:
    """Cut a square around the face and scale it to uint8 [size, size, 3] RGB.

    The square's side is ``crop_scale`` times the larger side of the face's box, its centre the box's.
    What lies outside the frame repeats the frame's edge. Shrinking averages areas, enlarging is bilinear.

    Raises:
        ValueError: the box is empty or does not touch the frame.
    """
    side = max(1, round(crop_scale * max(face.width, face.height)))
    return np.ascontiguousarray(pixels.resize(_square(frame_rgb, face, side), size, size, average=side > size))


def native_crop(frame_rgb: Pixels, face: Face, crop_scale: float, size: int, max_face_pixels: float) -> Pixels:
    """The middle of `square_crop`'s square in the frame's own pixels, uint8 [size, size, 3] RGB.

    Faces whose larger side is over ``max_face_pixels`` are shrunk to it. Where the square is smaller than ``size``,
    its edge is repeated.

    Raises:
        ValueError: the box is empty or does not touch the frame.
    """
    face_side = max(face.width, face.height)
    shrink = max(1.0, face_side / max_face_pixels)
    side = max(1, min(round(size * shrink), round(crop_scale * face_side)))
    scaled = max(1, min(size, round(side / shrink)))
    middle = pixels.resize(_square(frame_rgb, face, side), scaled, scaled, average=True)
    before = (size - scaled) // 2
    after = size - scaled - before
    return np.ascontiguousarray(pixels.pad(middle, before, after, before, after) if before + after else middle)


def face_views(
    frame_rgb: Pixels, face: Face, crop_scale: float, size: int, native_face_pixels: float | None = None
) -> Pixels:
    """What a model looks at: `square_crop`, and below it, where ``native_face_pixels`` is given, `native_crop`.

    uint8 [size, size, 3] or [2 * size, size, 3] RGB.

    Raises:
        ValueError: the box is empty or does not touch the frame.
    """
    crop = square_crop(frame_rgb, face, crop_scale, size)
    if native_face_pixels is None:
        return crop
    return np.concatenate([crop, native_crop(frame_rgb, face, crop_scale, size, native_face_pixels)])


def crop_face(frame_rgb: Pixels, face: Face, spec: FaceInput) -> Pixels:
    """What a bundle's graph looks at of a face: `face_views` as its `input` says.

    Raises:
        ValueError: the box is empty or does not touch the frame.
    """
    return face_views(frame_rgb, face, spec.crop_scale, spec.size, spec.native_face_pixels)


def _square(frame_rgb: Pixels, face: Face, side: int) -> Pixels:
    """A square of ``side`` pixels around the centre of a face's box, uint8 [side, side, 3]."""
    height, width = frame_rgb.shape[:2]
    left = round(face.x + face.width / 2 - side / 2)
    top = round(face.y + face.height / 2 - side / 2)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    if face.width <= 0 or face.height <= 0 or x0 >= x1 or y0 >= y1:
        raise ValueError(f"face box {face} lies outside the {width}x{height} frame")
    inside = frame_rgb[y0:y1, x0:x1]
    if (y1 - y0, x1 - x0) != (side, side):
        inside = pixels.pad(inside, y0 - top, top + side - y1, x0 - left, left + side - x1)
    return inside
