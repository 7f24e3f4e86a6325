"""A process with the decoder's modules loaded, which forks one child a file: no file pays for the imports.

It has one thread, reads no media and holds nothing of a file once its child has it. Every request comes as one message
over a Unix socket, with three descriptors: the media file, the pipe for the child's answer, and a socket of that child
alone, which tells both ways of an end: the child is killed when the other side of it is shut, and its exit status is
written to it. When nobody holds the other side of the first socket any more, the process ends, and its children with
it.

Not `multiprocessing.forkserver`: that one hands on the environment of the service, keeps a second helper process, is
one of its kind in a process (so can't be replaced after some files), and feeds its children pickles.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from sg_decoder import child, sandbox

READY = b"ready"
EXIT_STATUS = struct.Struct("=i")  # negative: the signal that killed the child
MAX_REQUEST_BYTES = 64 * 1024
MEDIA = 3


@dataclass
class _Forked:
    """A child that runs: its process id, a descriptor that can be read once it has ended, and its own socket."""

    number: int
    end: int
    status: int


class Zygote:
    """Args: channel: where requests come from. work: what a child does with its request; it must not return."""

    def __init__(self, channel: socket.socket, work: Callable[[dict[str, Any]], NoReturn] = child.run) -> None:
        self._channel = channel
        self._work = work
        self._selector = selectors.PollSelector()  # holds no descriptor of its own, which a child would inherit

    def serve(self) -> None:
        """Fork until the channel is shut."""
        os.close(os.pidfd_open(os.getpid()))  # a kernel that can't must be found out now
        gc.collect()
        gc.freeze()  # what is loaded stays in pages that every child shares
        self._selector.register(self._channel, selectors.EVENT_READ)
        self._channel.send(READY)
        while True:
            for key, _ in self._selector.select():
                if self._selector.get_map().get(key.fd) is not key:
                    continue  # its child was reaped just now
                if key.data is None:
                    request, descriptors, _, _ = socket.recv_fds(self._channel, MAX_REQUEST_BYTES, 3)
                    if not request:
                        return
                    self._fork(request, descriptors)
                elif key.fd == key.data.end:
                    self._reap(key.data)
                else:
                    os.kill(key.data.number, signal.SIGKILL)
                    self._selector.unregister(key.fd)

    def _fork(self, request: bytes, descriptors: list[int]) -> None:
        zygote = os.getpid()
        try:
            media, output, status = descriptors
            if (number := os.fork()) == 0:
                self._be_a_child(request, media, output, zygote)
            forked = _Forked(number, os.pidfd_open(number), status)
        except (OSError, ValueError):  # the asker reads from the end of its socket that there is no child
            for descriptor in descriptors:
                os.close(descriptor)
            return
        os.close(media)
        os.close(output)
        self._selector.register(forked.end, selectors.EVENT_READ, forked)
        self._selector.register(forked.status, selectors.EVENT_READ, forked)

    def _be_a_child(self, request: bytes, media: int, output: int, zygote: int) -> NoReturn:
        """What a child has, and nothing else: the null device, its answer's pipe, its file."""
        try:
            os.setsid()
            os.dup2(output, 1)
            os.dup2(media, MEDIA)
            os.dup2(2, 0)  # the null device
            os.closerange(MEDIA + 1, os.sysconf("SC_OPEN_MAX"))
            self._work({**json.loads(request), "descriptor": MEDIA, "parent": zygote})
        finally:
            os._exit(1)

    def _reap(self, forked: _Forked) -> None:
        with suppress(ProcessLookupError):
            os.killpg(forked.number, signal.SIGKILL)  # whatever it has started
        _, status = os.waitpid(forked.number, 0)
        for descriptor in (forked.end, forked.status):
            with suppress(KeyError):
                self._selector.unregister(descriptor)
        with suppress(OSError):
            os.write(forked.status, EXIT_STATUS.pack(os.waitstatus_to_exitcode(status)))
        os.close(forked.end)
        os.close(forked.status)


if __name__ == "__main__":
    sandbox.harden()
    Zygote(socket.socket(fileno=0)).serve()
