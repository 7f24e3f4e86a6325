"""A message's way: received, kept hidden from others while it is worked on, then acknowledged or given back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from sg_common.aws.objects import S3Object
from sg_common.aws.sqs import Message, SqsQueue
from sg_common.aws.tasks import StepFunctionsTasks
from sg_common.backoff import Pace, doubled
from sg_common.errors import Cancelled, QueueUnavailable, ServiceError
from sg_common.results import Result
from sg_common.settings import ServiceSettings
from sg_common.worker.messages import Order, parse_message
from sg_common.worker.metrics import MessageOutcome, WorkerMetrics

log = logging.getLogger(__name__)

_EXTENSIONS_PER_VISIBILITY = 4
_DELETE_SECONDS = 60.0


@dataclass(frozen=True, eq=False)
class Delivery:
    """One receipt of a message, and what it asks for."""

    message: Message
    order: Order


class Deliveries:
    """The queue as the slots see it. Safe to use from several threads."""

    def __init__(
        self, queue: SqsQueue, tasks: StepFunctionsTasks, settings: ServiceSettings, metrics: WorkerMetrics
    ) -> None:
        self._queue = queue
        self._tasks = tasks
        self._settings = settings
        self._metrics = metrics
        self._max_receives: int | None = None
        self._lock = threading.Lock()
        self._kept: set[Delivery] = set()

    def check(self) -> None:
        """Make sure that the queue can be served.

        Raises:
            SettingsError: it can't.
            QueueUnavailable: SQS does not answer.
        """
        self._max_receives = self._queue.check()

    def receive(self) -> Delivery | None:
        """Wait for one message.

        Raises:
            QueueUnavailable: SQS does not answer.
        """
        message = self._queue.receive()
        if message is None:
            return None
        self._metrics.received.inc()
        self._metrics.age_seconds.observe(message.age_seconds)
        return Delivery(message, parse_message(message.body))

    @contextmanager
    def keeping(self, delivery: Delivery) -> Iterator[None]:
        """Keep the message hidden, and the task that waits for it alive, until the block or the delivery ends."""
        with self._lock:
            self._kept.add(delivery)
        try:
            yield
        finally:
            self._let_go(delivery)

    def _let_go(self, delivery: Delivery) -> None:
        """An extension that is under way ends first: it must not hide a message that has been given back."""
        with self._lock:
            self._kept.discard(delivery)

    def keep(self) -> None:
        """Hide what is kept once more, for ever; for a thread of its own, which also runs while draining."""
        while True:
            time.sleep(self._settings.queue_visibility_seconds / _EXTENSIONS_PER_VISIBILITY)
            try:
                self.extend()
            except Exception:
                log.exception("unexpected failure of the keeper")

    def extend(self) -> None:
        """Hide what is kept for another visibility time, and tell the waiting tasks that it is worked on."""
        failed: list[Message] = []
        with self._lock:
            kept = list(self._kept)
            with suppress(QueueUnavailable):
                failed = self._queue.extend([delivery.message for delivery in kept])
        for message in failed:
            if any(delivery.message is message for delivery in list(self._kept)):
                # Another worker may have it by now; the result's conditional write keeps that harmless.
                self._metrics.errors.labels("extend").inc()
                log.warning("a message could not be kept hidden", extra={"message_id": message.identifier})
        for delivery in kept:
            if delivery.order.task_token is not None:
                with suppress(QueueUnavailable):
                    self._tasks.heartbeat(delivery.order.task_token)

    def answer(self, delivery: Delivery, result: Result, place: S3Object) -> None:
        """Tell the task that waits for it, if one does, the result or why there is none.

        Raises:
            QueueUnavailable: Step Functions does not answer.
        """
        token = delivery.order.task_token
        if token is None:
            return
        if result.problem is not None:
            self._tasks.fail(token, result.problem.code, result.problem.detail)
        else:
            pointer = {"s3_bucket": place.bucket, "s3_key": place.key}
            self._tasks.succeed(token, result.document() | {"result": pointer})

    def acknowledge(self, delivery: Delivery) -> None:
        """Delete the message. Where that can't be done it comes again, finds its result and is deleted then."""
        end = time.monotonic() + _DELETE_SECONDS
        pace = Pace(0.25, 5.0)
        while time.monotonic() < end:
            try:
                self._queue.delete(delivery.message)
                break
            except QueueUnavailable:
                pace.failed()
                time.sleep(pace.seconds)
        self._metrics.messages.labels(MessageOutcome.ACKNOWLEDGED).inc()

    def give_back(self, delivery: Delivery, failure: ServiceError) -> None:
        """Let the message come again; tell the waiting task when no later try can answer it."""
        message, token = delivery.message, delivery.order.task_token
        outcome, after = self._way_back(message, failure)
        log.log(
            logging.INFO if outcome is MessageOutcome.HANDED_BACK else logging.WARNING,
            "returned to the queue",
            extra={"code": failure.code, "detail": failure.detail, "receives": message.receives, "outcome": outcome},
        )
        self._metrics.messages.labels(outcome).inc()
        last = self._max_receives is not None and message.receives >= self._max_receives
        hopeless = outcome is MessageOutcome.REFUSED or (outcome is MessageOutcome.RETRIED and last)
        # Where SQS or Step Functions fail here, the message comes again by itself when its visibility ends.
        with suppress(QueueUnavailable):
            if token is not None and hopeless:
                self._tasks.fail(token, failure.code, failure.detail)
            self.hand_back(delivery, after)

    def hand_back(self, delivery: Delivery, after_seconds: float = 0) -> None:
        """Let others see the message, `after_seconds` from now.

        Raises:
            QueueUnavailable: SQS does not answer.
        """
        self._let_go(delivery)
        self._queue.give_back(delivery.message, after_seconds)

    def _way_back(self, message: Message, failure: ServiceError) -> tuple[MessageOutcome, float]:
        """How a failed message returns, and after how many seconds others may see it."""
        if isinstance(failure, Cancelled):
            return MessageOutcome.HANDED_BACK, 0.0
        settings = self._settings
        after = doubled(settings.queue_retry_seconds, settings.queue_retry_max_seconds, message.receives - 1)
        # What no try can answer goes the same way: SQS counts its receives and moves it to the dead letters.
        return (MessageOutcome.RETRIED if failure.retryable else MessageOutcome.REFUSED), after
