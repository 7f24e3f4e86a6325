"""How make sets up `.venv`: what serving needs, the rest on top, and no ruin of what was interrupted. pip is a fake."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from testbed.running import wait_for
from tests.test_repository import ROOT, tracked

PYTHON = """#!/usr/bin/env bash
# A Python that knows venv and pip: an installation leaves a file in the environment, and takes for ever if told to.
set -eu
case "$1 $2" in
  "-m venv")
    [ "$3" = --clear ]
    rm -rf "$4" && mkdir -p "$4/bin"
    cp "$0" "$4/bin/python" ;;
  "-m pip")
    here=$(dirname "$0")/..
    echo "$*" >>installed
    touch "$here/half-written"
    while [ -e endless ]; do echo >begun; sleep 0.1; done
    [ ! -e broken ] || exit 1
    rm "$here/half-written" ;;
esac
"""
SERVING = "requirements/services.txt"
ALL = "requirements/dev.txt"


def bare() -> dict[str, str]:
    """The environment without what a make around the tests hands on."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "CI"))}


class Checkout:
    """The repository's make files, around a fake Python."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for path in tracked("Makefile", "*.mk", "tools/environment.sh", "requirements/*.txt", "*/pyproject.toml"):
            copy = root / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
        self.python = root / "python"
        self.python.write_text(PYTHON)
        self.python.chmod(0o755)

    def start(self, *verbs: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            # As at a terminal: a shell's background jobs are started with this signal ignored.
            ["env", "--default-signal=INT", "make", f"PYTHON={self.python}", *verbs],
            cwd=self.root, env=bare(), start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def make(self, *verbs: str, status: int = 0) -> list[str]:
        """Run verbs; the arguments of every pip since the last time."""
        with self.start(*verbs) as process:
            said, _ = process.communicate(timeout=60)
        assert process.returncode == status, said
        return self.installed()

    def installed(self) -> list[str]:
        log = self.root / "installed"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    def has(self, name: str) -> bool:
        return (self.root / name).exists()

    def interrupt(self, verb: str, number: int) -> None:
        """Begin a verb and end it in the midst of pip's work."""
        (self.root / "endless").touch()
        with self.start(verb) as process:
            wait_for(lambda: self.has("begun"))
            os.killpg(process.pid, number)
            process.wait(30)
        (self.root / "endless").unlink()
        (self.root / "begun").unlink()
        self.installed()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_serving_installs_its_own_lock_and_tests_add_theirs(checkout: Checkout) -> None:
    serving = checkout.make("setup-serving")
    assert SERVING in serving[0]
    assert "-e ./services/audio_analyzer" in serving[1]
    assert not any(ALL in line for line in serving)
    assert checkout.make("setup-serving") == [], "a second run skips what is done"
    added = checkout.make("setup")
    assert len(added) == 1
    assert ALL in added[0]
    assert checkout.make("setup", "setup-serving") == []


def test_the_verbs_that_people_begin_with_take_no_more_than_serving_needs() -> None:
    for verb in ("run", "analyze"):
        planned = subprocess.run(
            ["make", "--dry-run", "--always-make", verb, "FILE=clip.mp4"],
            cwd=ROOT, env=bare(), capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert SERVING in planned
        assert ALL not in planned


def test_a_new_lock_is_installed_again(checkout: Checkout) -> None:
    checkout.make("setup")
    os.utime(checkout.root / SERVING)
    assert SERVING in checkout.make("setup-serving")[0]
    assert ALL in checkout.make("setup")[0], "the rest follows when it is asked for"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_set_up_mends_itself(checkout: Checkout, number: int) -> None:
    checkout.interrupt("setup-serving", number)
    assert checkout.has(".venv/half-written")
    assert SERVING in checkout.make("setup-serving")[0]
    assert not checkout.has(".venv/half-written")


def test_an_interrupted_addition_is_not_served_from(checkout: Checkout) -> None:
    checkout.make("setup-serving")
    checkout.interrupt("setup", signal.SIGINT)
    assert checkout.has(".venv/half-written")
    again = checkout.make("setup-serving")
    assert SERVING in again[0]
    assert not checkout.has(".venv/half-written")


def test_a_failed_set_up_begins_anew(checkout: Checkout) -> None:
    (checkout.root / "broken").touch()
    checkout.make("setup-serving", status=2)
    (checkout.root / "broken").unlink()
    assert SERVING in checkout.make("setup-serving")[0]
    assert not checkout.has(".venv/half-written")


def test_a_missing_python_is_one_sentence(checkout: Checkout) -> None:
    checkout.python.unlink()
    with checkout.start("setup-serving") as process:
        said, _ = process.communicate(timeout=60)
    assert said.startswith(f"Python 3.11 is needed as '{checkout.python}'")


def test_the_rest_is_added_without_another_version() -> None:
    def pins(lock: str) -> set[str]:
        return set(re.findall(r"^([a-z0-9][^\s=]*==\S+)", (ROOT / lock).read_text(), re.MULTILINE))

    assert pins(SERVING) | pins("requirements/build.txt") <= pins(ALL)
