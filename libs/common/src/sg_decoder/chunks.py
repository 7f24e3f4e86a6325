"""The outermost pieces of a file, found without reading what is in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

MAX_PIECES = 100_000
BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"styp", b"wide", b"free", b"skip", b"uuid"})
ID3_BYTES = 16 * 1024**2
"""As much of an ID3 tag is looked at."""


@dataclass(frozen=True)
class Piece:
    """A piece's name (of a box with a UUID for a name, that UUID) and where its content lies in the file."""

    name: bytes
    start: int
    length: int


def pieces(descriptor: int) -> Iterator[Piece]:
    """The top-level boxes of an MP4 (ISO/IEC 14496-12, section 4.2), the chunks of a RIFF form, or the ID3 tag that an
    MP3 or FLAC begins with (ID3v2.4, section 3.1); none of any other file."""
    beginning = os.pread(descriptor, 12, 0)
    if beginning[4:8] in BOXES:
        yield from _boxes(descriptor)
    elif beginning.startswith(b"RIFF"):
        yield from _chunks(descriptor)
    elif beginning.startswith(b"ID3"):
        length = sum((byte & 127) << 7 * (3 - place) for place, byte in enumerate(beginning[6:10]))
        yield Piece(b"ID3", 10, min(length, ID3_BYTES))


def _boxes(descriptor: int) -> Iterator[Piece]:
    place, size = 0, os.fstat(descriptor).st_size
    for _ in range(MAX_PIECES):
        header = os.pread(descriptor, 32, place)
        if len(header) < 8:
            return
        length, name, start = int.from_bytes(header[:4]), header[4:8], 8
        if length == 1:
            length, start = int.from_bytes(header[8:16]), 16
        if name == b"uuid":
            name, start = header[start : start + 16], start + 16
        if length == 0:  # to the end of the file
            length = size - place
        if length < start:
            return
        yield Piece(name, place + start, length - start)
        place += length


def _chunks(descriptor: int) -> Iterator[Piece]:
    place = 12
    for _ in range(MAX_PIECES):
        header = os.pread(descriptor, 8, place)
        if len(header) < 8:
            return
        length = int.from_bytes(header[4:], "little")
        yield Piece(header[:4], place + 8, length)
        place += 8 + length + length % 2
