"""Runs an application under Uvicorn, with a drain that flips readiness first."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from sg_common.serving.address import open_listener
from sg_common.serving.host import ServiceHost
from sg_common.settings import ServiceSettings

log = logging.getLogger(__name__)


class DrainingServer(uvicorn.Server):
    """On SIGTERM the service first says 503 on /ready, so that others take the work, then drains, then stops."""

    def __init__(self, app: FastAPI, host: ServiceHost) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=host.settings.keep_alive_seconds,
                timeout_graceful_shutdown=max(1, int(host.settings.grace_seconds)),
            )
        )
        self._host = host
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGTERM and not self._host.draining and self._loop is not None:
            self._host.drain()
            log.info("draining")
            asyncio.run_coroutine_threadsafe(self._drain_and_stop(), self._loop)
            return
        super().handle_exit(sig, frame)

    async def _drain_and_stop(self) -> None:
        try:
            await self._host.drained()
        finally:
            self.should_exit = True


def listen(settings: ServiceSettings) -> socket.socket:
    """The socket that the settings name.

    Raises:
        SettingsError: the address is taken, or not ours.
    """
    listener = open_listener(settings.host, settings.port)
    log.info("listening on %s port %s", settings.host, listener.getsockname()[1])
    return listener


def run(host: ServiceHost, make_app: Callable[[Callable[[Exception], None]], FastAPI]) -> None:
    """Serve until a signal.

    Args:
        make_app: makes the application, which tells its argument why it can't work.

    Raises:
        Exception: the reason why the service could not work, a `ConfigurationError` where its operator can mend it.
    """
    failures: list[Exception] = []

    def refuse(reason: Exception) -> None:
        failures.append(reason)
        server.should_exit = True

    try:
        with listen(host.settings) as listener:
            server = DrainingServer(make_app(refuse), host)
            server.run([listener])
    finally:
        host.close()
    if failures:
        raise failures[0]
