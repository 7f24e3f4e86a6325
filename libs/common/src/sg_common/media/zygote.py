"""The service's side of `sg_decoder.zygote`: a process that forks decoder children, replaced after some files."""

from __future__ import annotations

import io
import json
import logging
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

from sg_decoder.zygote import EXIT_STATUS, READY

from sg_common.errors import ServiceError, Unavailable
from sg_common.media.children import Child, FreshChild, LostChildError, start

log = logging.getLogger(__name__)

START_SECONDS = 30.0
"""Longest that a zygote may take to load its modules."""
ANSWER_SECONDS = 5.0
"""Longest that it may take for anything else before it counts as stuck."""
RETRY_SECONDS = 30.0
"""After a zygote that could not be started."""


class Zygote:
    """One zygote process. It is ended by whoever lets go of it last: its owner or the last of its children.

    Raises:
        Unavailable: the system starts no process now.
    """

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.settimeout(ANSWER_SECONDS)
        with theirs:
            try:
                self._process = start("-m", "sg_decoder.zygote", stdin=theirs, stdout=subprocess.DEVNULL)
            except ServiceError:
                self._channel.close()
                raise
        self._lock = threading.Lock()
        self._holders = 1
        self._ready = False
        self.files = 0

    @property
    def number(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def wait_until_ready(self) -> None:
        """Not for several threads at a time.

        Raises:
            OSError: it ended, or takes too long.
        """
        if not self._ready:
            self._channel.settimeout(START_SECONDS)
            self._ready = self._channel.recv(len(READY)) == READY
            if not self._ready:
                raise ConnectionResetError("it ended before it was ready")
            self._channel.settimeout(ANSWER_SECONDS)

    def fork(self, request: dict[str, Any], media: int) -> ForkedChild:
        """A child for one file.

        Raises:
            OSError: the zygote does not take it.
            Unavailable: the service may open no more descriptors.
        """
        with ExitStack() as theirs, ExitStack() as ours:
            try:
                output, their_output = map(io.FileIO, os.pipe(), "rw")
                theirs.enter_context(their_output)
                ours.enter_context(output)
                status, their_status = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                theirs.enter_context(their_status)
                ours.enter_context(status)
            except OSError as error:
                raise Unavailable(f"no decoder process can be started now: {error.strerror}") from error
            descriptors = [media, their_output.fileno(), their_status.fileno()]
            socket.send_fds(self._channel, [json.dumps(request).encode()], descriptors)
            ours.pop_all()
        self.files += 1
        with self._lock:
            self._holders += 1
        return ForkedChild(self, output, status)

    def kill(self) -> None:
        """End it now; its children die with it."""
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(ANSWER_SECONDS)

    def let_go(self) -> None:
        with self._lock:
            self._holders -= 1
            last = self._holders == 0
        if last:
            self._channel.close()
            try:
                self._process.wait(ANSWER_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()


class ForkedChild:
    """A child that a zygote forked; see `Child`."""

    def __init__(self, zygote: Zygote, output: io.FileIO, status: socket.socket) -> None:
        self.output = output
        self._zygote = zygote
        self._status = status
        self._code: int | None = None

    def wait(self, seconds: float) -> int | None:
        if self._code is None:
            self._status.settimeout(seconds)
            try:
                answer = self._status.recv(EXIT_STATUS.size)
            except TimeoutError:
                return None
            except OSError as error:
                raise LostChildError from error
            if not answer:
                raise LostChildError
            (self._code,) = EXIT_STATUS.unpack(answer)
        return self._code

    def end(self) -> None:
        try:
            if self._code is None:
                self._status.shutdown(socket.SHUT_WR)
                if self.wait(ANSWER_SECONDS) is None:
                    log.error("the parent of decoder processes is stuck and is killed")
                    self._zygote.kill()
        except (LostChildError, OSError):
            pass  # it died with its parent
        finally:
            self._status.close()
            self.output.close()
            self._zygote.let_go()


class Decoders:
    """Where decoder children come from: a zygote, and where there is none, fresh processes. Threads may share it.

    Args:
        files: the zygote is replaced after so many files; 0 to have none.
        on_start: called with `zygote`, `forked` or `fresh` for each process that is started.
    """

    def __init__(self, files: int, on_start: Callable[[str], None] = lambda how: None) -> None:
        self._files = files
        self._on_start = on_start
        self._lock = threading.Lock()
        self._zygote: Zygote | None = None
        self._retry_at = 0.0
        self._failing = False
        self._closed = False

    def prepare(self) -> None:
        """Start the zygote, and don't wait for it."""
        with self._lock:
            self._running()

    def start(self, request: dict[str, Any], media: int) -> Child:
        """A child for one file.

        Args:
            request: what to decode.
            media: a descriptor of the file, which stays the caller's.

        Raises:
            Unavailable: the system starts no process now.
        """
        with self._lock:
            child = self._forked(request, media)
        self._on_start("fresh" if child is None else "forked")
        return child or FreshChild(request, media)

    def close(self) -> None:
        """End the zygote; its children, if any run, are lost. From now on children are fresh ones."""
        with self._lock:
            self._closed = True
            if self._zygote is not None:
                self._zygote.kill()
            self._drop()

    def _forked(self, request: dict[str, Any], media: int) -> Child | None:
        zygote = self._running()
        if zygote is None:
            return None
        try:
            zygote.wait_until_ready()
            child = zygote.fork(request, media)
        except OSError as error:
            zygote.kill()
            self._drop()
            self._failed(error)
            return None
        if self._failing:
            self._failing = False
            log.info("decoder processes are forked again")
        if zygote.files >= self._files:
            self._drop()
            self._running()  # the next one loads while this one's children work
        return child

    def _running(self) -> Zygote | None:
        if self._zygote is not None and not self._zygote.alive:
            log.warning("the parent of decoder processes has ended; another one is started")
            self._drop()
        if self._zygote is None and self._files and not self._closed and time.monotonic() >= self._retry_at:
            try:
                self._zygote = Zygote()
                self._on_start("zygote")
            except ServiceError as error:
                self._failed(error)
        return self._zygote

    def _failed(self, error: Exception) -> None:
        self._retry_at = time.monotonic() + RETRY_SECONDS
        if not self._failing:
            self._failing = True
            log.warning("decoder processes can't be forked and are started afresh, which takes longer: %s", error)

    def _drop(self) -> None:
        if self._zygote is not None:
            self._zygote.let_go()
            self._zygote = None
