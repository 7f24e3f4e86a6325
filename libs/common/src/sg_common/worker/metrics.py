"""The queue door's metrics, beside those that every process has."""

from __future__ import annotations

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

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
    """Counters and times of one worker, registered beside the process's others."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.received = Counter(
            "silver_guardian_queue_received", "Messages received, redeliveries included.", registry=registry
        )
        self.messages = Counter(
            "silver_guardian_queue_messages",
            "Messages ended, by outcome; all but acknowledged return to the queue.",
            ["outcome"],
            registry=registry,
        )
        self.results = Counter(
            "silver_guardian_queue_results", "Objects answered, by outcome.", ["outcome"], registry=registry
        )
        self.errors = Counter(
            "silver_guardian_queue_errors", "Failed calls of SQS and Step Functions.", ["operation"], registry=registry
        )
        self.age_seconds = Histogram(
            "silver_guardian_queue_age_seconds",
            "Age of messages when received.",
            registry=registry,
            buckets=_AGE_SECONDS,
        )
        self.stage_seconds = Histogram(
            "silver_guardian_queue_stage_seconds",
            "Time that a message spent in each stage.",
            ["stage"],
            registry=registry,
            buckets=_STAGE_SECONDS,
        )
        self.in_flight = Gauge("silver_guardian_queue_in_flight", "Messages being worked on.", registry=registry)
