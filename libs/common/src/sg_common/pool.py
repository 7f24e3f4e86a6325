"""Analyses run in threads of their own, never in the event loop, and only so many at a time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import Any, TypeVar

from sg_common.analysis import Job
from sg_common.errors import Cancelled, DeadlineExceeded, TooBusy
from sg_common.observability import Metrics

T = TypeVar("T")

DEADLINE_GRACE_SECONDS = 1.0
"""How long after its deadline a job may take to notice it before the caller is answered without it."""


class Ticket:
    """The right to one place, from admission until the work has really ended. `release` may be called twice."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release: Callable[[], None] | None = release
        self._lock = threading.Lock()
        self._cleanups: list[Callable[[], None]] = []

    def on_release(self, cleanup: Callable[[], None]) -> None:
        """Run `cleanup` when the place is given back."""
        self._cleanups.append(cleanup)

    def release(self) -> None:
        with self._lock:
            release, self._release = self._release, None
        if release is not None:
            for cleanup in self._cleanups:
                cleanup()
            release()


class AnalysisPool:
    """A bounded executor.

    A place is held until its thread has ended, also when the caller has long been answered 504: abandoned work still
    burns processor time, and admitting more on top of it would only make everything late.
    """

    def __init__(self, concurrency: int, waiting: int, metrics: Metrics) -> None:
        self._executor = ThreadPoolExecutor(concurrency, thread_name_prefix="analysis")
        self._capacity = concurrency + waiting
        self._metrics = metrics
        self._lock = threading.Lock()
        self._admitted = 0
        self._jobs: set[Job] = set()
        metrics.capacity.set(self._capacity)

    @property
    def idle(self) -> bool:
        return self._admitted == 0

    def admit(self) -> Ticket:
        """Take a place.

        Raises:
            TooBusy: all places are taken.
        """
        with self._lock:
            if self._admitted >= self._capacity:
                raise TooBusy(f"all {self._capacity} places are taken; try again later, or use the queue")
            self._admitted += 1
            self._metrics.admitted.set(self._admitted)
        return Ticket(self._give_back)

    def _give_back(self) -> None:
        with self._lock:
            self._admitted -= 1
            self._metrics.admitted.set(self._admitted)

    async def run(self, ticket: Ticket, job: Job, work: Callable[[], T], caller_gone: Coroutine[Any, Any, None]) -> T:
        """Run `work` in a thread and wait for it, for its deadline, or for the caller to go away.

        The ticket is released when the thread ends, whatever the caller was told.

        Raises:
            DeadlineExceeded, Cancelled, or whatever `work` raises.
        """
        future = self._submit(ticket, job, work)
        answer = asyncio.wrap_future(future)
        gone = asyncio.create_task(caller_gone)
        remaining = job.remaining()
        timeout = None if remaining is None else remaining + DEADLINE_GRACE_SECONDS
        waiting: set[asyncio.Future[Any]] = {answer, gone}
        try:
            await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            if gone.done():
                raise Cancelled("the caller went away; the work was cancelled")
            raise DeadlineExceeded("the analysis did not end in time and was cancelled; send a shorter clip")
        finally:
            gone.cancel()
            if not answer.done():
                job.cancel()
                answer.add_done_callback(_swallow)
                answer.cancel()

    def _submit(self, ticket: Ticket, job: Job, work: Callable[[], T]) -> Future[T]:
        queued = time.perf_counter()

        def measured() -> T:
            started = time.perf_counter()
            self._metrics.queue_seconds.observe(started - queued)
            self._metrics.in_flight.inc()
            try:
                job.check()
                return work()
            finally:
                self._metrics.in_flight.dec()
                self._metrics.compute_seconds.observe(time.perf_counter() - started)

        def ended(_: Future[T]) -> None:
            with self._lock:
                self._jobs.discard(job)
            ticket.release()

        with self._lock:
            self._jobs.add(job)
        future = self._executor.submit(copy_context().run, measured)
        future.add_done_callback(ended)
        return future

    def close(self) -> None:
        """Cancel what runs and wait for its threads."""
        with self._lock:
            jobs = list(self._jobs)
        for job in jobs:
            job.cancel()
        self._executor.shutdown(wait=True, cancel_futures=True)


def _swallow(future: asyncio.Future[T]) -> None:
    """Read the exception of abandoned work, so that the loop does not report it as lost."""
    with suppress(asyncio.CancelledError):
        future.exception()
