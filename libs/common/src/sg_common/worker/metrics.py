"""The queue door's metrics, beside those that every process has."""

from __future__ import annotations

from enum import StrEnum

from sg_common.observability import Metrics

_STAGE_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
_AGE_SECONDS = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 24 * 3600)


class MessageOutcome(StrEnum):
    """How a message ended here; all but `acknowledged` return to the queue."""

    ACKNOWLEDGED = "acknowledged"
    RETRIED = "retried"
    REFUSED = "refused"
    HANDED_BACK = "handed_back"


class ResultOutcome(StrEnum):
    """What became of an object that a message named. `failed` is a result that says why."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"
    DUPLICATE = "duplicate"
    GONE = "gone"
    IGNORED = "ignored"


class WorkerMetrics:
    """Counters and times of one worker, beside the process's others."""

    def __init__(self, metrics: Metrics) -> None:
        self.received = metrics.counter("queue_received", "Messages received, redeliveries included.")
        self.messages = metrics.counter(
            "queue_messages", "Messages ended, by outcome; all but acknowledged return to the queue.", "outcome"
        )
        self.results = metrics.counter("queue_results", "Objects answered, by outcome.", "outcome")
        self.errors = metrics.counter("queue_errors", "Failed calls of SQS and Step Functions.", "operation")
        self.age_seconds = metrics.histogram("queue_age_seconds", "Age of messages when received.", edges=_AGE_SECONDS)
        self.stage_seconds = metrics.histogram(
            "queue_stage_seconds", "Time that a message spent in each stage.", "stage", edges=_STAGE_SECONDS
        )
        self.in_flight = metrics.gauge("queue_in_flight", "Messages being worked on.")
