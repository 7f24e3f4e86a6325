"""What the headers in a packet tell about its frame, without decoding it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from av.packet import Packet
from av.video.stream import VideoStream

HIDDEN, SECOND_FIELD, LEADING = 2, 4, 8
"""Nothing is shown; the packet completes the frame of the one before; the frame needs one before its key frame."""

HEADER_BYTES = 64  # more than a slice header's first fields or a parameter set before its resolution need
START_CODE = re.compile(b"\0\0\1")
SCALING_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
VP8_SHOW_FRAME = 0x10
HEVC_SKIPPED_LEADING = range(8, 10)  # NAL unit types of ITU-T H.265, table 7-1
HEVC_BROKEN_LINKS = range(16, 19)
HEVC_KEYS = range(16, 24)
HEVC_PARAMETERS = 32
HEVC_ENDS = range(36, 38)

Marker = Callable[["Packet[VideoStream]"], int]


def marker(stream: VideoStream) -> Marker:
    """A function from each packet of the stream, in order, to its flags."""
    context = stream.codec_context
    extra = context.extradata or b""
    match context.name:
        case "vp8" | "libvpx":
            return lambda packet: 0 if memoryview(packet)[0] & VP8_SHOW_FRAME else HIDDEN
        case "vp9" | "libvpx-vp9":
            return lambda packet: 0 if _vp9_shows(memoryview(packet)) else HIDDEN
        case "h264":
            return _Fields(extra).mark
        case "hevc":
            return _Leading(extra).mark
        case _:
            return lambda packet: 0


def _vp9_shows(data: memoryview) -> bool:
    """Whether a VP9 packet shows a frame: by its header's first byte, or because it is a superframe, which ends with
    the frame that is shown (VP9 bitstream specification, section 6.2 and annex B)."""
    first, superframe = data[0], data[-1] & 0xE0 == 0xC0
    profile = (first >> 5 & 1) | (first >> 4 & 1) << 1
    rest = first << 4 if profile < 3 else first << 5  # show_existing_frame, frame_type, show_frame, ...
    return superframe or bool(rest & 0x80 or rest & 0x20)


class _Bits:
    """Reads a NAL unit's payload: fixed-length and Exp-Golomb codes (ITU-T H.264, section 9.1).

    Raises:
        IndexError: the payload ends early.
    """

    def __init__(self, payload: bytes) -> None:
        clean = payload.replace(b"\0\0\3", b"\0\0")  # emulation prevention
        self._bits = "".join(f"{byte:08b}" for byte in clean)
        self._at = 0

    def take(self, count: int) -> int:
        start, self._at = self._at, self._at + count
        if self._at > len(self._bits):
            raise IndexError("the header ends early")
        return int(self._bits[start : self._at], 2) if count else 0

    def unsigned(self) -> int:
        zeros = self._bits.find("1", self._at) - self._at
        if zeros < 0:
            raise IndexError("the header ends early")
        self.take(zeros)
        return self.take(zeros + 1) - 1

    def signed(self) -> int:
        code = self.unsigned()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def _units(data: memoryview, length_size: int) -> Iterator[bytes]:
    """The beginning of each NAL unit: after start codes (`length_size` 0) or after lengths of so many bytes."""
    if length_size:
        place = 0
        while place + length_size < len(data):
            size = int.from_bytes(data[place : place + length_size])
            place += length_size
            yield bytes(data[place : place + min(size, HEADER_BYTES)])
            place += size
        return
    for code in START_CODE.finditer(data):
        if code.end() < len(data):
            yield bytes(data[code.end() : code.end() + HEADER_BYTES])


class _Fields:
    """Finds the second fields of H.264 frames whose two fields come in packets of their own.

    The decoder's own rule: a field of the other parity with the same `frame_num` completes the one before (ITU-T
    H.264, sections 3.30 and 7.4.1.2.4).
    """

    def __init__(self, extra: bytes) -> None:
        self._length_size = 0
        self._sequences: dict[int, tuple[int, bool, bool]] = {}
        self._pictures: dict[int, int] = {}
        self._may_be_fields = False
        self._waiting: tuple[int, bool] | None = None
        if extra[:1] == b"\1":
            self._length_size = (extra[4] & 3) + 1 if len(extra) > 4 else 4
            self._read_configuration(extra)
        else:
            for unit in _units(memoryview(extra), 0):
                self._parameters(unit)

    def _read_configuration(self, extra: bytes) -> None:
        place = 5
        for mask in (31, 255):
            if place >= len(extra):
                return
            count, place = extra[place] & mask, place + 1
            for _ in range(count):
                size = int.from_bytes(extra[place : place + 2])
                self._parameters(extra[place + 2 : place + 2 + size])
                place += 2 + size

    def mark(self, packet: Packet[VideoStream]) -> int:
        """`SECOND_FIELD` where the packet completes the frame of the packet before."""
        fields: list[tuple[int, bool]] = []
        for unit in _units(memoryview(packet), self._length_size):
            kind = unit[0] & 31
            if kind in (7, 8):
                self._parameters(unit)
            elif kind in (1, 5):
                field = self._field(unit) if self._may_be_fields else None
                if field is None:
                    fields.clear()
                    break  # a whole frame, or nothing known
                if field not in fields:
                    fields.append(field)
        waiting, self._waiting = self._waiting, fields[-1] if len(fields) == 1 else None
        if len(fields) != 1 or waiting is None or waiting != (fields[0][0], not fields[0][1]):
            return 0
        self._waiting = None
        return SECOND_FIELD

    def _parameters(self, unit: bytes) -> None:
        try:
            bits = _Bits(unit[1:])
            if unit[0] & 31 == 7:
                self._sequence(bits)
            elif unit[0] & 31 == 8:
                picture = bits.unsigned()
                self._pictures[picture] = bits.unsigned()
        except IndexError:
            pass  # the decoder will complain

    def _sequence(self, bits: _Bits) -> None:
        profile, _ = bits.take(8), bits.take(16)
        number, separate = bits.unsigned(), False
        if profile in SCALING_PROFILES:
            chroma = bits.unsigned()
            separate = chroma == 3 and bool(bits.take(1))
            for _ in range(2):
                bits.unsigned()
            bits.take(1)
            if bits.take(1):
                for matrix in range(8 if chroma != 3 else 12):
                    if bits.take(1):
                        self._skip_scaling_list(bits, 16 if matrix < 6 else 64)
        frame_num_bits = bits.unsigned() + 4
        order = bits.unsigned()
        if order == 0:
            bits.unsigned()
        elif order == 1:
            bits.take(1)
            bits.signed()
            bits.signed()
            for _ in range(bits.unsigned()):
                bits.signed()
        bits.unsigned()
        bits.take(1)
        bits.unsigned()
        bits.unsigned()
        frames_only = bool(bits.take(1))
        self._sequences[number] = (frame_num_bits, separate, frames_only)
        self._may_be_fields |= not frames_only

    @staticmethod
    def _skip_scaling_list(bits: _Bits, size: int) -> None:
        last = following = 8
        for _ in range(size):
            if following:
                following = (last + bits.signed()) % 256
            last = following or last

    def _field(self, unit: bytes) -> tuple[int, bool] | None:
        """`frame_num` and whether it is the bottom field; None for a slice of a whole frame."""
        try:
            bits = _Bits(unit[1:])
            bits.unsigned()
            bits.unsigned()
            sequence = self._sequences.get(self._pictures.get(bits.unsigned(), -1))
            if sequence is None:
                return None
            frame_num_bits, separate, frames_only = sequence
            if frames_only:
                return None
            bits.take(2 * separate)
            number = bits.take(frame_num_bits)
            return (number, bool(bits.take(1))) if bits.take(1) else None
        except IndexError:
            return None


class _Leading:
    """Finds HEVC's random access skipped leading pictures (RASL; ITU-T H.265, section 3.129): they refer to pictures
    before the key frame that they follow. Where there are none, no player shows them."""

    def __init__(self, extra: bytes) -> None:
        self._length_size = (extra[21] & 3) + 1 if extra[:1] == b"\1" and len(extra) > 21 else 0
        self._begins = True
        self._cut = False

    def mark(self, packet: Packet[VideoStream]) -> int:
        """`LEADING`, and `HIDDEN` where what the picture refers to is not there."""
        for unit in _units(memoryview(packet), self._length_size):
            kind = unit[0] >> 1 & 63
            if kind in HEVC_ENDS:
                self._begins = True
            elif kind in HEVC_KEYS:
                self._begins, self._cut = False, self._begins or kind in HEVC_BROKEN_LINKS
                return 0
            elif kind < HEVC_PARAMETERS:
                if kind not in HEVC_SKIPPED_LEADING:
                    return 0
                return LEADING | (HIDDEN if self._cut else 0)
        return 0
