"""One thread's place in the worker: what it does now, since when, and how long that may take."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sg_common.analysis import Job
from sg_common.errors import Unavailable
from sg_common.worker.delivery import Delivery
from sg_common.worker.metrics import WorkerMetrics

STORE_SECONDS = 300.0
"""Longest that calls of S3, SQS and Step Functions may take with all their retries."""


class Slot:
    """Shared between the thread that works and the probes.

    Attributes:
        delivery: what it works on.
    """

    def __init__(self, name: str, metrics: WorkerMetrics) -> None:
        self.name = name
        self.delivery: Delivery | None = None
        self._metrics = metrics
        self._lock = threading.Lock()
        self._stage, self._since, self._limit = "starting", time.monotonic(), math.inf
        self._job: Job | None = None
        self._stopping = False

    @contextmanager
    def working(self, delivery: Delivery) -> Iterator[None]:
        """Work on a delivery."""
        self.delivery = delivery
        with self._metrics.in_flight.track_inprogress():
            try:
                yield
            finally:
                self.delivery = None

    @contextmanager
    def stage(self, name: str, limit_seconds: float = STORE_SECONDS) -> Iterator[None]:
        """Do one thing, that is stuck when it takes longer than `limit_seconds`."""
        started = time.monotonic()
        self._stage, self._since, self._limit = name, started, limit_seconds
        try:
            yield
        finally:
            now = time.monotonic()
            if self.delivery is not None:
                self._metrics.stage_seconds.labels(name).observe(now - started)
            self._stage, self._since, self._limit = f"after {name}", now, STORE_SECONDS

    @contextmanager
    def running(self, job: Job) -> Iterator[Job]:
        """Run a job that `cancel` can end."""
        with self._lock:
            self._job = job
            if self._stopping:
                job.cancel()
        try:
            yield job
        finally:
            with self._lock:
                self._job = None

    def cancel(self) -> None:
        """End the running job, and any that begins later."""
        with self._lock:
            self._stopping = True
            if self._job is not None:
                self._job.cancel()

    def check_alive(self) -> None:
        """Raise `Unavailable` when the thread has been at one thing for too long."""
        seconds = time.monotonic() - self._since
        if seconds > self._limit:
            raise Unavailable(f"{self.name} is stuck: '{self._stage}' for {seconds:.0f} s")
