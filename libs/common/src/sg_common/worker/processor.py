"""What happens to one message: read it, judge its objects, make the results durable, then acknowledge it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from sg_common.analysis import Analyzer, Job, Report
from sg_common.errors import (
    Cancelled,
    Forbidden,
    NotFound,
    QueueUnavailable,
    ServiceError,
    StorageUnavailable,
    UnexpectedFailure,
)
from sg_common.host import ServiceHost
from sg_common.sources.s3 import S3Object, S3Version
from sg_common.worker.backoff import Pace, doubled
from sg_common.worker.messages import MalformedMessage, Order, Work, parse_message
from sg_common.worker.metrics import MessageOutcome, ResultOutcome, WorkerMetrics
from sg_common.worker.queue import Message, SqsQueue
from sg_common.worker.results import (
    Document,
    ResultStore,
    judged_document,
    normal_prefix,
    result_folder,
    result_name,
    unjudged_document,
)
from sg_common.worker.slot import STORE_SECONDS, Slot
from sg_common.worker.tasks import StepFunctionsTasks

log = logging.getLogger(__name__)

T = TypeVar("T")

ANALYSIS_GRACE_SECONDS = 120.0
_STORE_ATTEMPTS = 4
_STORE_PAUSE_SECONDS = 0.25
_DELETE_SECONDS = 60.0


class Processor:
    """Handles messages one at a time; every slot's thread calls the same one."""

    def __init__(
        self,
        host: ServiceHost,
        queue: SqsQueue,
        tasks: StepFunctionsTasks,
        metrics: WorkerMetrics,
        max_receives: int | None,
    ) -> None:
        self._host = host
        self._settings = host.settings
        self._queue = queue
        self._tasks = tasks
        self._metrics = metrics
        self._max_receives = max_receives
        self._prefix = normal_prefix(host.settings.results_prefix)
        self._results = ResultStore(lambda: host.s3.client)

    def handle(self, analyzer: Analyzer, message: Message, slot: Slot) -> ServiceError | None:
        """Answer a message and acknowledge it, or return it to the queue; the failure, if it was returned."""
        failure: ServiceError | None
        try:
            order = parse_message(message.body, self._host.service.kind)
            slot.task_token = order.task_token
            failure = self._answer_all(analyzer, order, slot)
        except MalformedMessage as error:
            slot.task_token = error.task_token
            failure = error
        if failure is None:
            with slot.stage("acknowledge"):
                self._acknowledge(message)
            self._metrics.messages.labels(MessageOutcome.ACKNOWLEDGED).inc()
        else:
            with slot.stage("return"):
                self._return(message, slot, failure)
        return failure

    def _answer_all(self, analyzer: Analyzer, order: Order, slot: Slot) -> ServiceError | None:
        """Answer every object that can be; of several failures the one that a later try may end is told."""
        failures: list[ServiceError] = []
        for work in order.work:
            try:
                self._answer(analyzer, work, order.task_token, slot)
            except ServiceError as error:
                failures.append(error)
            except Exception as error:
                log.exception("unexpected failure", extra={"object": str(work.target)})
                failures.append(UnexpectedFailure(f"an unexpected failure ({type(error).__name__}); see the log"))
        return next((error for error in failures if error.retryable), failures[0] if failures else None)

    def _answer(self, analyzer: Analyzer, work: Work, token: str | None, slot: Slot) -> None:
        """Judge one object, unless its result is there; tell the task that waits for it."""
        target = work.target
        if target.key.startswith(self._prefix) or target.key.endswith("/"):
            # Our own results, and the marks that stand for folders: events announce them as they do media.
            if not work.announced:
                raise Forbidden(f"{target} is a result or a folder; neither is analysed")
            self._ended(ResultOutcome.IGNORED, target)
            return
        try:
            with slot.stage("locate"):
                version = self._steady(lambda: self._host.s3.stat(target))
                place = self._place(analyzer, version, work)
                known = self._steady(lambda: self._results.read(place))
            document = known or self._judge(analyzer, version, work, place, slot)
        except NotFound:
            if not work.announced:
                raise
            # It was deleted before its turn. Nobody waits for it, and there is no version left to name a result by.
            self._ended(ResultOutcome.GONE, target)
            return
        if known is not None:
            self._ended(ResultOutcome.DUPLICATE, target)
        if token is not None:
            with slot.stage("answer"):
                self._tasks.answer(token, document, place)

    def _place(self, analyzer: Analyzer, version: S3Version, work: Work) -> S3Object:
        folder = result_folder(self._prefix, version.target.key, version.identity)
        name = result_name(self._host.service.kind, analyzer.model.version, work.options)
        return S3Object(version.target.bucket, folder + name)

    def _judge(self, analyzer: Analyzer, version: S3Version, work: Work, place: S3Object, slot: Slot) -> Document:
        """Fetch, analyse, and make the result durable; the result that now lies there."""
        outcome = ResultOutcome.SUCCEEDED
        try:
            document = judged_document(version, self._analyse(analyzer, version, work, slot))
        except (Forbidden, NotFound):
            raise
        except ServiceError as error:
            self._host.metrics.analyses.labels(error.code).inc()
            if error.retryable:
                raise
            document = unjudged_document(version, self._host.service.report, analyzer.model, error)
            outcome = ResultOutcome(document["status"])
        with slot.stage("store"):
            written = self._steady(lambda: self._results.write(place, document))
            self._ended(outcome if written else ResultOutcome.DUPLICATE, work.target)
            there = None if written else self._steady(lambda: self._results.read(place))
        return there or document

    def _analyse(self, analyzer: Analyzer, version: S3Version, work: Work, slot: Slot) -> Report:
        workspace, metrics = self._host.workspace, self._host.metrics
        limit = self._settings.queue_job_seconds
        folder = workspace.request_folder()
        try:
            with slot.running(self._host.job(limit)) as job:
                path = folder / "media"
                started = time.perf_counter()
                with slot.stage("fetch", limit + STORE_SECONDS):
                    self._steady(lambda: self._fetch(version, path, job))
                metrics.receive_seconds.labels("s3").observe(time.perf_counter() - started)
                job.check()
                started = time.perf_counter()
                with slot.stage("analyse", limit + ANALYSIS_GRACE_SECONDS), metrics.in_flight.track_inprogress():
                    report = analyzer.analyze(path, work.options, job)
                metrics.compute_seconds.observe(time.perf_counter() - started)
        finally:
            workspace.release(folder)
        metrics.judged(report)
        log.info("analysed", extra={"object": str(work.target), "status": report.status, "verdict": report.verdict})
        return report

    def _fetch(self, version: S3Version, path: Path, job: Job) -> None:
        job.check()
        self._host.s3.fetch(version.target, path, job, etag=version.etag)

    def _steady(self, call: Callable[[], T]) -> T:
        """Try a storage call a few times before the whole message has to come again."""
        for attempt in range(1, _STORE_ATTEMPTS):
            try:
                return call()
            except StorageUnavailable:
                time.sleep(doubled(_STORE_PAUSE_SECONDS, _DELETE_SECONDS, attempt))
        return call()

    def _acknowledge(self, message: Message) -> None:
        """Delete the message. Where that can't be done it comes again, finds its result and is deleted then."""
        end = time.monotonic() + _DELETE_SECONDS
        pace = Pace(_STORE_PAUSE_SECONDS, 5.0)
        while True:
            try:
                self._queue.delete(message)
            except QueueUnavailable:
                if time.monotonic() > end:
                    return
                pace.failed()
                time.sleep(pace.seconds)
            else:
                return

    def _return(self, message: Message, slot: Slot, failure: ServiceError) -> None:
        """Give the message back; tell the waiting task when no later try can answer it."""
        outcome, after = self._way_back(message, failure)
        log.log(
            logging.INFO if outcome is MessageOutcome.HANDED_BACK else logging.WARNING,
            "returned to the queue",
            extra={"code": failure.code, "detail": failure.detail, "receives": message.receives, "outcome": outcome},
        )
        self._metrics.messages.labels(outcome).inc()
        last = self._max_receives is not None and message.receives >= self._max_receives
        hopeless = outcome is MessageOutcome.REFUSED or (outcome is MessageOutcome.RETRIED and last)
        token = slot.task_token
        slot.let_go()
        # Where SQS or Step Functions fail here, the message comes again by itself when its visibility ends.
        with suppress(QueueUnavailable):
            if token is not None and hopeless:
                self._tasks.fail(token, failure)
            self._queue.give_back(message, after)

    def _way_back(self, message: Message, failure: ServiceError) -> tuple[MessageOutcome, float]:
        """How a failed message returns, and after how many seconds others may see it."""
        if isinstance(failure, Cancelled):
            return MessageOutcome.HANDED_BACK, 0.0
        settings = self._settings
        after = doubled(settings.queue_retry_seconds, settings.queue_retry_max_seconds, message.receives - 1)
        # What no try can answer goes the same way: SQS counts its receives and moves it to the dead letters.
        return (MessageOutcome.RETRIED if failure.retryable else MessageOutcome.REFUSED), after

    def _ended(self, outcome: ResultOutcome, target: S3Object) -> None:
        self._metrics.results.labels(outcome).inc()
        if outcome is not ResultOutcome.SUCCEEDED:
            log.info("no new judgement", extra={"object": str(target), "outcome": outcome})
