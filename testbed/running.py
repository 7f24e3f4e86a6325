"""A service under a real server on a loopback port."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from sg_common.http.app import create_app
from sg_common.http.state import ServiceState
from sg_common.service import AnalyzerService


@contextmanager
def running(service: AnalyzerService, *, wait_ready: bool = True) -> Iterator[tuple[str, ServiceState]]:
    """Serve until the block ends; gives the base URL and the application's state."""
    state = ServiceState(service, service.settings())
    app = create_app(state, on_failure=lambda _: None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5, lifespan="on")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            wait_for(lambda: server.started)
            if wait_ready:
                wait_for(lambda: httpx.get(base + "/ready").status_code == 200)
            yield base, state
        finally:
            server.should_exit = True
            thread.join(20)


def wait_for(condition: object, seconds: float = 20.0) -> None:
    """Wait until `condition()` is true; fail after `seconds`."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
