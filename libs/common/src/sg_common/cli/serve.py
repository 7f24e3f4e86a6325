"""`serve`: every installed service in the foreground, each in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from sg_common.cli.status import ExitStatus
from sg_common.service import AnalyzerService

_POLL_SECONDS = 0.2


def run_serve(services: Sequence[AnalyzerService]) -> int:
    """Run until a signal, or until one service ends; then end the others. The exit status of the first that failed."""
    environment = {"SG_LOG_FORMAT": "text" if sys.stderr.isatty() else "json", **os.environ}
    # One SG_PORT cannot serve two; each service listens on its own.
    environment.pop("SG_PORT", None)
    children = [
        subprocess.Popen([sys.executable, "-m", f"{service.kind}_analyzer", "serve"], env=environment)
        for service in services
    ]
    for service in services:
        print(f"{service.name}: http://localhost:{service.port}/docs", file=sys.stderr)

    told_to_end = False

    def end(number: int, _: object) -> None:
        nonlocal told_to_end
        told_to_end = True
        # A terminal's Ctrl-C reaches the children by itself.
        if number == signal.SIGTERM:
            _terminate(children)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    while all(child.poll() is None for child in children):
        time.sleep(_POLL_SECONDS)
    # A second signal would cut short what the others still have in flight.
    if not told_to_end:
        _terminate(children)
    return max(_status(child.wait()) for child in children)


def _status(code: int) -> int:
    """A service's exit status; one that a signal killed did not end as it should."""
    return code if code >= 0 else ExitStatus.BUG


def _terminate(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.terminate()
