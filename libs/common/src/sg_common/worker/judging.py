"""One object: find what it held, judge it unless its result is there, and make the result durable."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sg_common.analysis import Analyzer, Report, Stage
from sg_common.aws.objects import S3Object, S3Version
from sg_common.backoff import doubled
from sg_common.errors import Forbidden, MissingStream, NotFound, ServiceError, StorageUnavailable
from sg_common.results import Result, ResultName, ResultStore
from sg_common.serving.host import ServiceHost
from sg_common.worker.messages import Work
from sg_common.worker.metrics import ResultOutcome
from sg_common.worker.slot import STORE_SECONDS, Slot

log = logging.getLogger(__name__)

T = TypeVar("T")

ANALYSIS_GRACE_SECONDS = 120.0
_STORE_ATTEMPTS = 4
_STORE_PAUSE_SECONDS = 0.25
_STORE_PAUSE_MAX_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """What became of an object, its result and where that lies (None where there is nothing to say of it)."""

    outcome: ResultOutcome
    result: tuple[Result, S3Object] | None = None


class Judge:
    """Judges objects one at a time; every slot's thread calls the same one."""

    def __init__(self, host: ServiceHost, analyzer: Analyzer) -> None:
        self._host = host
        self._analyzer = analyzer
        self._results = ResultStore(host.store, host.settings.results_prefix)

    def judge(self, work: Work, slot: Slot) -> Answer:
        """Answer for one object.

        Raises:
            ServiceError: it can't be answered now, or never by this service.
        """
        target = work.target
        if not self._results.is_media(target.key):
            # Our own results, and the marks that stand for folders: events announce them as they do media.
            if work.announced:
                return Answer(ResultOutcome.IGNORED)
            raise Forbidden(f"{target} is a result or a folder; neither is analysed")
        try:
            with slot.stage("locate"):
                version = _steady(lambda: self._host.s3.stat(target))
                options = self._host.service.heeded(work.options)
                name = ResultName(self._analyzer.kind, self._analyzer.model.version, options)
                place = self._results.place(version, name)
                known = _steady(lambda: self._results.read(place))
            if known is not None:
                return Answer(ResultOutcome.DUPLICATE, (known, place))
            outcome, result = self._result(version, name, slot)
        except NotFound:
            if work.announced:
                # It was deleted before its turn. Nobody waits for it, and no version is left to name a result by.
                return Answer(ResultOutcome.GONE)
            raise
        with slot.stage("store"):
            if _steady(lambda: self._results.write(place, result)):
                return Answer(outcome, (result, place))
            there = _steady(lambda: self._results.read(place))
        return Answer(ResultOutcome.DUPLICATE, (there or result, place))

    def _result(self, version: S3Version, name: ResultName, slot: Slot) -> tuple[ResultOutcome, Result]:
        """A new result, also where the file can't be judged."""
        try:
            with self._host.metrics.counting_failure():
                report = self._analyse(version, name, slot)
            return ResultOutcome.SUCCEEDED, Result.judged(version, report)
        except (Forbidden, NotFound):
            raise
        except ServiceError as error:
            if error.retryable:
                raise
            missing = isinstance(error, MissingStream)
            result = Result.unjudged(version, self._host.service.report, self._analyzer.model, error)
            return (ResultOutcome.NOT_APPLICABLE if missing else ResultOutcome.FAILED), result

    def _analyse(self, version: S3Version, name: ResultName, slot: Slot) -> Report:
        workspace, metrics = self._host.workspace, self._host.metrics
        limit = self._host.settings.queue_job_seconds
        folder = workspace.request_folder()
        try:
            with slot.running(self._host.job(limit, Stage.FETCHING)) as job:
                path = folder / "media"
                with slot.stage("fetch", limit + STORE_SECONDS), metrics.receive_seconds.labels("s3").time():
                    _steady(lambda: self._host.s3.fetch(version.target, path, job, etag=version.etag))
                job.check()
                job.begin(Stage.ANALYSING)
                with slot.stage("analyse", limit + ANALYSIS_GRACE_SECONDS), metrics.in_flight.track_inprogress():
                    report = self._analyzer.analyze(path, name.options, job)
                metrics.compute_seconds.observe(job.elapsed())
        finally:
            workspace.release(folder)
        metrics.judged(report)
        log.info("analysed", extra={"object": str(version.target), "status": report.status, "verdict": report.verdict})
        return report


def _steady(call: Callable[[], T]) -> T:
    """Try a storage call a few times before the whole message has to come again."""
    for attempt in range(1, _STORE_ATTEMPTS):
        try:
            return call()
        except StorageUnavailable:
            time.sleep(doubled(_STORE_PAUSE_SECONDS, _STORE_PAUSE_MAX_SECONDS, attempt))
    return call()
