"""The threads of a worker: slots that poll and work, and a keeper that holds their messages."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import suppress

from sg_common.analysis import Analyzer
from sg_common.aws.sqs import SqsQueue
from sg_common.aws.tasks import StepFunctionsTasks
from sg_common.backoff import Pace
from sg_common.errors import QueueUnavailable, ServiceError, StorageUnavailable, Unavailable, UnexpectedFailure
from sg_common.observability import request_id
from sg_common.service import AnalyzerService
from sg_common.serving.host import ServiceHost
from sg_common.settings import ServiceSettings
from sg_common.worker.delivery import Deliveries, Delivery
from sg_common.worker.judging import Judge
from sg_common.worker.messages import Work
from sg_common.worker.metrics import ResultOutcome, WorkerMetrics
from sg_common.worker.slot import STORE_SECONDS, Slot

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.5
_PAUSE_MAX_SECONDS = 60.0
_CANCEL_RESERVE_SECONDS = 5.0
_OUTAGES = (StorageUnavailable, QueueUnavailable, Unavailable)


class WorkerHost(ServiceHost):
    """A host whose work comes from a queue: as many messages at a time as the CPU quota has processors."""

    def __init__(self, service: AnalyzerService, settings: ServiceSettings, queue_url: str) -> None:
        super().__init__(service, settings)
        self.worker_metrics = WorkerMetrics(self.metrics)
        queue = SqsQueue(queue_url, settings.queue_visibility_seconds, settings.queue_wait_seconds, self._count_error)
        tasks = StepFunctionsTasks(self._count_error)
        self._deliveries = Deliveries(queue, tasks, settings, self.worker_metrics)
        self._stop = threading.Event()
        self._slots = [Slot(f"slot {n + 1}", self.worker_metrics) for n in range(settings.concurrency())]
        self._threads: list[threading.Thread] = []

    def _count_error(self, operation: str) -> None:
        self.worker_metrics.errors.labels(operation).inc()

    def prepare(self, analyzer: Analyzer) -> None:
        """Make sure of the queue, waiting while SQS does not answer; then begin to work."""
        pace = Pace(_PAUSE_SECONDS, _PAUSE_MAX_SECONDS)
        while not self._stop.wait(pace.seconds):
            try:
                self._deliveries.check()
            except QueueUnavailable:
                pace.failed()
                continue
            self._start(Judge(self, analyzer))
            return

    def _start(self, judge: Judge) -> None:
        threading.Thread(target=self._deliveries.keep, name="keeper", daemon=True).start()
        for slot in self._slots:
            thread = threading.Thread(target=self._work, args=(slot, judge), name=slot.name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def check_alive(self) -> None:
        """Raise `Unavailable` when a slot is stuck or its thread has ended."""
        for slot in self._slots:
            slot.check_alive()
        if not self._stop.is_set() and not all(thread.is_alive() for thread in self._threads):
            raise Unavailable("a slot's thread has ended")

    def drain(self) -> None:
        """Poll no more."""
        super().drain()
        self._stop.set()

    async def drained(self) -> None:
        await asyncio.to_thread(self.finish, self.settings.grace_seconds)

    def finish(self, grace_seconds: float) -> None:
        """Let what is in flight end within the grace period; give back what can't."""
        end = time.monotonic() + grace_seconds
        self._join(end - min(_CANCEL_RESERVE_SECONDS, grace_seconds / 4))
        for slot in self._slots:
            slot.cancel()
        self._join(end)
        for slot in self._slots:
            if (delivery := slot.delivery) is not None:
                log.warning("given back unfinished", extra={"message_id": delivery.message.identifier})
                with suppress(QueueUnavailable):
                    self._deliveries.hand_back(delivery)

    def _join(self, end: float) -> None:
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self, slot: Slot, judge: Judge) -> None:
        # An outage of S3 must cost the queue's messages few receives, or all of them end as dead letters.
        polls, storage = (Pace(_PAUSE_SECONDS, _PAUSE_MAX_SECONDS) for _ in range(2))
        while not self._stop.wait(max(polls.seconds, storage.seconds)):
            try:
                with slot.stage("poll", self.settings.queue_wait_seconds + STORE_SECONDS):
                    delivery = self._deliveries.receive()
            except QueueUnavailable:
                polls.failed()
                continue
            polls.succeeded()
            if delivery is None:
                continue
            if self._stop.is_set():
                # It came with the last poll, after the signal to stop.
                with suppress(QueueUnavailable):
                    self._deliveries.hand_back(delivery)
                continue
            failure = self._handle(delivery, slot, judge)
            storage.failed() if isinstance(failure, _OUTAGES) else storage.succeeded()

    def _handle(self, delivery: Delivery, slot: Slot, judge: Judge) -> ServiceError | None:
        """Answer a message and acknowledge it, or give it back; the failure, if it was given back."""
        token = request_id.set(delivery.message.identifier)
        try:
            with slot.working(delivery), self._deliveries.keeping(delivery):
                failure = delivery.order.fault or self._answer_all(delivery, slot, judge)
                if failure is None:
                    with slot.stage("acknowledge"):
                        self._deliveries.acknowledge(delivery)
                else:
                    with slot.stage("return"):
                        self._deliveries.give_back(delivery, failure)
                return failure
        except Exception as error:
            log.exception("unexpected failure of a slot")
            return UnexpectedFailure.of(error)
        finally:
            request_id.reset(token)

    def _answer_all(self, delivery: Delivery, slot: Slot, judge: Judge) -> ServiceError | None:
        """Answer for every object that can be; of several failures the one that a later try may end is told."""
        failures: list[ServiceError] = []
        for work in delivery.order.work:
            try:
                self._answer(delivery, work, slot, judge)
            except ServiceError as error:
                failures.append(error)
            except Exception as error:
                log.exception("unexpected failure", extra={"object": str(work.target)})
                failures.append(UnexpectedFailure.of(error))
        return next((error for error in failures if error.retryable), failures[0] if failures else None)

    def _answer(self, delivery: Delivery, work: Work, slot: Slot, judge: Judge) -> None:
        answer = judge.judge(work, slot)
        self.worker_metrics.results.labels(answer.outcome).inc()
        if answer.outcome is not ResultOutcome.SUCCEEDED:
            log.info("no new judgement", extra={"object": str(work.target), "outcome": answer.outcome})
        if answer.result is not None:
            with slot.stage("answer"):
                self._deliveries.answer(delivery, *answer.result)
