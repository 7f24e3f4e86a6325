"""The parent's side of a decoder child: start it, read its messages under the job's deadline, always reap it."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import stat
import time
from collections.abc import Callable
from dataclasses import asdict
from fcntl import F_SETPIPE_SZ, fcntl
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from pydantic import TypeAdapter, ValidationError
from sg_decoder import protocol
from sg_decoder.limits import DecodeLimits

from sg_common.analysis import Job
from sg_common.errors import (
    Forbidden,
    LimitExceeded,
    MissingStream,
    NotFound,
    NotMedia,
    ServiceError,
    Unavailable,
    Undecodable,
)
from sg_common.media.children import Child, FreshChild, LostChildError

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
PIPE_BYTES = 1024 * 1024
EXIT_SECONDS = 5.0
BROKEN = "the file breaks the media decoder"
FAILURES: dict[str, type[ServiceError]] = {
    failure.code: failure for failure in (LimitExceeded, MissingStream, NotMedia, Undecodable)
}


T = TypeVar("T")


class _ChildEndedError(Exception):
    """The pipe closed before the child's last message."""


def open_media_file(path: Path) -> int:
    """A read-only descriptor of a regular, non-empty file.

    Raises:
        NotFound, Forbidden: the path cannot be opened.
        NotMedia: it is empty or not a regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound("there is no such file") from error
    except OSError as error:
        raise Forbidden(f"the file cannot be read: {error.strerror}") from error
    facts = os.fstat(descriptor)
    problem = None
    if not stat.S_ISREG(facts.st_mode):
        problem = "this is not a regular file; send an audio or video file"
    elif facts.st_size == 0:
        problem = "the file is empty; send an audio or video file"
    if problem:
        os.close(descriptor)
        raise NotMedia(problem)
    return descriptor


def read_as(kind: type[T], header: dict[str, Any]) -> T:
    """What a message's header says, as a dataclass (raises Undecodable where it does not say it)."""
    try:
        return TypeAdapter(kind).validate_python(header)
    except ValidationError as error:
        raise Undecodable(BROKEN) from error


class DecoderProcess:
    """One decoding in a child process; a context manager that leaves no process and no descriptor behind.

    Args:
        path: the media file.
        request: what to decode, a JSON object; `kind` is `audio`, `video` or `credentials`.
        limits: what the child may use.
        job: where children come from; its deadline and cancellation end the child within about `POLL_SECONDS`.
        max_payload: most bytes of one message's payload; a child that sends more has been taken over.

    Attributes:
        claims: what the file says of its own making, for `read_provenance`; known once there is an info.
    """

    def __init__(
        self, path: Path, request: dict[str, Any], *, limits: DecodeLimits, job: Job, max_payload: int
    ) -> None:
        self._limits = limits
        self._job = job
        self._max_payload = max_payload
        job.check()
        media = open_media_file(path)
        try:
            asked = {**request, "limits": asdict(limits)}
            start: Callable[[dict[str, Any], int], Child] = job.decoders.start if job.decoders else FreshChild
            self._child = start(asked, media)
        finally:
            os.close(media)
        self._pipe = self._child.output
        with contextlib.suppress(OSError):
            fcntl(self._pipe, F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(self._pipe.fileno(), False)
        self._poll = select.poll()
        self._poll.register(self._pipe, select.POLLIN)
        self._ended = False
        self.claims: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill the child if it still runs, and wait until it is gone."""
        if not self._ended:
            self._ended = True
            self._child.end()

    def receive(self) -> tuple[dict[str, Any], bytearray]:
        """The next message that carries something: its header and payload.

        Raises:
            NotMedia, Undecodable, MissingStream, LimitExceeded: what the child found, or how it died.
            Unavailable: the child was killed along with its parent.
            Cancelled, DeadlineExceeded: from the job.
        """
        try:
            while True:
                header, payload = self._message()
                if header["type"] == protocol.ERROR:
                    raise self._failure(header)
                if header["type"] == protocol.CLAIMS:
                    self.claims = header
                elif header["type"] != protocol.WORKING:
                    return header, payload
        except _ChildEndedError:
            raise self._death() from None
        except ValueError as error:
            log.warning("a decoder child broke the protocol: %s", error)
            self.close()
            raise Undecodable(BROKEN) from error

    def _message(self) -> tuple[dict[str, Any], bytearray]:
        started = time.monotonic()
        (length,) = protocol.PREFIX.unpack(self._read(protocol.PREFIX.size, started))
        if length > protocol.MAX_HEADER_BYTES:
            raise ValueError("header too long")
        header = protocol.parse_header(self._read(length, started))
        if header["size"] > self._max_payload:
            raise ValueError("payload too long")
        return header, self._read(header["size"], started)

    def _read(self, size: int, started: float) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            self._job.check()
            if not self._poll.poll(POLL_SECONDS * 1000):
                if time.monotonic() - started > self._limits.stall_seconds:
                    self.close()
                    raise Undecodable(
                        f"decoding made no progress for {self._limits.stall_seconds:g} s and was stopped; "
                        "re-encode the file and try again"
                    )
                continue
            count = self._pipe.readinto(view)
            if count == 0:
                raise _ChildEndedError
            if count is not None:
                view = view[count:]
        return data

    def _failure(self, header: dict[str, Any]) -> ServiceError:
        if cause := header.get("cause"):
            log.debug("decoder child: %s", cause)
        if trace := header.get("trace"):
            log.error("a decoder child failed unexpectedly: %s", trace)
        failure = FAILURES.get(str(header.get("code")), Undecodable)
        return failure(str(header.get("detail")))

    def _death(self) -> ServiceError:
        try:
            code = self._child.wait(EXIT_SECONDS)
        except LostChildError:
            return Unavailable("the decoder was stopped from outside; send the request again")
        log.debug("a decoder child ended with status %s", code)
        if code == -signal.SIGXCPU:
            return Undecodable(
                f"decoding needs more than {self._limits.cpu_seconds} s of processor time; "
                "send a shorter or smaller file"
            )
        return Undecodable(f"{BROKEN}; it is damaged or made to do so. Re-encode it and try again")
