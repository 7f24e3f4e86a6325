"""moto server whose queues keep SQS's promises under many clients at a time.

    python aws_emulator.py -H 127.0.0.1 -p PORT

moto changes a queue's list of messages without a lock: a message that is sent while another one is deleted can vanish,
and one that moves to the dead letters meanwhile can be in both queues. Here every change holds one lock.
"""

from __future__ import annotations

import functools
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from moto.server import main
from moto.sqs.models import Queue, SQSBackend

_POLL_SECONDS = 0.05


def one_at_a_time(lock: threading.RLock, method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, under the lock."""

    @functools.wraps(method)
    def locked(*arguments: Any, **named: Any) -> Any:
        with lock:
            return method(*arguments, **named)

    return locked


def patient(receive: Callable[..., Any]) -> Callable[..., Any]:
    """Long polling outside the lock: `receive` is asked again and again without waiting."""

    @functools.wraps(receive)
    def poll(backend: SQSBackend, name: str, count: int, wait_seconds: int, *rest: Any) -> Any:
        end = time.monotonic() + wait_seconds
        while not (found := receive(backend, name, count, 0, *rest)) and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
        return found

    return poll


def make_sound() -> None:
    """Put the lock around everything that changes a queue."""
    lock = threading.RLock()
    for owner, names in (
        (Queue, ("add_message", "delete_message")),
        (SQSBackend, ("receive_message", "change_message_visibility", "purge_queue")),
    ):
        for name in names:
            setattr(owner, name, one_at_a_time(lock, getattr(owner, name)))
    SQSBackend.receive_message = patient(SQSBackend.receive_message)  # type: ignore[method-assign]


if __name__ == "__main__":
    make_sound()
    main(sys.argv[1:])
