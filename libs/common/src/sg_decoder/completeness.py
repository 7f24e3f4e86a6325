"""Whether a file ends before its own header says that it does."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

UNKNOWN_SIZE = 0x7FFF0000
"""RIFF sizes from here on are what programs write that cannot know it yet (into a pipe)."""
MAX_BOXES = 100_000
MPEG_HEADER_BYTES = 4096
Read = Callable[[int, int], bytes]


def is_cut_off(descriptor: int) -> bool:
    """Whether MP4 boxes, a Matroska segment, a RIFF or AIFF form, or the Xing count of an MP3 reach beyond the end of
    the file. Formats that state no size cannot tell."""
    size = os.fstat(descriptor).st_size

    def read(place: int, count: int) -> bytes:
        return os.pread(descriptor, count, place)

    beginning = read(0, 12)
    try:
        if beginning[4:8] in (b"ftyp", b"moov", b"mdat", b"styp", b"wide", b"free", b"skip"):
            return _boxes_end(read, size) > size
        if beginning.startswith(b"\x1aE\xdf\xa3"):
            return _segment_end(read) > size
        if beginning.startswith(b"RIFF"):
            stated = int.from_bytes(beginning[4:8], "little")
            return stated < UNKNOWN_SIZE and stated + 8 > size
        if beginning.startswith(b"FORM"):
            stated = int.from_bytes(beginning[4:8])
            return stated < UNKNOWN_SIZE and stated + 8 > size
        return _xing_end(read) > size
    except (IndexError, struct.error):
        return False  # a header that makes no sense is the demuxer's subject


def _boxes_end(read: Read, size: int) -> int:
    """Where the last top-level box of an MP4 ends (ISO/IEC 14496-12, section 4.2)."""
    place = 0
    for _ in range(MAX_BOXES):
        header = read(place, 16)
        if len(header) < 8:
            return place if not header else size + 1
        length = int.from_bytes(header[:4])
        if length == 1:
            (length,) = struct.unpack(">Q", header[8:])
        if length < 8:  # 0: to the end of the file
            return size
        place += length
        if place > size:
            return place
    return size


def _segment_end(read: Read) -> int:
    """Where the first segment of a Matroska file ends (RFC 8794, section 4); 0 where it does not say."""
    header = read(0, 64)
    _, after_id = _number(header, 0, keep_marker=True)
    length, content = _number(header, after_id)
    place = content + length
    header = read(place, 16)
    identifier, after_id = _number(header, 0, keep_marker=True)
    length, content = _number(header, after_id)
    unknown = length == (1 << 7 * (content - after_id)) - 1
    return 0 if identifier != 0x18538067 or unknown else place + content + length


def _number(data: bytes, place: int, *, keep_marker: bool = False) -> tuple[int, int]:
    """A variable-size integer of EBML and where it ends."""
    width = 9 - data[place].bit_length()
    value = int.from_bytes(data[place : place + width])
    return value if keep_marker else value & (1 << 7 * width) - 1, place + width


def _xing_end(read: Read) -> int:
    """Where an MP3 ends by its Xing header, 0 without one."""
    start, tag = 0, read(0, 10)
    if tag.startswith(b"ID3"):
        start = 10 + sum((byte & 127) << 7 * (3 - place) for place, byte in enumerate(tag[6:10]))
    header = read(start, MPEG_HEADER_BYTES)
    place = max(header.find(b"Xing", 0, 64), header.find(b"Info", 0, 64))
    if header[:1] != b"\xff" or place < 0:
        return 0
    (flags,) = struct.unpack(">I", header[place + 4 : place + 8])
    if not flags & 2:
        return 0
    (length,) = struct.unpack(">I", header[place + 8 + 4 * (flags & 1) :][:4])
    return start + int(length)
