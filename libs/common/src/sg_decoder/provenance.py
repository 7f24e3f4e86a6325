"""What a file says of its own making: its tags, and whether it holds content credentials, which `credentials` reads."""

from __future__ import annotations

import os
from itertools import chain, islice
from typing import Any

from av.container import InputContainer

from sg_decoder import protocol
from sg_decoder.chunks import Piece, pieces
from sg_decoder.container import Send
from sg_decoder.declarations import Tag, declarations
from sg_decoder.limits import DecodeLimits

C2PA_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
C2PA_CHUNK = b"C2PA"
C2PA_TYPES = (b"application/c2pa\0", b"application/x-c2pa-manifest-store\0")  # of an object in an ID3 tag
XMP_CHUNK = b"_PMX"
XMP_BYTES = 1024**2
TAG_SIGNS = 1024**2
MAX_TAGS = 200


def send_claims(descriptor: int, container: InputContainer, send: Send) -> None:
    """Send what the tags declare and whether there are content credentials; nothing where that fails, which is no
    failure of the decoding. Credentials kept elsewhere (a link to a remote manifest) are not looked for."""
    try:
        found = list(pieces(descriptor))
        declared = declarations(_tags(descriptor, container, found))
        signed = any(_is_store(descriptor, piece) for piece in found)
    except Exception:  # hostile tags, or no memory for them
        return
    send(protocol.CLAIMS, declared=declared, credentials=signed)


def decode(descriptor: int, request: dict[str, Any], limits: DecodeLimits, send: Send) -> None:
    """Send what the content credentials say.

    The library that reads them is loaded here alone: few files have any, and it takes 23 MB and a tenth of a second.
    """
    from sg_decoder.credentials import read_credentials  # noqa: PLC0415

    send(protocol.INFO, **read_credentials(descriptor, request["anchors"], request["hashed_bytes"]))


def _is_store(descriptor: int, piece: Piece) -> bool:
    """Whether a piece is a manifest store (C2PA 2.2, appendix A.3 to A.5)."""
    if piece.name == b"ID3":
        tag = os.pread(descriptor, piece.length, piece.start)
        return any(kind in tag for kind in C2PA_TYPES)
    return piece.name in (C2PA_BOX, C2PA_CHUNK)


def _tags(descriptor: int, container: InputContainer, found: list[Piece]) -> list[Tag]:
    """The tags of the container, then of its streams, then XMP that FFmpeg does not read."""
    owners = [container.metadata, *(stream.metadata for stream in container.streams)]
    named = islice(chain.from_iterable(owner.items() for owner in owners), MAX_TAGS)
    tags = [(str(name), str(text)[:TAG_SIGNS]) for name, text in named]
    for piece in islice((piece for piece in found if piece.name == XMP_CHUNK), MAX_TAGS):
        packet = os.pread(descriptor, min(piece.length, XMP_BYTES), piece.start)
        tags.append(("xmp", packet.decode(errors="replace")))
    return tags
