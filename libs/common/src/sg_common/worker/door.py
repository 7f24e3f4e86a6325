"""Runs a worker, with probes and metrics on a small HTTP port."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from sg_common.errors import SettingsError
from sg_common.http.probes import probed_app
from sg_common.http.server import EXIT_REFUSED_MODEL, DrainingServer
from sg_common.service import AnalyzerService
from sg_common.settings import ServiceSettings
from sg_common.worker.worker import WorkerHost

log = logging.getLogger(__name__)


def create_worker_app(host: WorkerHost, on_failure: Callable[[str], None]) -> FastAPI:
    """The probes and metrics of a worker, which begins to work with the application.

    Args:
        on_failure: called with a sentence when it can't.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        host.start_in_background(on_failure)
        try:
            yield
        finally:
            host.close()

    return probed_app(host, lifespan)


def work(service: AnalyzerService, settings: ServiceSettings) -> int:
    """Serve the queue until a signal; the process's exit status.

    Raises:
        SettingsError: there is no queue to serve.
    """
    if not settings.queue_url:
        raise SettingsError("SG_QUEUE_URL: the worker needs the URL of its queue")
    if not settings.s3_allow:
        raise SettingsError("SG_S3_ALLOW: the worker needs the buckets that it may read")
    host = WorkerHost(service, settings, settings.queue_url)
    failures: list[str] = []

    def refuse(reason: str) -> None:
        log.critical("the worker can't start: %s", reason)
        failures.append(reason)
        server.should_exit = True

    server = DrainingServer(
        create_worker_app(host, refuse), host, lambda: asyncio.to_thread(host.finish, settings.grace_seconds)
    )
    server.run()
    return EXIT_REFUSED_MODEL if failures else 0
