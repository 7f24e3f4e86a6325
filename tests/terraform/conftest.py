"""Terraform against an emulator of AWS: one apply a run, started early, since it mostly waits."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TERRAFORM_RC = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "silver-guardian/terraform.rc"
REGION = "ap-northeast-2"
APPLY_SECONDS = 600

# These tests run in .venv-infra (`make test-terraform`), which holds the policy scanner, and not with the services'.
if importlib.util.find_spec("checkov") is None:
    collect_ignore_glob = ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs no applied configuration goes first, while the apply runs; destroying comes last."""

    def stage(item: pytest.Item) -> int:
        names = getattr(item, "fixturenames", ())
        return 2 if "destroyed" in names else 1 if "applied" in names else 0

    items.sort(key=stage)


@dataclass
class Terraform:
    """A copy of the configuration, in which terraform may leave its state and lock file."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> list[str]:
        return ["terraform", f"-chdir={self.folder}", *arguments]

    @property
    def variables(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_"))}
        return kept | {
            "TF_CLI_CONFIG_FILE": str(TERRAFORM_RC),
            "TF_IN_AUTOMATION": "1",
            "TF_CLI_ARGS": "-no-color",
            "CHECKPOINT_DISABLE": "1",
            **self.environment,
        }

    def run(self, *arguments: str, timeout: float = 300) -> str:
        """stdout of one terraform command; a failure fails the test with terraform's words."""
        done = subprocess.run(
            self.command(*arguments), env=self.variables, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode == 0, f"terraform {' '.join(arguments)}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        return done.stdout


def copy_of_configuration(folder: Path, **environment: str) -> Terraform:
    """The configuration in a folder of its own, initialised."""
    assert shutil.which("terraform"), "terraform is not on PATH"
    ignored = shutil.ignore_patterns(".terraform*", "*.tfstate*", "terraform.tfvars", "backend.tf", "__pycache__")
    shutil.copytree(ROOT / "terraform", folder, ignore=ignored)
    terraform = Terraform(folder, environment)
    terraform.run("init", "-input=false", "-backend=false")
    return terraform


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The configuration, without an AWS to talk to."""
    return copy_of_configuration(tmp_path_factory.mktemp("plain") / "terraform")


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an AWS emulator (moto), empty at the start of the run."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("w") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            env=os.environ | {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
            stdout=out,
            stderr=out,
        )
    try:
        deadline = time.monotonic() + 90
        while True:
            assert server.poll() is None, log.read_text()
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < deadline, "the emulator did not answer in 90 s"
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="session")
def against_emulator(emulator: str, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The configuration, ready to be applied to the emulator."""
    return copy_of_configuration(
        tmp_path_factory.mktemp("emulated") / "terraform",
        AWS_ENDPOINT_URL=emulator,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_EC2_METADATA_DISABLED="true",
        TF_VAR_local="true",
    )


@pytest.fixture(scope="session", autouse=True)
def applying(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str] | None]:
    """The apply, under way from the first test on, if any test needs it."""
    if not any("applied" in getattr(item, "fixturenames", ()) for item in request.session.items):
        yield None
        return
    terraform: Terraform = request.getfixturevalue("against_emulator")
    with (terraform.folder / "apply.log").open("w") as log:
        process = subprocess.Popen(
            terraform.command("apply", "-input=false", "-auto-approve"),
            env=terraform.variables,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )
    yield process
    if process.poll() is None:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="session")
def applied(applying: subprocess.Popen[str] | None, against_emulator: Terraform) -> Terraform:
    """The configuration, applied to the emulator."""
    assert applying is not None
    code = applying.wait(APPLY_SECONDS)
    assert code == 0, (against_emulator.folder / "apply.log").read_text()[-8000:]
    return against_emulator


@pytest.fixture(scope="session")
def outputs(applied: Terraform) -> dict[str, Any]:
    """Values of the configuration's outputs after the apply."""
    return {name: output["value"] for name, output in json.loads(applied.run("output", "-json")).items()}


@pytest.fixture(scope="session")
def aws(applied: Terraform, emulator: str) -> Any:
    """A boto3 session's client maker for the emulator: aws("sqs")."""
    import boto3  # noqa: PLC0415  (only where the emulator runs)

    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    return lambda service: session.client(service, endpoint_url=emulator)


@pytest.fixture(scope="session")
def destroyed(applied: Terraform) -> Terraform:
    """The configuration, destroyed again."""
    applied.run("destroy", "-input=false", "-auto-approve", timeout=APPLY_SECONDS)
    return applied
