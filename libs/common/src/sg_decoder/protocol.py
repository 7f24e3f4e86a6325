"""The messages of a decoder child: a length, a JSON header, then as many payload bytes as the header's `size` says."""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO

PREFIX = struct.Struct(">I")
MAX_HEADER_BYTES = 64 * 1024

# Between a service and its zygote
READY = b"ready"
EXIT_STATUS = struct.Struct("=i")  # negative: the signal that killed the child
MAX_REQUEST_BYTES = 64 * 1024

CLAIMS = "claims"
INFO = "info"
BLOCK = "block"
FRAME = "frame"
WORKING = "working"
SUMMARY = "summary"
END = "end"
ERROR = "error"


def write_message(stream: BinaryIO, header: dict[str, Any], payload: memoryview | None = None) -> None:
    """Write one message and flush it; `payload` is a contiguous buffer."""
    data = json.dumps({**header, "size": 0 if payload is None else payload.nbytes}).encode()
    stream.write(PREFIX.pack(len(data)) + data)
    if payload is not None:
        stream.write(payload)
    stream.flush()


def parse_header(data: bytes | bytearray) -> dict[str, Any]:
    """The header of a message.

    Raises:
        ValueError: not a JSON object with a `type` and a non-negative `size`.
    """
    match json.loads(data):
        case {"type": str(), "size": int(size)} as header if size >= 0:
            return dict(header)
    raise ValueError("not a message header")
