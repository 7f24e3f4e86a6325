"""One file, one process: confine it, decode, answer, end. Everything is imported before the request comes, so that
nothing but the media file is opened after it; but for the few files with content credentials, see `provenance`."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any, NoReturn

from sg_decoder import audio, protocol, provenance, sandbox, video
from sg_decoder.errors import DecodeError, Undecodable
from sg_decoder.limits import DecodeLimits


def run(request: dict[str, Any]) -> NoReturn:
    """Decode the file of `request` to standard output and end the process.

    Args:
        request: `kind`, `descriptor` of the file, `parent` to die with, `limits`, and what the kind's `decode` asks.
    """
    limits = DecodeLimits(**request["limits"])
    sandbox.confine(limits, parent=request["parent"])
    decode = {"audio": audio.decode, "video": video.decode, "credentials": provenance.decode}[request["kind"]]

    def send(kind: str, payload: memoryview | None = None, /, **header: Any) -> None:
        protocol.write_message(sys.stdout.buffer, {"type": kind, **header}, payload)

    try:
        decode(request["descriptor"], request, limits, send)
        send(protocol.END)
    except BrokenPipeError:
        os._exit(0)  # the reader has left; nothing to tell
    except DecodeError as error:
        send(protocol.ERROR, code=error.code, detail=error.detail, cause=repr(error.__cause__))
    except MemoryError:
        detail = "decoding needs more memory than allowed; send a smaller or simpler file"
        send(protocol.ERROR, code=Undecodable.code, detail=detail)
    except Exception:
        detail = "the file breaks the media decoder; re-encode it and try again"
        send(protocol.ERROR, code=Undecodable.code, detail=detail, trace=traceback.format_exc(limit=8))
    os._exit(0)  # without tearing FFmpeg down: the process ends anyway, and a damaged heap may not survive it
