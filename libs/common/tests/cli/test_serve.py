from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sg_common.cli.main import main

SERVE = """
import argparse, sys
from types import SimpleNamespace
from sg_common.cli.serve import add_serve_arguments, run_serve
from sg_common.cli.status import ended
from sg_common.settings import ServiceSettings
kinds = sys.argv[1].split(",")
services = [
    SimpleNamespace(kind=kind, name=kind, title=kind, port=0, settings=ServiceSettings.from_environment, peer=peer)
    for kind, peer in zip(kinds, reversed(kinds))
]
parser = argparse.ArgumentParser()
add_serve_arguments(parser, services)
options = parser.parse_args(sys.argv[2:])
sys.exit(ended("serve", lambda: run_serve(services, options)))
"""
# One write each: an unbuffered print takes two, and the services share the pipe.
QUICK = """
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
os.write(1, b"waiting\\n")
signal.pause()
"""
SLOW = """
import os, signal, sys, time
def finish(*_):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
    time.sleep(1)
    sys.exit(0)
signal.signal(signal.SIGTERM, finish)
os.write(1, b"waiting\\n")
signal.pause()
"""
LISTENING = """
import os, socket
from http.server import BaseHTTPRequestHandler, HTTPServer
class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/metrics" else 404)
        self.end_headers()
        self.wfile.write(b"# TYPE\\nsilver_guardian_ready 1.0\\n")
    def log_message(self, *_):
        pass
HTTPServer((os.environ["SG_HOST"], int(os.environ["SG_PORT"])), Ready).serve_forever()
"""
NEIGHBOUR = """
import os, pathlib, time
os.write(1, f"{os.environ['SG_PORT']} {os.environ.get('SG_PEER_URL')}\\n".encode())
here = pathlib.Path(__file__)
here.with_suffix(".told").touch()
while len(list(here.parent.glob("*.told"))) < 2:  # the first that ends would end the other
    time.sleep(0.01)
"""
FAILING = "import sys, time; time.sleep(2); sys.exit(3)"


def ended(folder: Path, waiting: int, *signals: int, **services: str) -> int:
    """Serve these modules, and send the signals when so many wait for them; the exit status."""
    for kind, source in services.items():
        (folder / f"{kind}_analyzer.py").write_text(source)
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", SERVE, ",".join(services)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            for _ in range(waiting):
                assert process.stdout.readline() == b"waiting\n"
            for number in signals:
                process.send_signal(number)
            return process.wait(30)
        finally:
            process.kill()


def test_a_service_is_not_cut_short_by_one_that_ends_sooner(tmp_path: Path) -> None:
    assert ended(tmp_path, 2, signal.SIGTERM, quick=QUICK, slow=SLOW) == 0


def test_a_service_that_fails_ends_the_other(tmp_path: Path) -> None:
    assert ended(tmp_path, 1, quick=QUICK, failing=FAILING) == 3


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def refused(*arguments: str, **environment: str) -> str:
    """What `serve` says of two services when it starts neither, with exit status 78."""
    ended = subprocess.run(
        [sys.executable, "-c", SERVE, "quick,slow", *arguments],
        env={**os.environ, **environment}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (78, "")
    return ended.stderr


def test_a_taken_port_is_one_sentence_before_anything_starts(taken: int) -> None:
    said = refused("--slow-port", str(taken))
    assert said == f"serve: --host, --slow-port: cannot listen on 127.0.0.1 port {taken} (Address already in use)\n"


def test_one_port_cannot_serve_two() -> None:
    port = str(free_port())
    assert f"--slow-port: cannot listen on 127.0.0.1 port {port}" in refused("--quick-port", port, "--slow-port", port)


def test_an_address_that_is_not_ours_is_refused() -> None:
    assert "cannot listen on 192.0.2.1 port 0" in refused("--host", "192.0.2.1")


def test_a_setting_that_cannot_work_is_told_once() -> None:
    assert refused(SG_MAX_WAITING="many").count("SG_MAX_WAITING") == 1


def test_services_listen_where_they_are_told_to_and_say_so_once_they_are_ready(tmp_path: Path) -> None:
    (tmp_path / "one_analyzer.py").write_text(LISTENING)
    port = free_port()
    command = [sys.executable, "-c", SERVE, "one", "--one-port", str(port), "--host", "0.0.0.0"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "SG_PORT": "1"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert "SG_PORT is not heeded" in process.stderr.readline()
            assert process.stderr.readline().startswith(f"one: serving on http://localhost:{port} ")
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        finally:
            process.kill()


@pytest.mark.parametrize("known", [True, False])
def test_each_service_knows_where_the_other_is(tmp_path: Path, known: bool) -> None:
    for kind in ("quick", "slow"):
        (tmp_path / f"{kind}_analyzer.py").write_text(NEIGHBOUR)
    ports = (free_port(), free_port()) if known else (0, 0)
    chosen = ["--quick-port", str(ports[0]), "--slow-port", str(ports[1]), "--host", "0.0.0.0"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "SG_PEER_URL": "http://elsewhere"}
    done = subprocess.run(
        [sys.executable, "-c", SERVE, "quick,slow", *chosen],
        env=environment, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    peers = [f"http://127.0.0.1:{port}" if known else "None" for port in reversed(ports)]
    assert sorted(done.stdout.splitlines()) == sorted(f"{port} {peer}" for port, peer in zip(ports, peers, strict=True))
    assert "SG_PEER_URL is not heeded" in done.stderr


def test_help_and_version_say_something(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in (
        (["serve", "--help"], ["--audio-port", "--video-port", "--host", "default: 8000", "SG_", "Ctrl-C"]),
        (["--version"], ["silver-guardian ", "audio-analyzer ", "video-analyzer "]),
    ):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 0
        out = capsys.readouterr().out
        assert [word for word in words if word not in out] == []


@pytest.mark.parametrize("port", ["x", "-1", "65536"])
def test_an_impossible_port_is_wrong_usage(port: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["serve", f"--audio-port={port}"])
    assert stop.value.code == 2
