"""A container engine, driven by its own command."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
DOCKER = os.environ.get("DOCKER", "docker")
PORTS = {"audio": 8000, "video": 8001}
HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


def docker(*arguments: str, check: bool = True, **environment: str) -> str:
    """Run a command of the engine and return what it printed; its complaints are part of the error."""
    done = subprocess.run(
        [*shlex.split(DOCKER), *arguments],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=400,
    )  # fmt: skip
    if check and done.returncode != 0:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr[-4000:]}{done.stdout[-2000:]}")
    return done.stdout


def image(kind: str) -> str:
    return f"silver-guardian/{kind}-analyzer:local"


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


@dataclass(frozen=True)
class Container:
    """A running container of one of the services."""

    name: str
    kind: str

    @property
    def base(self) -> str:
        return "http://" + docker("port", self.name, f"{PORTS[self.kind]}/tcp").splitlines()[0]

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(docker("inspect", self.name))[0]
        return found

    def health(self) -> str:
        return str(self.state()["State"]["Health"]["Status"])

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.base}/ready", timeout=5).status_code == 200
        except (httpx.TransportError, IndexError, AssertionError):
            return False

    def logs(self) -> list[dict[str, Any]]:
        done = subprocess.run(
            [*shlex.split(DOCKER), "logs", self.name], capture_output=True, text=True, check=True, timeout=60
        )
        return [json.loads(line) for line in (done.stdout + done.stderr).splitlines() if line.startswith("{")]

    def run(self, *command: str, check: bool = True) -> str:
        return docker("exec", self.name, *command, check=check)

    def analyze(self, clip: Path) -> httpx.Response:
        with clip.open("rb") as file:
            return httpx.post(f"{self.base}/analyze", files={"file": (clip.name, file)}, timeout=200)


@contextmanager
def container(kind: str, *options: str, ready: bool = True) -> Iterator[Container]:
    """A container of the service's image, hardened as in production, published on a loopback port of its own."""
    name = f"sg-test-{uuid.uuid4().hex[:8]}"
    publish = ("--publish", f"127.0.0.1::{PORTS[kind]}")
    docker("run", "--detach", "--name", name, *publish, *HARDENED, "-e", "SG_DRAIN_SECONDS=0", *options, image(kind))
    running = Container(name, kind)
    try:
        if ready:
            wait_until(running.ready, 120)
        yield running
    finally:
        docker("rm", "--force", "--volumes", name, check=False)


def compose(*arguments: str, environment: dict[str, str], check: bool = True) -> str:
    return docker("compose", *arguments, check=check, **environment)


def published(config: dict[str, Any]) -> dict[str, Sequence[str]]:
    """Service to the host addresses that it listens on."""
    services: dict[str, Any] = config["services"]
    return {
        name: [port.get("host_ip", "0.0.0.0") for port in service.get("ports", [])]
        for name, service in services.items()
    }
