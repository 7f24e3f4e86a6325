"""The threads of a worker: slots that poll and work, and a keeper that holds their messages."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from sg_common.analysis import Analyzer
from sg_common.errors import (
    QueueUnavailable,
    ServiceError,
    SettingsError,
    StorageUnavailable,
    Unavailable,
    UnexpectedFailure,
)
from sg_common.host import ServiceHost
from sg_common.observability import request_id
from sg_common.service import AnalyzerService
from sg_common.settings import ServiceSettings
from sg_common.worker.backoff import Pace
from sg_common.worker.metrics import WorkerMetrics
from sg_common.worker.processor import Processor
from sg_common.worker.queue import Message, SqsQueue
from sg_common.worker.slot import STORE_SECONDS, Slot
from sg_common.worker.tasks import StepFunctionsTasks

log = logging.getLogger(__name__)

_EXTENSIONS_PER_VISIBILITY = 4
_PAUSE_SECONDS = 0.5
_PAUSE_MAX_SECONDS = 60.0
_CANCEL_RESERVE_SECONDS = 5.0
_OUTAGES = (StorageUnavailable, QueueUnavailable, Unavailable)


class WorkerHost(ServiceHost):
    """A host whose work comes from a queue: as many messages at a time as the CPU quota has processors."""

    def __init__(self, service: AnalyzerService, settings: ServiceSettings, queue_url: str) -> None:
        super().__init__(service, settings)
        self.worker_metrics = WorkerMetrics(self.metrics.registry)
        self._queue = SqsQueue(
            queue_url,
            settings.queue_visibility_seconds,
            settings.queue_wait_seconds,
            on_error=lambda operation: self.worker_metrics.errors.labels(operation).inc(),
        )
        self._tasks = StepFunctionsTasks(on_error=lambda operation: self.worker_metrics.errors.labels(operation).inc())
        self._stop = threading.Event()
        self._slots = [Slot(f"slot {n + 1}", self.worker_metrics) for n in range(settings.concurrency())]
        self._threads: list[threading.Thread] = []

    def start_in_background(self, on_failure: Callable[[str], None]) -> None:
        """Load the models, make sure of the queue, then work.

        Args:
            on_failure: called with a sentence when the bundle is refused or the queue can't be served.
        """
        self.load_in_background(on_failure)
        threading.Thread(target=self._start, args=(on_failure,), name="start", daemon=True).start()

    def _start(self, on_failure: Callable[[str], None]) -> None:
        try:
            max_receives = self._check_queue()
        except SettingsError as error:
            on_failure(str(error))
            return
        processor = Processor(self, self._queue, self._tasks, self.worker_metrics, max_receives)
        keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        keeper.start()
        for slot in self._slots:
            thread = threading.Thread(target=self._work, args=(slot, processor), name=slot.name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def _check_queue(self) -> int | None:
        pace = Pace(_PAUSE_SECONDS, _PAUSE_MAX_SECONDS)
        while not self._stop.is_set():
            try:
                return self._queue.check()
            except QueueUnavailable:
                pace.failed()
                self._stop.wait(pace.seconds)
        return None

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

    def finish(self, grace_seconds: float) -> None:
        """Let what is in flight end within the grace period; give back what can't."""
        end = time.monotonic() + grace_seconds
        reserve = min(_CANCEL_RESERVE_SECONDS, grace_seconds / 4)
        self._join(end - reserve)
        for slot in self._slots:
            slot.cancel()
        self._join(end)
        for slot in self._slots:
            if (message := slot.message) is not None:
                log.warning("given back unfinished", extra={"message_id": message.identifier})
                with suppress(QueueUnavailable):
                    self._queue.give_back(message)

    def _join(self, end: float) -> None:
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self, slot: Slot, processor: Processor) -> None:
        # An outage of S3 must cost the queue's messages few receives, or all of them end as dead letters.
        polls, storage = (Pace(_PAUSE_SECONDS, _PAUSE_MAX_SECONDS) for _ in range(2))
        while not self._stop.wait(max(polls.seconds, storage.seconds)):
            if (analyzer := self.analyzer) is None:
                with slot.stage("load"):
                    self._stop.wait(0.1)
                continue
            try:
                with slot.stage("poll", self.settings.queue_wait_seconds + STORE_SECONDS):
                    message = self._queue.receive()
            except QueueUnavailable:
                polls.failed()
                continue
            polls.succeeded()
            if message is None:
                continue
            failure = self._handle(analyzer, message, slot, processor)
            storage.failed() if isinstance(failure, _OUTAGES) else storage.succeeded()

    def _handle(self, analyzer: Analyzer, message: Message, slot: Slot, processor: Processor) -> ServiceError | None:
        self.worker_metrics.received.inc()
        self.worker_metrics.age_seconds.observe(message.age_seconds)
        if self._stop.is_set():
            # It came with the last poll, after the signal to stop.
            with suppress(QueueUnavailable):
                self._queue.give_back(message)
            return None
        token = request_id.set(message.identifier)
        try:
            with slot.holding(message):
                return processor.handle(analyzer, message, slot)
        except Exception as error:
            log.exception("unexpected failure of a slot")
            return UnexpectedFailure(str(error))
        finally:
            request_id.reset(token)

    def _keep(self) -> None:
        """Keep messages hidden and tasks alive while they are worked on, also while draining."""
        pause = self.settings.queue_visibility_seconds / _EXTENSIONS_PER_VISIBILITY
        while True:
            time.sleep(pause)
            try:
                self._hold()
            except Exception:
                log.exception("unexpected failure of the keeper")

    def _hold(self) -> None:
        held = {message: slot for slot in self._slots if (message := slot.kept_message) is not None}
        tokens = [token for slot in held.values() if (token := slot.task_token) is not None]
        if not held:
            return
        with suppress(QueueUnavailable):
            for message in self._queue.extend(list(held)):
                if held[message].kept_message is message:
                    # Another worker may have it by now; the result's conditional write keeps that harmless.
                    self.worker_metrics.errors.labels("extend").inc()
                    log.warning("a message could not be kept hidden", extra={"message_id": message.identifier})
        for token in tokens:
            with suppress(QueueUnavailable):
                self._tasks.heartbeat(token)
