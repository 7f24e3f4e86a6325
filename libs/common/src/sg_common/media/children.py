"""How the service holds a decoder child: the pipe of its answer, its end, and how to make it end."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from typing import Any, Protocol, cast

from sg_common.errors import Unavailable

INHERITED_VARIABLES = ("LD_LIBRARY_PATH", "TZ")


class LostChildError(Exception):
    """The child's end is not known: its parent has ended too."""


class Child(Protocol):
    """A child that decodes one file."""

    output: io.FileIO
    """What it answers, unbuffered."""

    def wait(self, seconds: float) -> int | None:
        """Its exit status (negative: the signal that killed it), or None if it runs on.

        Raises:
            LostChildError: there is none to be had.
        """

    def end(self) -> None:
        """Kill it if it still runs, wait until it is gone, and close what was open for it. Once."""


def environment() -> dict[str, str]:
    """Nothing of the service's own environment, above all no credentials: the child parses hostile files."""
    inherited = {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}
    return {**inherited, "LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


def start(*arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
    """A Python process that knows nothing of the service.

    Raises:
        Unavailable: the system starts no process now.
    """
    try:
        return subprocess.Popen(
            (sys.executable, "-I", *arguments),
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            env=environment(),
            start_new_session=True,
            **streams,
        )
    except OSError as error:
        raise Unavailable(f"no decoder process can be started now: {error.strerror}") from error


class FreshChild:
    """A child that loads the decoder for its one file.

    Args:
        request: what to decode.
        media: a descriptor of the file.
    """

    def __init__(self, request: dict[str, Any], media: int) -> None:
        self._process = start("-m", "sg_decoder", stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(media,))
        self.output = cast(io.FileIO, self._process.stdout)
        message = {**request, "descriptor": media, "parent": os.getpid()}
        # A child that died at once tells so by its pipe.
        with contextlib.suppress(BrokenPipeError), cast(io.FileIO, self._process.stdin) as stdin:
            stdin.write(json.dumps(message).encode() + b"\n")

    def wait(self, seconds: float) -> int | None:
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self.output.close()
