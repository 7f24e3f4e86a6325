"""Runs an application under Uvicorn, with a drain that flips readiness first."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from sg_common.host import ServiceHost
from sg_common.http.app import create_app
from sg_common.service import AnalyzerService
from sg_common.settings import ServiceSettings

log = logging.getLogger(__name__)

EXIT_REFUSED_MODEL = 3


class DrainingServer(uvicorn.Server):
    """On SIGTERM the service first says 503 on /ready, so that others take the work, then drains, then stops.

    Args:
        drain: what happens between the signal and the end of listening.
    """

    def __init__(self, app: FastAPI, host: ServiceHost, drain: Callable[[], Awaitable[None]]) -> None:
        settings = host.settings
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=max(1, int(settings.grace_seconds)),
            )
        )
        self._host = host
        self._drain = drain
        self._draining: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)  # type: ignore[arg-type]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGTERM and not self._host.draining and self._loop is not None:
            self._host.drain()
            log.info("draining")
            self._loop.call_soon_threadsafe(self._begin_drain)
            return
        super().handle_exit(sig, frame)

    def _begin_drain(self) -> None:
        self._draining = asyncio.ensure_future(self._drain_and_stop())

    async def _drain_and_stop(self) -> None:
        try:
            await self._drain()
        finally:
            self.should_exit = True


def serve(service: AnalyzerService, settings: ServiceSettings) -> int:
    """Serve until a signal; the process's exit status."""
    failures: list[str] = []

    def refuse(reason: str) -> None:
        log.critical("the model is refused: %s", reason)
        failures.append(reason)
        server.should_exit = True

    app = create_app(service, settings, on_load_failure=refuse)
    server = DrainingServer(app, app.state.service, lambda: asyncio.sleep(settings.drain_seconds))
    server.run()
    return EXIT_REFUSED_MODEL if failures else 0
