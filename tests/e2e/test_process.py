"""A service's process: how it starts, ends and is killed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from testbed.processes import decoders, family, is_running
from testbed.running import wait_for
from tests.e2e.conftest import ROOT, free_port, start, stop


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_sigterm_lets_work_in_flight_finish(kind: str, clip: Path, tmp_path: Path) -> None:
    running = start(kind, tmp_path / "work", SG_DRAIN_SECONDS="0.5")
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(running.analyze(clip).status_code))
    thread.start()
    wait_for(lambda: bool(running.work_files()))
    assert stop(running) == 0
    thread.join()
    assert answers == [200]
    assert list(running.work.iterdir()) == []


def test_a_kill_leaves_no_decoder_and_the_successor_no_file(clip: Path, tmp_path: Path) -> None:
    running = start("video", tmp_path / "work")

    def cut_off() -> None:
        with contextlib.suppress(httpx.TransportError):
            running.analyze(clip)

    thread = threading.Thread(target=cut_off)
    thread.start()
    wait_for(lambda: bool(decoders(running.process.pid)))
    processes = family(running.process.pid)
    running.process.kill()
    running.process.wait()
    thread.join()
    wait_for(lambda: not any(is_running(process) for process in processes))
    assert running.work_files()
    successor = start("video", running.work)
    assert successor.work_files() == []
    assert stop(successor) == 0


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_an_altered_model_is_refused_at_start(kind: str, tmp_path: Path) -> None:
    bundle = shutil.copytree(ROOT / "models" / kind, tmp_path / "bundle")
    for graph in bundle.glob("*.onnx"):
        graph.write_bytes(graph.read_bytes()[:-1] + b"\0")
    environment = {**os.environ, "SG_MODEL_DIR": str(bundle), "SG_PORT": "0", "SG_WORK_DIR": str(tmp_path / "work")}
    ended = subprocess.run(
        [sys.executable, "-m", f"{kind}_analyzer", "serve"],
        env=environment, cwd=ROOT, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 78
    assert b"SHA-256" in ended.stderr
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_check_tells_what_runs(kind: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", f"{kind}_analyzer", "check"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "answers its golden input" in ended.stdout


def test_an_impossible_setting_is_named() -> None:
    environment = {**os.environ, "SG_PORT": "many"}
    command = [sys.executable, "-m", "audio_analyzer", "serve"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 78
    assert "SG_PORT" in ended.stderr


def test_the_command_line_judges_a_clip_with_both(clip: Path, tmp_path: Path) -> None:
    def analyze(path: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("silver-guardian")), "analyze", path]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    ended = analyze(str(clip))
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0] == str(clip)
    assert [line.split(":")[0] for line in lines if re.match("  [a-z]", line)] == ["  audio", "  video"]
    assert analyze("nowhere.mp4").returncode == 2


def test_serve_runs_both_and_ends_both(tmp_path: Path) -> None:
    ports = {kind: str(free_port()) for kind in ("audio", "video")}
    told = [argument for kind, port in ports.items() for argument in (f"--{kind}-port", port)]
    command = [str(Path(sys.executable).with_name("silver-guardian")), "serve", *told]
    environment = {**os.environ, "SG_DRAIN_SECONDS": "0"}
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, env=environment) as process:
        try:
            assert process.stderr is not None
            waiting = [f"{kind}-analyzer: serving on http://localhost:{port} ".encode() for kind, port in ports.items()]
            while waiting:
                line = process.stderr.readline()
                assert line, "serve ended early"
                assert b'"status": 503' not in line, "asking whether it is ready fills its log"
                waiting = [start for start in waiting if not line.startswith(start)]
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
