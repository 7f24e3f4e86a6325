"""Structured logs with a request id, and the metrics of a process."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from prometheus_client import GC_COLLECTOR, CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from pythonjsonlogger.json import JsonFormatter

from sg_common.analysis import LoadedModel, Report
from sg_common.errors import Cancelled, ServiceError, UnexpectedFailure

log = logging.getLogger(__name__)

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request (or queue message) that the running code works for."""

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class _RequestIdFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


def configure_logging(service: str, level: str, style: Literal["json", "text"]) -> None:
    """Send every log record to standard error, one JSON object (or text line) each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_RequestIdFilter())
    if style == "json":
        handler.setFormatter(
            JsonFormatter(
                "%(asctime)s %(levelname)s %(name)s %(message)s %(request_id)s",
                rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
                static_fields={"service": service},
                datefmt="%Y-%m-%dT%H:%M:%S%z",
            )
        )
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("botocore", "boto3", "urllib3", "s3transfer", "httpcore", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class Metrics:
    """The metrics of one process, in a registry of their own. All names begin with `silver_guardian_`."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(GC_COLLECTOR)
        self._service = service
        self._model = Gauge(
            "silver_guardian_model_info",
            "The model that is loaded (always 1), and why this variant.",
            ["service", "name", "version", "variant", "reason"],
            registry=self.registry,
        )
        self.requests = self.counter("http_requests", "HTTP requests answered.", "method", "route", "status")
        self.request_seconds = self.histogram("http_request_seconds", "Wall time of HTTP requests.", "route")
        self.analyses = self.counter("analyses", "Analyses ended, by outcome (a status or an error code).", "outcome")
        self.verdicts = self.counter("verdicts", "Verdicts given.", "verdict")
        self.receive_seconds = self.histogram("receive_seconds", "Time to get a file: upload or download.", "source")
        self.queue_seconds = self.histogram("queue_seconds", "Time between a file's arrival and its turn.")
        self.compute_seconds = self.histogram("compute_seconds", "Time that an analysis itself took.")
        self.in_flight = self.gauge("analyses_in_flight", "Analyses running now.")
        self.admitted = self.gauge("requests_admitted", "Requests admitted and not yet released: waiting or running.")
        self.capacity = self.gauge("requests_capacity", "Requests that may be admitted at a time.")
        self.decoder_starts = self.counter(
            "decoder_starts", "Processes started to decode: forked from their parent (zygote), or fresh.", "how"
        )
        self.jobs = self.counter("jobs", "Jobs taken (queued) and ended (done, failed, cancelled).", "status")
        self.ready = self.gauge("ready", "1 while the service accepts work.")

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """A further metric, as are `gauge` and `histogram`, whose `edges` are those of its buckets."""
        return Counter(f"silver_guardian_{name}", text, labels, registry=self.registry)

    def gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"silver_guardian_{name}", text, registry=self.registry)

    def histogram(self, name: str, text: str, *labels: str, edges: Sequence[float] = _SECONDS) -> Histogram:
        return Histogram(f"silver_guardian_{name}", text, labels, registry=self.registry, buckets=edges)

    def model_loaded(self, model: LoadedModel) -> None:
        self._model.labels(self._service, model.name, model.version, model.variant, model.reason).set(1)

    def judged(self, report: Report) -> None:
        """Count a finished analysis."""
        self.analyses.labels(report.status).inc()
        self.verdicts.labels(report.verdict).inc()

    @contextmanager
    def counting_failure(self) -> Iterator[None]:
        """Count and log the failure of an analysis on its way, whichever door it ends at."""
        try:
            yield
        except BaseException as error:
            match error:
                case ServiceError():
                    code = error.code
                    log.info("not analysed", extra={"code": error.code, "detail": error.detail})
                case Exception():
                    code = UnexpectedFailure.code
                case _:
                    code = Cancelled.code
            self.analyses.labels(code).inc()
            raise
