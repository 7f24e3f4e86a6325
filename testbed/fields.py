"""H.264 whose frames are coded as two fields, each in an access unit of its own, as camcorders and broadcasters do.

No encoder at hand makes it, so this one writes the pictures uncompressed (I_PCM macroblocks; ITU-T H.264, 7.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame

from testbed.media import Picture

Plane = npt.NDArray[np.uint8]
GROUP = 12
SEQUENCE, PICTURE, DELIMITER, SLICE, KEY_SLICE = 7, 8, 9, 1, 5
I_SLICE, I_PCM = 7, 25


class _Writer:
    def __init__(self) -> None:
        self._bits: list[int] = []

    def put(self, *fields: tuple[int, int]) -> _Writer:
        """Write (bits, value) pairs."""
        for count, value in fields:
            self._bits.extend(value >> place & 1 for place in range(count - 1, -1, -1))
        return self

    def golomb(self, *values: int) -> _Writer:
        """Write unsigned Exp-Golomb codes."""
        for value in values:
            length = (value + 1).bit_length()
            self.put((2 * length - 1, value + 1))
        return self

    def raw(self, data: bytes) -> _Writer:
        """Write bytes behind the next byte boundary."""
        self._bits.extend([0] * (-len(self._bits) % 8))
        self._bits.extend(np.unpackbits(np.frombuffer(data, np.uint8)).tolist())
        return self

    def unit(self, kind: int, importance: int) -> bytes:
        """The NAL unit with its start code."""
        self.put((1, 1))
        payload = np.packbits(np.array(self._bits, np.uint8)).tobytes()
        escaped, zeros = bytearray(), 0
        for byte in payload:
            if zeros >= 2 and byte <= 3:
                escaped.append(3)
                zeros = 0
            escaped.append(byte)
            zeros = zeros + 1 if byte == 0 else 0
        return b"\0\0\0\1" + bytes([importance << 5 | kind]) + bytes(escaped)


def write_fields(path: Path, pictures: Sequence[Picture], fps: int = 25) -> Path:
    """Write a raw H.264 stream of (height, width, 3) pictures; the width a multiple of 16, the height of 32."""
    height, width = pictures[0].shape[:2]
    stream, order, number = bytearray(), 0, 0
    for place, picture in enumerate(pictures):
        key, referred = place % GROUP == 0, place % 3 == 0
        if key:
            order = number = 0
        planes = _planes(picture)
        importance = 3 if key else 2 * referred
        delimiter = _Writer().put((3, 7)).unit(DELIMITER, 0)
        stream += delimiter
        if key:
            stream += _sequence(width, height, fps) + _picture()
        for bottom in (0, 1):
            if bottom:
                stream += delimiter
            field = [plane[bottom::2] for plane in planes]
            stream += _field(field, importance, key and not bottom, bottom, number % 16, (order + bottom) % 256)
        order += 2
        number += 1 if importance else 0
    path.write_bytes(stream)
    return path


def _planes(picture: Picture) -> list[Plane]:
    height, width = picture.shape[:2]
    yuv = np.asarray(VideoFrame.from_ndarray(picture, format="rgb24").to_ndarray(format="yuv420p"), np.uint8).ravel()
    luma, chroma = width * height, width * height // 4
    return [
        yuv[:luma].reshape(height, width),
        yuv[luma : luma + chroma].reshape(height // 2, width // 2),
        yuv[luma + chroma :].reshape(height // 2, width // 2),
    ]


def _sequence(width: int, height: int, fps: int) -> bytes:
    writer = _Writer().put((8, 77), (8, 0), (8, 40))  # Main profile, level 4
    writer.golomb(0, 0, 0, 4, 2).put((1, 0))  # frame_num of 4 bits, picture order of 8
    writer.golomb(width // 16 - 1, height // 32 - 1).put((1, 0), (1, 0), (1, 1), (1, 0))  # fields allowed
    writer.put((1, 1), (4, 0), (1, 1), (32, 1), (32, 2 * fps), (1, 1), (2, 0), (1, 1), (1, 0))
    return writer.unit(SEQUENCE, 3)


def _picture() -> bytes:
    writer = _Writer().golomb(0, 0).put((2, 0)).golomb(0, 0, 0).put((3, 0)).golomb(0, 0, 0).put((3, 4))
    return writer.unit(PICTURE, 3)


def _field(planes: Sequence[Plane], importance: int, key: bool, bottom: int, number: int, order: int) -> bytes:
    writer = _Writer().golomb(0, I_SLICE, 0).put((4, number), (1, 1), (1, bottom))
    if key:
        writer.golomb(0)
    writer.put((8, order))
    if importance:
        writer.put((2 if key else 1, 0))
    writer.golomb(0, 1)  # no change of quantization, no deblocking
    luma, *chroma = planes
    for y in range(0, luma.shape[0], 16):
        for x in range(0, luma.shape[1], 16):
            parts = [luma[y : y + 16, x : x + 16], *(plane[y // 2 :][:8, x // 2 :][:, :8] for plane in chroma)]
            writer.golomb(I_PCM).raw(b"".join(part.tobytes() for part in parts))
    return writer.unit(KEY_SLICE if key else SLICE, importance)
