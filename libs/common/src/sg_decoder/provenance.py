"""What a file says of its own making: content credentials and tags."""

from __future__ import annotations

import os
from typing import Any

from sg_decoder import protocol
from sg_decoder.chunks import Piece, pieces
from sg_decoder.container import Send, open_container
from sg_decoder.declarations import Tag, declarations
from sg_decoder.limits import DecodeLimits

C2PA_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
C2PA_CHUNK = b"C2PA"
C2PA_TYPES = (b"application/c2pa\0", b"application/x-c2pa-manifest-store\0")  # of an object in an ID3 tag
XMP_CHUNK = b"_PMX"
XMP_BYTES = 1024**2


def decode(descriptor: int, request: dict[str, Any], limits: DecodeLimits, send: Send) -> None:
    """Send what the tags declare and whether there are content credentials; then, where there are, what they say.

    The library that reads them is loaded for such files alone: they are few, and it takes 23 MB and a tenth of a
    second. Credentials kept elsewhere (a link to a remote manifest) are not looked for.

    Raises:
        NotMedia, Undecodable: as `open_container` says.
    """
    found = list(pieces(descriptor))
    signed = any(_is_store(descriptor, piece) for piece in found)
    send(protocol.INFO, declared=declarations(_tags(descriptor, found)), credentials=signed)
    if signed:
        from sg_decoder.credentials import read_credentials  # noqa: PLC0415

        send(protocol.SUMMARY, **read_credentials(descriptor, request["anchors"], request["hashed_bytes"]))


def _is_store(descriptor: int, piece: Piece) -> bool:
    """Whether a piece is a manifest store (C2PA 2.2, appendix A.3 to A.5)."""
    if piece.name == b"ID3":
        tag = os.pread(descriptor, piece.length, piece.start)
        return any(kind in tag for kind in C2PA_TYPES)
    return piece.name in (C2PA_BOX, C2PA_CHUNK)


def _tags(descriptor: int, found: list[Piece]) -> list[Tag]:
    """The tags of the container, then of its streams, then XMP that FFmpeg does not read."""
    with open_container(descriptor, export_xmp="1") as container:
        owners = [container.metadata, *(stream.metadata for stream in container.streams)]
        tags = [(str(name), str(text)) for owner in owners for name, text in owner.items()]
    for piece in found:
        if piece.name == XMP_CHUNK:
            packet = os.pread(descriptor, min(piece.length, XMP_BYTES), piece.start)
            tags.append(("xmp", packet.decode(errors="replace")))
    return tags
