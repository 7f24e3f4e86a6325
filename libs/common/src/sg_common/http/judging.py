"""One admitted request on its way to its report, whoever waits for it: a caller, a stream of events, a job."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from sg_common.analysis import Analyzer, Job, Report, Stage
from sg_common.http.failures import counted
from sg_common.http.pool import Ticket
from sg_common.http.receive import Asked
from sg_common.http.state import ServiceState
from sg_common.jobs import StageProgress

log = logging.getLogger(__name__)


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

    @property
    def progress(self) -> StageProgress:
        return StageProgress.of(self._job)

    def start(self, caller_gone: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[Report]:
        """Do it in a task, which has the place until it ends; to cancel the task cancels the work."""
        self._ticket.hold()
        task = asyncio.create_task(self.report(caller_gone))
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Report]) -> None:
        self._ticket.let_go()
        if not task.cancelled():
            task.exception()  # read, so that the loop does not report it as lost where nobody waits any more

    async def report(self, caller_gone: Callable[[], Coroutine[Any, Any, None]]) -> Report:
        """Fetch the file where it is not here yet, and judge it.

        Raises:
            ServiceError: as in `sg_common.errors`.
        """
        state = self._state
        seconds = state.settings.request_timeout_seconds
        with counted(state.metrics):
            if (fetch := self._asked.fetch) is not None:
                self._job = download = Job(seconds)
                await state.pool.fetch(self._ticket, download, lambda: fetch(download), caller_gone())
            state.metrics.receive_seconds.labels(self._asked.source).observe(time.perf_counter() - self._started)
            heeded = state.service.heeded(self._asked.options)
            self._job = job = state.job(seconds)
            report = await state.pool.analyse(
                self._ticket, job, lambda: self._analyzer.analyze(self._asked.path, heeded, job), caller_gone()
            )
        state.metrics.judged(report)
        _log_report(report)
        return report


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
