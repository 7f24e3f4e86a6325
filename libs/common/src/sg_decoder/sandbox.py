"""What the decoder child gives up before it touches the media file."""

from __future__ import annotations

import ctypes
import os
import resource
import signal

from sg_decoder.limits import DecodeLimits

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
MAX_DESCRIPTORS = 16
LIBC = ctypes.CDLL(None, use_errno=True)


def confine(limits: DecodeLimits, *, parent: int) -> None:
    """Limit memory, processor time and descriptors, forbid writing files and gaining rights, and die with `parent`.

    The death signal follows the parent's thread that started this process: it must outlive the decoding.
    """
    _control(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the signal was set
        os._exit(0)
    harden()
    _limit(resource.RLIMIT_AS, limits.memory_bytes)
    _limit(resource.RLIMIT_CPU, limits.cpu_seconds, grace=1)
    _limit(resource.RLIMIT_NOFILE, MAX_DESCRIPTORS)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)


def harden() -> None:
    """Forbid gaining rights, and other processes of the user reading this one's memory."""
    _control(PR_SET_NO_NEW_PRIVS, 1)
    _control(PR_SET_DUMPABLE, 0)


def _control(option: int, value: int) -> None:
    if LIBC.prctl(option, int(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def _limit(what: int, value: int, grace: int = 0) -> None:
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        value, grace = min(value, hard), 0 if value + grace > hard else grace
    resource.setrlimit(what, (value, value + grace))
