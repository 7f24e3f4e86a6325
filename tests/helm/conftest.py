"""The chart's tests run in .venv-infra (`make test-helm`) with helm, kubectl and promtool on PATH."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("helm", "kubectl", "promtool", "terraform")

# The services' environment has no validator of manifests; `make test-helm` collects these tests.
if importlib.util.find_spec("kubernetes_validate") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    from tests.helm.fake_cluster import FakeCluster
    from tests.terraform.conftest import emulator  # noqa: F401 - a fixture


@pytest.fixture(scope="session", autouse=True)
def tools() -> None:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    assert not missing, f"not on PATH: {', '.join(missing)}; run `make test-helm`"


@pytest.fixture(scope="session")
def ask_services() -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
    """Asks the services, in their own environment, about settings and metrics."""

    def ask(pods: list[dict[str, Any]]) -> dict[str, Any]:
        python = ROOT / ".venv/bin/python"
        assert python.exists(), "no .venv; run `make setup`"
        command = [python, ROOT / "tests/helm/probe_services.py"]
        done = subprocess.run(command, input=json.dumps(pods), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return ask


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    """A cluster with one general and one Spot node."""
    found = FakeCluster()
    yield found
    found.close()
