"""One admitted request on its way to its report, whoever waits for it: a caller, a stream of events, a job."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from sg_common.analysis import Analyzer, Job, Report, Stage
from sg_common.errors import Cancelled, ServiceError
from sg_common.http.pool import Ticket
from sg_common.http.receive import Asked
from sg_common.http.state import ServiceState
from sg_common.jobs import StageProgress

log = logging.getLogger(__name__)

T = TypeVar("T")


class Judging:
    """One admitted request: its file is here or can be fetched, and its turn will come.

    Args:
        started: when its reception began (`time.perf_counter`).
    """

    def __init__(self, state: ServiceState, analyzer: Analyzer, ticket: Ticket, asked: Asked, started: float) -> None:
        self._state = state
        self._analyzer = analyzer
        self._ticket = ticket
        self._asked = asked
        self._started = started
        self._job = Job(stage=Stage.FETCHING if asked.fetch else Stage.WAITING)
        self._settled = asyncio.Event()
        self._lost: BaseException | None = None

    @property
    def progress(self) -> StageProgress:
        return StageProgress.of(self._job)

    def start(self, caller_gone: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[Report]:
        """Do it in a task, which has the place until it ends; to cancel the task cancels the work."""
        return in_a_task(self._ticket, self.report(caller_gone))

    async def fetched(self) -> None:
        """Wait until the file is here.

        Raises:
            ServiceError: it could not be fetched.
        """
        await self._settled.wait()
        if isinstance(self._lost, ServiceError):
            raise self._lost
        if self._lost is not None:
            raise Cancelled("the work was cancelled before the file was here")

    async def report(self, caller_gone: Callable[[], Coroutine[Any, Any, None]]) -> Report:
        """Fetch the file where it is not here yet, and judge it; the report speaks the caller's language.

        Raises:
            ServiceError: as in `sg_common.errors`.
        """
        state = self._state
        seconds = state.settings.request_timeout_seconds
        with state.metrics.counting_failure():
            await self._fetch(seconds, caller_gone)
            state.metrics.receive_seconds.labels(self._asked.source).observe(time.perf_counter() - self._started)
            heeded = state.service.heeded(self._asked.options)
            self._job = job = state.job(seconds)
            report = await state.pool.analyse(
                self._ticket, job, lambda: self._analyzer.analyze(self._asked.path, heeded, job), caller_gone()
            )
        state.metrics.judged(report)
        _log_report(report)
        return report.in_language(self._asked.language)

    async def _fetch(self, seconds: float, caller_gone: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            if (fetch := self._asked.fetch) is not None:
                self._job = download = Job(seconds)
                await self._state.pool.fetch(self._ticket, download, lambda: fetch(download), caller_gone())
        except BaseException as error:
            self._lost = error
            raise
        finally:
            self._settled.set()


def in_a_task(ticket: Ticket, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Work in a task, which has the request's place until it ends."""

    def ended(task: asyncio.Task[T]) -> None:
        ticket.let_go()
        if not task.cancelled():
            task.exception()  # read, so that the loop does not report it as lost where nobody waits any more

    ticket.hold()
    task = asyncio.create_task(work)
    task.add_done_callback(ended)
    return task


def _log_report(report: Report) -> None:
    log.info(
        "analysed",
        extra={
            "status": report.status,
            "verdict": report.verdict,
            "probability": report.probability,
            "seconds": report.processing_seconds,
            "model_version": report.model.version,
        },
    )
