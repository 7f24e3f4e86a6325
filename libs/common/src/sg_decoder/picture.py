"""A decoded frame to RGB as a viewer sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

UNSPECIFIED_COLORSPACE = 2  # AVCOL_SPC_UNSPECIFIED
HD_HEIGHT = 720
WIDEST_PIXEL = 8


def _without_a_name(cls: type[Type], value: object) -> Type:
    """Side data that FFmpeg knows and the binding's enumeration does not: a value without a name, so that reading a
    frame's side data does not fail over what nobody asked for."""
    member = object.__new__(cls)
    member._name_ = f"UNKNOWN_{value}"
    member._value_ = value  # type: ignore[assignment]
    return member


Type._missing_ = classmethod(_without_a_name)  # type: ignore[assignment]


@dataclass(frozen=True)
class Geometry:
    """How stored pixels become displayed ones.

    Attributes:
        width, height: displayed pixels.
        stored_width, stored_height: pixels of the scaled picture before it is turned.
        quarter_turns: counter-clockwise, after mirroring.
        mirrored: left and right change places first.
        scale: pixels given per displayed pixel.
    """

    width: int
    height: int
    stored_width: int
    stored_height: int
    quarter_turns: int
    mirrored: bool
    scale: float


def geometry(frame: VideoFrame, pixel_shape: Fraction | None, max_side: int) -> Geometry:
    """The geometry of a frame.

    Args:
        frame: carries the display matrix as side data.
        pixel_shape: sample aspect ratio; None for square.
        max_side: the longer side given, pixels.
    """
    width, height = frame.width, frame.height
    if pixel_shape and Fraction(1, WIDEST_PIXEL) <= pixel_shape <= WIDEST_PIXEL:
        width = max(1, round(width * pixel_shape))
    turns, mirrored = _orientation(frame)
    scale = min(1.0, max_side / max(width, height))
    stored = (max(1, round(width * scale)), max(1, round(height * scale)))
    if turns % 2:
        width, height = height, width
    return Geometry(width, height, *stored, quarter_turns=turns, mirrored=mirrored, scale=scale)


class Painter:
    """Turns frames into RGB arrays, reusing one scaler."""

    def __init__(self) -> None:
        self._scaler = VideoReformatter()

    def paint(self, frame: VideoFrame, shape: Geometry) -> npt.NDArray[np.uint8]:
        """(height, width, 3), contiguous, full range, at the geometry's scale. Area averaging where it shrinks."""
        rgb = self._scaler.reformat(
            frame,
            width=shape.stored_width,
            height=shape.stored_height,
            format="rgb24",
            src_colorspace=_colorspace(frame),
            src_color_range=frame.color_range or None,
            dst_color_range=ColorRange.JPEG,
            interpolation=Interpolation.AREA | Interpolation.ACCURATE_RND,
            threads=1,
        )
        pixels = rgb.to_ndarray()
        if shape.mirrored:
            pixels = pixels[:, ::-1]
        return np.ascontiguousarray(np.rot90(pixels, shape.quarter_turns), dtype=np.uint8)


def _colorspace(frame: VideoFrame) -> int | None:
    """The matrix that viewers assume where the stream names none: BT.709 for HD, BT.601 below."""
    if frame.colorspace != UNSPECIFIED_COLORSPACE:
        return None
    return int(Colorspace.ITU709 if max(frame.height, frame.width * 9 // 16) >= HD_HEIGHT else Colorspace.ITU601)


def _orientation(frame: VideoFrame) -> tuple[int, bool]:
    """Counter-clockwise quarter turns and mirroring of the frame's display matrix."""
    matrix = cast(Mapping[Type, bytes], frame.side_data).get(Type.DISPLAYMATRIX)
    if matrix is None:
        return 0, False
    a, b, _, c, d = np.frombuffer(matrix, dtype=np.int32)[:5].astype(np.float64)
    mirrored = bool(a * d - b * c < 0)
    if mirrored:
        a, b = -a, -b
    return round(np.degrees(np.arctan2(-b, a)) / 90) % 4, mirrored
