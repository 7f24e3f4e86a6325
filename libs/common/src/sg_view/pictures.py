"""Pictures that a report carries, as `data:` addresses."""

from __future__ import annotations

import base64
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.video.codeccontext import VideoCodecContext

QUANTIZER = 4
"""Of 2 (best) to 31; a face still shows what is wrong with it."""


def jpeg_address(rgb: npt.NDArray[np.uint8]) -> str:
    """A picture as a `data:` address.

    Args:
        rgb: (height, width, 3), full range.
    """
    height, width, _ = rgb.shape
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, VideoCodecContext)  # noqa: S101 - for the type checker
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width, height, "yuvj420p", Fraction(1)
    encoder.qmin = encoder.qmax = QUANTIZER
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(format="yuvj420p")
    data = b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
