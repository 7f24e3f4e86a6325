"""`serve`: every installed service in the foreground, each in a process of its own."""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from sg_common.cli.status import ExitStatus
from sg_common.service import AnalyzerService
from sg_common.serving.address import open_listener

_POLL_SECONDS = 0.2
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


@dataclass(frozen=True)
class _Place:
    """Where one service listens."""

    service: AnalyzerService
    host: str
    port: int

    def check(self, held: ExitStack) -> None:
        """Take the address for a moment (raises SettingsError)."""
        held.enter_context(open_listener(self.host, self.port, f"--host, {_option(self.service)}"))

    def ready(self) -> bool:
        connection = http.client.HTTPConnection(_ANY.get(self.host, self.host), self.port, timeout=1)
        try:
            # Its log stays silent about this one, where /ready would tell each 503.
            connection.request("GET", "/metrics")
            return b"\nsilver_guardian_ready 1.0\n" in connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    @property
    def address(self) -> str:
        """The service's address on this machine."""
        host = _ANY.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def __str__(self) -> str:
        local = self.host in _ANY or self.host in ("127.0.0.1", "::1")
        address = f"http://localhost:{self.port}" if local else self.address
        return f"{self.service.name}: serving on {address} (open it in a browser; for callers: /docs)"


def add_serve_arguments(parser: argparse.ArgumentParser, services: Sequence[AnalyzerService]) -> None:
    parser.description = "Run every installed service in the foreground, each in a process of its own, until Ctrl-C."
    parser.add_argument("--host", metavar="ADDRESS", help="address to listen on (default: $SG_HOST, else 127.0.0.1)")
    for service in services:
        parser.add_argument(
            _option(service),
            type=_port,
            default=service.port,
            metavar="PORT",
            help=f"where {service.name} listens (default: {service.port}): {service.title}",
        )
    parser.epilog = (
        "Everything else is set by environment variables with the prefix SG_ (docs/configuration.md). Exit status: "
        "78 when a port is taken, or a setting or a model bundle cannot work; 0 after SIGTERM."
    )


def run_serve(services: Sequence[AnalyzerService], options: argparse.Namespace) -> int:
    """Run until a signal, or until one service ends; then end the others. The exit status of the first that failed.

    Raises:
        SettingsError: a setting cannot work, or an address is taken; no service was started.
    """
    # Each service would say it too: one sentence is enough.
    settings = [service.settings() for service in services]
    places = [
        _Place(service, options.host or own.host, getattr(options, f"{service.kind}_port"))
        for service, own in zip(services, settings, strict=True)
    ]
    with ExitStack() as held:
        for place in places:
            place.check(held)
    names = ", ".join(map(_option, services))
    for variable, what in (("SG_PORT", "a port"), ("SG_PEER_URL", "a peer")):
        if variable in os.environ:
            print(f"{variable} is not heeded here, where each service has {what} of its own: {names}", file=sys.stderr)

    children: list[subprocess.Popen[bytes]] = []
    told_to_end = False

    def end(number: int, _: object) -> None:
        nonlocal told_to_end
        told_to_end = True
        # A terminal's Ctrl-C reaches the children by itself.
        if number == signal.SIGTERM:
            _terminate(children)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    children.extend(_start(place, _peer_of(place, places)) for place in places)
    loading = [place for place in places if place.port]
    while all(child.poll() is None for child in children):
        for place in [place for place in loading if place.ready()]:
            print(place, file=sys.stderr, flush=True)
            loading.remove(place)
        time.sleep(_POLL_SECONDS)
    # A second signal would cut short what the others still have in flight.
    if not told_to_end:
        _terminate(children)
    return max(_status(child.wait()) for child in children)


def _peer_of(place: _Place, places: Sequence[_Place]) -> _Place | None:
    """Where the service listens that judges the other half of a file; a port that the system chooses is not known."""
    return next((other for other in places if other.service.kind == place.service.peer and other.port), None)


def _start(place: _Place, peer: _Place | None) -> subprocess.Popen[bytes]:
    environment = {
        "SG_LOG_FORMAT": "text" if sys.stderr.isatty() else "json",
        **os.environ,
        "SG_HOST": place.host,
        "SG_PORT": str(place.port),
    }
    environment.pop("SG_PEER_URL", None)
    if peer is not None:
        environment["SG_PEER_URL"] = peer.address
    return subprocess.Popen([sys.executable, "-m", f"{place.service.kind}_analyzer", "serve"], env=environment)


def _option(service: AnalyzerService) -> str:
    return f"--{service.kind}-port"


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 to 65535")
    return int(text)


def _status(code: int) -> int:
    """A service's exit status; one that a signal killed did not end as it should."""
    return code if code >= 0 else ExitStatus.BUG


def _terminate(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.terminate()
