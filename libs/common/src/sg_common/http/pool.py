"""Work runs in threads of its own, never in the event loop, and only for so many requests at a time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Self, TypeVar

from sg_common.analysis import Job, Stage
from sg_common.errors import Cancelled, TooBusy
from sg_common.observability import Metrics

T = TypeVar("T")

DEADLINE_GRACE_SECONDS = 1.0
"""How long after its deadline a job may take to notice it before the caller is answered without it."""


class Ticket:
    """The right to one place, a context manager. It is given back when the request is over and its threads have ended.

    Abandoned work still burns processor time, also when its caller has long been answered 504: admitting more on top
    of it would only make everything late.
    """

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back = give_back
        self._lock = threading.Lock()
        self._holders = 1
        self._cleanups: list[Callable[[], None]] = []

    def on_release(self, cleanup: Callable[[], None]) -> None:
        """Run `cleanup` when the place is given back."""
        self._cleanups.append(cleanup)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()

    def hold(self) -> None:
        """A thread begins to work for the request; it calls `let_go` at its end."""
        with self._lock:
            self._holders += 1

    def let_go(self) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders:
                return
        for cleanup in self._cleanups:
            cleanup()
        self._give_back()


class AnalysisPool:
    """Bounded executors: one for analyses, whose threads compute, one for downloads, whose threads wait."""

    def __init__(self, concurrency: int, waiting: int, metrics: Metrics) -> None:
        self._capacity = concurrency + waiting
        self._analyses = ThreadPoolExecutor(concurrency, thread_name_prefix="analysis")
        self._downloads = ThreadPoolExecutor(self._capacity, thread_name_prefix="download")
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

    async def fetch(self, ticket: Ticket, job: Job, work: Callable[[], T], caller_gone: Coroutine[Any, Any, None]) -> T:
        """Run a download in a thread and wait for it, for its deadline, or for the caller to go away.

        Raises:
            DeadlineExceeded, Cancelled, or whatever `work` raises.
        """
        job.begin(Stage.FETCHING)
        return await self._run(self._downloads, ticket, job, work, caller_gone)

    async def analyse(
        self, ticket: Ticket, job: Job, work: Callable[[], T], caller_gone: Coroutine[Any, Any, None]
    ) -> T:
        """Run an analysis when its turn comes, and wait for it, for its deadline, or for the caller to go away.

        Raises:
            DeadlineExceeded, Cancelled, or whatever `work` raises.
        """
        queued = time.perf_counter()

        def measured() -> T:
            started = time.perf_counter()
            self._metrics.queue_seconds.observe(started - queued)
            with self._metrics.in_flight.track_inprogress():
                try:
                    job.check()
                    job.begin(Stage.ANALYSING)
                    return work()
                finally:
                    self._metrics.compute_seconds.observe(time.perf_counter() - started)

        job.begin(Stage.WAITING)
        return await self._run(self._analyses, ticket, job, measured, caller_gone)

    async def _run(
        self,
        executor: ThreadPoolExecutor,
        ticket: Ticket,
        job: Job,
        work: Callable[[], T],
        caller_gone: Coroutine[Any, Any, None],
    ) -> T:
        answer = asyncio.wrap_future(self._submit(executor, ticket, job, work))
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
            raise job.late()
        finally:
            gone.cancel()
            if not answer.done():
                job.cancel()
                answer.add_done_callback(_swallow)
                answer.cancel()

    def _submit(self, executor: ThreadPoolExecutor, ticket: Ticket, job: Job, work: Callable[[], T]) -> Future[T]:
        def ended(_: Future[T]) -> None:
            with self._lock:
                self._jobs.discard(job)
            ticket.let_go()

        with self._lock:
            self._jobs.add(job)
        ticket.hold()
        future = executor.submit(copy_context().run, work)
        future.add_done_callback(ended)
        return future

    def close(self) -> None:
        """Cancel what runs and wait for its threads."""
        with self._lock:
            jobs = list(self._jobs)
        for job in jobs:
            job.cancel()
        for executor in (self._downloads, self._analyses):
            executor.shutdown(wait=True, cancel_futures=True)


def _swallow(future: asyncio.Future[T]) -> None:
    """Read the exception of abandoned work, so that the loop does not report it as lost."""
    with suppress(asyncio.CancelledError):
        future.exception()
