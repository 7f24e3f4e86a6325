"""Work that goes on while nobody waits on the connection."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from sg_common.analysis import Report, Stage
from sg_common.errors import NotFound, ServiceError, Unavailable
from sg_common.http.failures import as_failure
from sg_common.http.job_store import JobStore, StoredJob
from sg_common.jobs import JobDocument, JobStatus, StageProgress
from sg_common.observability import Metrics
from sg_common.problem import Problem

if TYPE_CHECKING:  # which needs the state that holds the jobs
    from sg_common.http.judging import Judging

log = logging.getLogger(__name__)

T = TypeVar("T")

RETRY_SECONDS = 5.0
SWEEP_SECONDS = 60.0
"""How often expired jobs are removed, at least; nobody is shown them meanwhile."""


@dataclass(frozen=True)
class _Live:
    judging: Judging
    work: asyncio.Task[Report]


class Jobs:
    """The jobs of this process, and those that earlier ones have left. Each has a place like any other request.

    Args:
        store: is called from one thread of its own, and closed in the end.
        living: names of the processes that may work on jobs, this one included.
        finish_seconds: how long unfinished jobs may still take once the service stops.
    """

    def __init__(
        self, store: JobStore, living: frozenset[str], metrics: Metrics, finish_seconds: Callable[[], float]
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._finish_seconds = finish_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="jobs")
        self._live: dict[str, _Live] = {}
        self._endings: set[asyncio.Task[None]] = set()
        self._stopping = False
        store.sweep()
        if forsaken := store.abandon(living, _problem(_forsaken())):
            log.warning("jobs have failed because their process ended", extra={"jobs": forsaken})
            metrics.jobs.labels(JobStatus.FAILED).inc(forsaken)

    async def take(self, judging: Judging) -> JobDocument[Any]:
        """Begin a job.

        Raises:
            Unavailable: it can't be written down.
        """
        identifier = secrets.token_hex(16)
        await self._call(lambda: self._store.add(identifier))
        work = judging.start(_never)
        self._live[identifier] = _Live(judging, work)
        ending = asyncio.create_task(self._see_through(identifier, work))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        self._metrics.jobs.labels(JobStatus.QUEUED).inc()
        log.info("job accepted", extra={"job": identifier})
        return await self.read(identifier)

    async def _see_through(self, identifier: str, work: asyncio.Task[Report]) -> None:
        status = JobStatus.FAILED
        try:
            report = await work
            status, body = JobStatus.DONE, report.model_dump_json()
        except asyncio.CancelledError:
            body = _problem(_forsaken())
        except Exception as error:
            body = _problem(as_failure(error))
        if identifier not in self._live:  # it was removed
            return
        await self._write_end(identifier, status, body)
        self._live.pop(identifier, None)
        self._metrics.jobs.labels(status).inc()
        log.info("job ended", extra={"job": identifier, "status": status})

    async def _write_end(self, identifier: str, status: JobStatus, body: str) -> None:
        while True:
            try:
                await self._call(lambda: self._store.end(identifier, status, body))
            except Unavailable as error:
                log.warning("a job's end could not be written", extra={"job": identifier, "detail": error.detail})
            else:
                return
            if self._stopping:  # the successor will see that nobody works on it
                return
            await asyncio.sleep(RETRY_SECONDS)

    async def read(self, identifier: str) -> JobDocument[Any]:
        """The document of a job.

        Raises:
            NotFound: there is none, or it has expired.
            Unavailable: the disk fails.
        """
        live = self._live.get(identifier)
        stored = await self._call(lambda: self._store.find(identifier))
        if stored is None:
            raise _unknown()
        return _document(stored, None if live is None else live.judging.progress)

    async def remove(self, identifier: str) -> None:
        """Cancel a job and forget it.

        Raises:
            NotFound: there is none, or it has expired.
            Unavailable: the disk fails.
        """
        if live := self._live.pop(identifier, None):
            live.work.cancel()
            self._metrics.jobs.labels("cancelled").inc()
            log.info("job cancelled", extra={"job": identifier})
        if not await self._call(lambda: self._store.remove(identifier)):
            raise _unknown()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Forget what expires, until the service stops; then let jobs end, and fail those that take too long."""
        sweeping = asyncio.create_task(self._sweep())
        try:
            yield
        finally:
            sweeping.cancel()
            if self._endings:
                await asyncio.wait(self._endings, timeout=self._finish_seconds())
            self._stopping = True
            for live in self._live.values():
                live.work.cancel()
            await asyncio.gather(sweeping, *self._endings, return_exceptions=True)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self._call(self._store.sweep)
            except Unavailable as error:
                log.warning("expired jobs could not be removed", extra={"detail": error.detail})

    async def _call(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def close(self) -> None:
        """May be called twice."""
        self._thread.shutdown(wait=True)
        self._store.close()


def _document(stored: StoredJob, progress: StageProgress | None) -> JobDocument[Any]:
    status = stored.status
    if stored.expires is None:
        # An instance that does not work on the job itself knows no more than that another one does.
        queued = progress is not None and progress.stage is Stage.WAITING
        status = JobStatus.QUEUED if queued else JobStatus.RUNNING
    body = None if stored.body is None else json.loads(stored.body)
    return JobDocument(
        id=stored.id,
        status=status,
        progress=progress if stored.expires is None else None,
        result=body if status is JobStatus.DONE else None,
        problem=body if status is JobStatus.FAILED else None,
        created=datetime.fromtimestamp(stored.created, UTC),
        expires=None if stored.expires is None else datetime.fromtimestamp(stored.expires, UTC),
    )


def _problem(error: ServiceError) -> str:
    return Problem.of(error).model_dump_json()


def _forsaken() -> Unavailable:
    return Unavailable("the service ended before this job did; send the request again")


def _unknown() -> NotFound:
    return NotFound("there is no such job, or it has expired; jobs are known to the instance that took them")


async def _never() -> None:
    await asyncio.Event().wait()
