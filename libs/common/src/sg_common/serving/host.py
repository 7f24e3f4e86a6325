"""A service's life, whatever its door: loading, ready, draining, closed. One object a process, no module globals."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from sg_common.analysis import Analyzer, Job, Stage
from sg_common.aws.objects import ObjectStore
from sg_common.errors import ConfigurationError, Unavailable
from sg_common.media import Decoders
from sg_common.observability import Metrics
from sg_common.service import AnalyzerService
from sg_common.settings import ServiceSettings
from sg_common.sources.s3 import S3Source
from sg_common.sources.workspace import Workspace

if TYPE_CHECKING:
    from sg_common.sources.url import UrlSource

log = logging.getLogger(__name__)


class ServiceHost:
    """What every door that stays up shares.

    Raises:
        SettingsError: the work folder cannot be used.
    """

    def __init__(self, service: AnalyzerService, settings: ServiceSettings) -> None:
        self.service = service
        self.settings = settings
        self.started = time.monotonic()
        self.metrics = Metrics(service.name)
        self.workspace = Workspace(settings.work_folder(service.kind))
        self.decoders = Decoders(
            settings.decoder_parent_files, lambda how: self.metrics.decoder_starts.labels(how).inc()
        )
        self.store = ObjectStore()
        self.s3 = S3Source(self.store, settings.s3_allow, settings.max_upload_bytes)
        self.analyzer: Analyzer | None = None
        self._drained_since: float | None = None

    @cached_property
    def urls(self) -> UrlSource:
        """Made, and an HTTP client loaded, when first asked for: most services read no URLs."""
        from sg_common.sources.url import UrlSource  # noqa: PLC0415

        settings = self.settings
        return UrlSource(settings.url_allow, settings.max_upload_bytes, settings.upload_stall_seconds)

    @property
    def draining(self) -> bool:
        return self._drained_since is not None

    @property
    def status(self) -> Literal["loading", "ready", "draining"]:
        if self.draining:
            return "draining"
        return "loading" if self.analyzer is None else "ready"

    def load_in_background(self, on_failure: Callable[[Exception], None]) -> None:
        """Get ready beside the event loop, so that /health answers meanwhile.

        Args:
            on_failure: told why the service can't work.
        """
        threading.Thread(target=self._load, args=(on_failure,), name="load", daemon=True).start()

    def _load(self, on_failure: Callable[[Exception], None]) -> None:
        started = time.perf_counter()
        self.decoders.prepare()
        try:
            analyzer = self.service.build(self.settings)
            if self.settings.s3_allow:
                _ = self.store.client
            self.prepare(analyzer)
        except ConfigurationError as error:
            on_failure(error)
            return
        except Exception as error:
            log.exception("loading failed")
            on_failure(error)
            return
        self.analyzer = analyzer
        self.metrics.model_loaded(analyzer.model)
        self.metrics.ready.set(0 if self.draining else 1)
        log.info("ready", extra={"seconds": round(time.perf_counter() - started, 3)})

    def prepare(self, analyzer: Analyzer) -> None:
        """What else must hold, or be begun, before the service is ready.

        Raises:
            ConfigurationError: it can't work.
        """

    def accepting(self) -> Analyzer:
        """The analyzer, when the service takes work.

        Raises:
            Unavailable: it is loading or draining.
        """
        if self.draining:
            raise Unavailable("the service is shutting down; send the request again, another instance takes it")
        if self.analyzer is None:
            raise Unavailable("the model is still loading; try again", retry_after=2)
        return self.analyzer

    def job(self, deadline_seconds: float, stage: Stage = Stage.ANALYSING) -> Job:
        """A job for one request."""
        return Job(deadline_seconds, decoders=self.decoders, stage=stage)

    def check_alive(self) -> None:
        """What /health asks.

        Raises:
            Unavailable: the process answers, but its work is stuck; it should be started anew.
        """

    def drain(self) -> None:
        """Take no more work; what is in flight goes on."""
        if self._drained_since is None:
            self._drained_since = time.monotonic()
        self.metrics.ready.set(0)

    def grace_left(self) -> float:
        """Seconds that work in flight may still take; 0 where the service stops without a drain."""
        if self._drained_since is None:
            return 0.0
        ends = self._drained_since + self.settings.drain_seconds + self.settings.grace_seconds
        return max(0.0, ends - time.monotonic())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What goes on in the event loop while the service lives."""
        yield

    async def drained(self) -> None:
        """What happens between the signal and the end of listening."""
        await asyncio.sleep(self.settings.drain_seconds)

    def close(self) -> None:
        """Remove work files; end the parent of decoder processes."""
        self.drain()
        self.decoders.close()
        self.workspace.close()
