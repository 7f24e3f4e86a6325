"""What the documentation tells people to do works."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from sg_common.cli import main as program

from tests.test_repository import ROOT, tracked

PAGES = [page for page in tracked("*.md") if "vendor" not in page.parts and "swagger_ui" not in page.parts]
FENCE = re.compile(r"^```(?:console|sh|bash)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
OWN = re.compile(
    r"`((?:docs|libs|services|models|training|benchmarks|helm|terraform|docker|tests|testbed|tools|samples|requirements|k8s|\.ci)"
    r"/[\w./-]*[\w/])`"
)


def identity(page: Path) -> str:
    return str(page.relative_to(ROOT))


def commands(page: Path) -> list[list[str]]:
    """What pages tell to run, without comments and prompts; lines that end with a backslash are joined."""
    found = []
    for block in FENCE.findall(page.read_text()):
        for line in block.replace("\\\n", " ").splitlines():
            try:
                found.append(shlex.split(line.removeprefix("$ "), comments=True))
            except ValueError:  # no command, but what one prints
                continue
    return [words for words in found if words]


@pytest.fixture(scope="module")
def verbs() -> set[str]:
    made = "\n".join(path.read_text() for path in tracked("Makefile", "*.mk"))
    return {verb for line in re.findall(r"^([a-z][\w -]*):(?!=)", made, re.MULTILINE) for verb in line.split()}


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_every_verb_of_make_exists(page: Path, verbs: set[str]) -> None:
    text = page.read_text()
    told = {words[1] for words in commands(page) if words[0] == "make" and len(words) > 1}
    told |= set(re.findall(r"`make ([a-z][a-z-]+)[ `]", text))
    assert told - verbs == set()


class Refused(Exception):
    """What argparse says of arguments that it does not know."""


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_every_command_of_ours_is_understood(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: argparse.ArgumentParser, message: str) -> None:
        raise Refused(message)

    monkeypatch.setattr(argparse.ArgumentParser, "error", refuse)
    monkeypatch.setattr(program, "ended", lambda *_: 0)
    refused = []
    for words in commands(page):
        place = next((n for n, word in enumerate(words) if word.split("/")[-1] == "silver-guardian"), None)
        # What a chart or an image is called after is no command of ours.
        if place is None or (place and words[0] not in {"|", "curl"} and "=" not in words[0]):
            continue
        arguments = words[place + 1 :]
        end = next((n for n, word in enumerate(arguments) if word in {"|", ">", "<", "&&", "&", "2>"}), len(arguments))
        try:
            with suppress(SystemExit):  # --help
                program.main(arguments[:end])
        except Refused as problem:
            refused.append(f"{shlex.join(words)}: {problem}")
    assert refused == []


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_every_path_exists(page: Path) -> None:
    missing = {
        path for path in OWN.findall(page.read_text()) if not (ROOT / path).exists() and "pitch_analyzer" not in path
    }
    assert missing == set()


def test_the_service_that_a_page_adds_works(tmp_path: Path) -> None:
    """Its files as the page gives them, found by their entry point as if they had been installed."""
    text = (ROOT / "docs/add-a-service.md").read_text()
    files = dict(re.findall(r"^`services/pitch_analyzer/(\S+)`:\n\n```\w+\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    package = tmp_path / "pitch_analyzer"
    package.mkdir()
    for name, content in files.items():
        if name.endswith(".py"):
            (package / Path(name).name).write_text(content)
    entry = re.search(r"(\[project\.entry-points.*?)\n\n", files["pyproject.toml"], re.DOTALL)
    assert entry is not None
    installed = tmp_path / "silver_guardian_pitch_analyzer-0.1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: silver-guardian-pitch-analyzer\nVersion: 0.1.0\n")
    (installed / "entry_points.txt").write_text(
        entry[1]
        .replace('[project.entry-points."silver_guardian.analyzers"]', "[silver_guardian.analyzers]")
        .replace('"', "")
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    listed = "from sg_common.service import installed_services as s; print(*(e.kind for e in s()))"
    kinds = subprocess.run(
        [sys.executable, "-c", listed], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    assert kinds == ["audio", "pitch", "video"]
    report = tmp_path / "report.html"
    judged = subprocess.run(
        [sys.executable, "-m", "pitch_analyzer", "analyze", "--json", "--report", report, ROOT / "samples/voice.m4a"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    answer = json.loads(judged.stdout)["pitch"]
    assert answer["status"] == "success"
    assert answer["probability"] == answer["monotony_probability"]
    assert answer["semitones"] > 0
    assert report.stat().st_size > 50_000
