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
    from tests.helm.deployment import SECONDS, Checkout, chart_repository, make_checkout
    from tests.helm.fake_cluster import FakeCluster
    from tests.terraform.conftest import emulator  # noqa: F401 - a fixture


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs the deployment goes last: it runs meanwhile."""
    items.sort(key=lambda item: ("deployed" in getattr(item, "fixturenames", ()), "removal" in item.name))


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


@pytest.fixture(scope="session")
def live_cluster() -> Iterator[FakeCluster]:
    """The cluster that the deployment of this run goes to."""
    found = FakeCluster()
    yield found
    found.close()


@pytest.fixture(scope="session")
def checkout(
    tmp_path_factory: pytest.TempPathFactory,
    live_cluster: FakeCluster,
    emulator: str,
) -> Iterator[Checkout]:
    folder = tmp_path_factory.mktemp("deployment")
    with chart_repository(folder) as repository:
        yield make_checkout(folder, live_cluster, repository, emulator)


@pytest.fixture(scope="session", autouse=True)
def deploying(request: pytest.FixtureRequest, tools: None) -> Iterator[tuple[subprocess.Popen[str], Path] | None]:
    """The whole deployment, under way from the first test on, if any test needs it."""
    if not any("deployed" in getattr(item, "fixturenames", ()) for item in request.session.items):
        yield None
        return
    checkout: Checkout = request.getfixturevalue("checkout")
    log = checkout.folder.parent / "deploy.log"
    process = checkout.start("--yes", "--http", log=log)
    yield process, log
    if process.poll() is None:
        process.terminate()
        process.wait(60)


class Deployed:
    """The checkout after its first deployment: what the script said, and what it called."""

    def __init__(self, checkout: Checkout, log: str) -> None:
        self.checkout = checkout
        self.log = log
        self.calls = checkout.calls()
        (self.tag,) = {call.rsplit(":", 1)[1] for call in self.calls if call.startswith("docker push")}


@pytest.fixture(scope="session")
def deployed(deploying: tuple[subprocess.Popen[str], Path] | None, checkout: Checkout) -> Deployed:
    assert deploying is not None
    process, log = deploying
    code = process.wait(SECONDS)
    assert code == 0, log.read_text()[-8000:]
    return Deployed(checkout, log.read_text())
