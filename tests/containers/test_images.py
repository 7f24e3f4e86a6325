"""What the images hold, and how one container of them behaves."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.containers.engine import ROOT, container, docker, image, wait_until

KINDS = ("audio", "video")
MEMORY = {"audio": "512m", "video": "1g"}
LIMIT_BYTES = 440_000_000
UNWANTED = """
import pathlib, shutil, sys
found = [name for name in ("gcc", "cc", "g++", "make") if shutil.which(name)]
packages = pathlib.Path(sys.prefix)
found += [str(path) for pattern in ("**/tests", "**/pip", "**/cv2", "**/pytest") for path in packages.glob(pattern)]
found += [str(path) for path in pathlib.Path("/app/models").glob("*.py")]
print(found)
"""


@pytest.mark.parametrize("kind", KINDS)
def test_the_image_is_small_and_plain(kind: str) -> None:
    facts = json.loads(docker("image", "inspect", image(kind)))[0]
    assert facts["Size"] <= LIMIT_BYTES
    config = facts["Config"]
    assert config["User"] not in ("", "0", "root")
    assert config["StopSignal"] == "SIGTERM"
    assert config["Entrypoint"] == ["/app/analyzer"]
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert config["Labels"]["org.opencontainers.image.title"] == f"silver-guardian {kind}-analyzer"
    assert "/work" in config["Volumes"]
    assert docker("run", "--rm", "--entrypoint", "python", image(kind), "-c", UNWANTED).strip() == "[]"


@pytest.mark.parametrize("kind", KINDS)
def test_an_ordinary_clip_fits_the_memory_and_nothing_is_left(kind: str, clip: Path) -> None:
    memory = MEMORY[kind]
    with container(kind, "--memory", memory, "--memory-swap", memory) as running:
        answer = running.analyze(clip)
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == "success", answer.text
        wait_until(lambda: running.health() == "healthy", 60)
        state = running.state()
        assert not state["State"]["OOMKilled"]
        assert state["RestartCount"] == 0
        assert running.run("sh", "-c", "find /work -type f ! -name .lock").strip() == ""
        assert running.run("id", "-u").strip() == "10001"
        assert running.run("sh", "-c", "touch /app/x 2>/dev/null || echo refused").strip() == "refused"


@pytest.mark.parametrize(("cpus", "threads"), [("1", 1), ("0.5", 1), ("2", 2)])
def test_threads_follow_the_quota(cpus: str, threads: int) -> None:
    with container("audio", "--cpus", cpus) as running:
        loaded = [line for line in running.logs() if line.get("message") == "model loaded"]
        assert loaded
        # Small models keep to one thread, however many there are.
        assert max(line["threads"] for line in loaded) == threads


def test_stopping_lets_an_analysis_finish(long_speech: Path) -> None:
    with container("audio") as running:
        answers: list[httpx.Response] = []
        thread = threading.Thread(target=lambda: answers.append(running.analyze(long_speech)))
        thread.start()
        wait_until(lambda: running.run("sh", "-c", "find /work -type f ! -name .lock").strip() != "", 30)
        started = time.monotonic()
        docker("stop", "--time", "90", running.name)
        thread.join()
        assert time.monotonic() - started < 90
        state = running.state()["State"]
        assert state["ExitCode"] == 0
        assert [answer.status_code for answer in answers] == [200]


def test_a_container_killed_for_memory_comes_back_healthy(clip: Path) -> None:
    memory = ("--memory", "512m", "--memory-swap", "512m")
    with container("audio", *memory, "--restart", "on-failure:3", "--health-interval", "2s") as running:
        hog = "open('/proc/1/oom_score_adj', 'w').write('1000'); bytearray(900 * 1024**2); import time; time.sleep(20)"
        running.run("python", "-c", hog, check=False)
        wait_until(lambda: running.state()["RestartCount"] >= 1, 60)
        wait_until(lambda: running.ready() and running.health() == "healthy", 120)
        assert running.analyze(clip).status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_another_bundle_is_a_mount(kind: str, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(ROOT / "models" / kind, bundle)
    document = json.loads((bundle / "model.json").read_text())
    (bundle / "model.json").write_text(json.dumps({**document, "version": "7.0.0"}))
    bundle.chmod(0o755)
    with container(kind, "--volume", f"{bundle}:/app/models/{kind}:ro") as running:
        assert httpx.get(f"{running.base}/ready").json()["model"]["version"] == "7.0.0"


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_bundle_nothing_starts(kind: str, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o755)
    with container(kind, "--volume", f"{empty}:/app/models/{kind}:ro", ready=False) as running:
        wait_until(lambda: running.state()["State"]["Status"] == "exited", 60)
        assert running.state()["State"]["ExitCode"] == 78
        assert any("model.json" in json.dumps(line) for line in running.logs())
