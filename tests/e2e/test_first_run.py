"""What README tells a new user to type, and packages outside the checkout."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import ROOT, Running

CONSOLES = re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
COMMANDS = [line.removeprefix("$ ") for console in CONSOLES for line in console.splitlines() if line.startswith("$ ")]
PORTS = {8000: "audio", 8001: "video"}


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("curl ")])
def test_requests_work_as_pasted(command: str, request: pytest.FixtureRequest) -> None:
    program, option, form, url = shlex.split(command)
    assert (program, option, form[:6]) == ("curl", "-F", "file=@")
    address = urlsplit(url)
    assert address.port is not None
    running: Running = request.getfixturevalue(PORTS[address.port])
    assert address.path == "/analyze"
    assert running.analyze(ROOT / form[6:]).status_code == 200


def test_there_are_requests_for_both_services() -> None:
    assert {port for port in PORTS if any(f":{port}/" in command for command in COMMANDS)} == set(PORTS)


def test_the_clone_leaves_the_long_history_behind() -> None:
    assert [command for command in COMMANDS if command.startswith("git clone --depth 1 ")]


def test_the_command_line_says_what_readme_shows() -> None:
    """Words, not numbers: those may differ a little between types of CPU. `- …` stands for further reasons."""
    console = next(console for console in CONSOLES if "make analyze" in console)
    command, *shown = console.splitlines()
    name = command.split("FILE=")[1]
    ended = subprocess.run(
        [Path(sys.executable).with_name("silver-guardian"), "analyze", name],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [re.escape(re.sub(r"\d+", "N", line)).replace("…", ".*(?:\n +- .*)*") for line in shown]
    assert re.fullmatch("\n".join(lines) + "\n", re.sub(r"\d+", "N", ended.stdout))


def test_a_taken_port_is_one_sentence_before_any_service_starts(audio: Running) -> None:
    taken = audio.base.rpartition(":")[2]
    ended = subprocess.run(
        [Path(sys.executable).with_name("silver-guardian"), "serve", "--audio-port", taken, "--video-port", "0"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 78
    assert re.fullmatch(
        r"silver-guardian: --host, --audio-port: cannot listen on .* \(Address already in use\)\n", ended.stderr
    )


def test_packages_without_models_say_what_to_set(tmp_path: Path) -> None:
    projects = [ROOT / "libs/common", ROOT / "services/audio_analyzer", ROOT / "services/video_analyzer"]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    alone = ["--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "wheel", *alone, "-w", tmp_path / "wheels", *projects], check=True)
    wheels = (tmp_path / "wheels").glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", tmp_path / "lib" / "site", *wheels], check=True)

    def analyze(**environment: str) -> subprocess.CompletedProcess[str]:
        code = "import sys; from sg_common.cli.main import main; sys.exit(main())"
        return subprocess.run(
            [sys.executable, "-c", code, "analyze", "--lang", "ko", ROOT / "samples/voice.m4a"],
            env={**os.environ, "PYTHONPATH": str(tmp_path / "lib" / "site"), **environment},
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip

    lost = analyze()
    assert (lost.returncode, lost.stdout) == (78, "")
    assert lost.stderr.startswith(
        f"silver-guardian: SG_MODELS_ROOT: {tmp_path}/models has no bundle 'audio'; set it to"
    )
    assert len(lost.stderr.splitlines()) == 1
    found = analyze(SG_MODELS_ROOT=str(ROOT / "models"))
    assert found.returncode == 0, found.stderr
    assert "들리는 음성" in found.stdout, "the packages bring their translations along"
