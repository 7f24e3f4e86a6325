from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from testbed.running import wait_for

ROOT = Path(__file__).resolve().parents[2]
LIMITS = {
    "SG_MAX_UPLOAD_BYTES": str(30 * 1024 * 1024),
    "SG_MAX_DURATION_SECONDS": "600",
    "SG_MAX_PIXELS": str(1920 * 1080),
    "SG_DRAIN_SECONDS": "0",
    "SG_LOG_LEVEL": "INFO",
}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Running:
    """A service process."""

    kind: str
    base: str
    work: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    def analyze(self, path: Path, **fields: str) -> httpx.Response:
        with path.open("rb") as file:
            return httpx.post(f"{self.base}/analyze", files={"file": (path.name, file)}, data=fields, timeout=120)

    def work_files(self) -> list[Path]:
        return [path for path in self.work.rglob("*") if path.is_file() and path.name != ".lock"]


def start(kind: str, work: Path, **environment: str) -> Running:
    """Start a service and wait until it is ready."""
    port = free_port()
    log = (work.parent / f"{kind}.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", f"{kind}_analyzer", "serve"],
        cwd=ROOT,
        env={**os.environ, **LIMITS, "SG_PORT": str(port), "SG_WORK_DIR": str(work), **environment},
        stderr=log,
    )
    log.close()
    running = Running(kind, f"http://127.0.0.1:{port}", work, process)

    def ready() -> bool:
        assert process.poll() is None, (work.parent / f"{kind}.log").read_text()
        try:
            return httpx.get(f"{running.base}/ready").status_code == 200
        except httpx.TransportError:
            return False

    wait_for(ready, 60)
    return running


def stop(running: Running) -> int:
    """End a service politely; its exit status."""
    running.process.send_signal(signal.SIGTERM)
    return running.process.wait(30)


def serving(kind: str, factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = start(kind, factory.mktemp(kind) / "work")
    yield running
    assert stop(running) == 0
    assert list(running.work.iterdir()) == []


@pytest.fixture(scope="session")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The audio service with its shipped models."""
    yield from serving("audio", tmp_path_factory)


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The video service with its shipped models."""
    yield from serving("video", tmp_path_factory)


@pytest.fixture(params=["audio", "video"])
def service(request: pytest.FixtureRequest) -> Running:
    """Either service, one after the other."""
    running: Running = request.getfixturevalue(request.param)
    return running


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds of somebody speaking."""
    from testbed.faces import Actor, scene  # noqa: PLC0415
    from testbed.media import Film, Sound, write_media  # noqa: PLC0415
    from testbed.speech import speech  # noqa: PLC0415

    film = Film(frames=200, picture=scene(Actor(face_side=140)), size=(640, 480), fps=25)
    sound = Sound(speech(8.0)[None], rate=16000)
    return write_media(tmp_path_factory.mktemp("clip") / "clip.mp4", film=film, sound=sound)
