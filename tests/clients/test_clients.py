"""Clients that others generate from the API's description work, and the description does not contradict the API."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from .conftest import TEST_SERVICE

HERE = Path(__file__).parent
TOOLS = HERE.parents[1] / ".venv-clients"
REPORTS = {"audio": "AudioReport", "video": "VideoReport", TEST_SERVICE: "BytesReport"}


def call(program: str, *arguments: str | Path, folder: Path) -> str:
    """Run one of the tools; fails with what it said."""
    path = {"PATH": f"{TOOLS / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(folder), "NO_COLOR": "1"}
    ended = subprocess.run(
        [TOOLS / "bin" / program, *arguments],
        cwd=folder,
        env={**os.environ, **path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


def test_a_python_client_returns_typed_reports_and_problems(
    description: tuple[str, Path], address: str, tmp_path: Path
) -> None:
    kind, file = description
    made = tmp_path / "made_client"
    call(
        "openapi-python-client", "generate", "--path", file, "--meta", "none", "--output-path", made,
        "--fail-on-warning", folder=tmp_path,
    )  # fmt: skip
    types = "from made_client.api.default.analyze import sync\nprint(sync.__annotations__['return'])"
    returned = {name.rsplit(".", 1)[-1].strip() for name in call("python", "-c", types, folder=tmp_path).split("|")}
    assert returned == {REPORTS[kind], "Job", "Problem", "None"}
    if kind == TEST_SERVICE:
        call("python", HERE / "use_python.py", address, folder=tmp_path)


def test_a_typescript_client_has_typed_reports_and_problems(description: tuple[str, Path], tmp_path: Path) -> None:
    _, file = description
    shutil.copy(HERE / "typescript" / "use.ts", tmp_path)
    call("openapi-typescript", file, "--output", tmp_path / "schema.d.ts", folder=tmp_path)
    call("tsc", "--noEmit", "--strict", tmp_path / "use.ts", folder=tmp_path)


def test_clients_tell_both_answers_from_one(both: Path, tmp_path: Path) -> None:
    call(
        "openapi-python-client", "generate", "--path", both, "--meta", "none", "--output-path",
        tmp_path / "made_client", "--fail-on-warning", folder=tmp_path,
    )  # fmt: skip
    call("python", HERE / "use_both.py", folder=tmp_path)
    shutil.copy(HERE / "typescript" / "use_both.ts", tmp_path)
    call("openapi-typescript", both, "--output", tmp_path / "schema.d.ts", folder=tmp_path)
    call("tsc", "--noEmit", "--strict", tmp_path / "use_both.ts", folder=tmp_path)


def test_schemathesis_finds_nothing(address: str, tmp_path: Path) -> None:
    call(
        "schemathesis", "--config-file", HERE / "schemathesis.toml", "run", f"{address}/openapi.json",
        "--max-examples", "25", "--seed", "1", "--continue-on-failure", folder=tmp_path,
    )  # fmt: skip
