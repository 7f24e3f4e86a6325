"""Runs an application under Uvicorn, with a drain that flips readiness first."""

from __future__ import annotations

import asyncio
import logging
import signal
from types import FrameType

import uvicorn

from sg_common.http.app import create_app
from sg_common.http.state import ServiceState
from sg_common.service import AnalyzerService
from sg_common.settings import ServiceSettings

log = logging.getLogger(__name__)

EXIT_REFUSED_MODEL = 3


class _Server(uvicorn.Server):
    """On SIGTERM the service first says 503 on /ready, so that load balancers look elsewhere, then stops listening."""

    def __init__(self, config: uvicorn.Config, state: ServiceState) -> None:
        super().__init__(config)
        self._state = state
        self._drain: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)  # type: ignore[arg-type]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGTERM and not self._state.draining and self._loop is not None:
            self._state.drain()
            log.info("draining", extra={"seconds": self._state.settings.drain_seconds})
            self._loop.call_soon_threadsafe(self._begin_drain)
            return
        super().handle_exit(sig, frame)

    def _begin_drain(self) -> None:
        self._drain = asyncio.ensure_future(self._stop_listening())

    async def _stop_listening(self) -> None:
        await asyncio.sleep(self._state.settings.drain_seconds)
        self.should_exit = True


def serve(service: AnalyzerService, settings: ServiceSettings) -> int:
    """Serve until a signal; the process's exit status."""
    failures: list[str] = []

    def refuse(reason: str) -> None:
        log.critical("the model is refused: %s", reason)
        failures.append(reason)
        server.should_exit = True

    app = create_app(service, settings, on_load_failure=refuse)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, int(settings.grace_seconds)),
    )
    server = _Server(config, app.state.service)
    server.run()
    return EXIT_REFUSED_MODEL if failures else 0
