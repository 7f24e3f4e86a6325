"""What holds of the configuration before anything is applied."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.terraform.conftest import ROOT, Terraform

CONFIGURATION = ROOT / "terraform"
ROOT_FILES = sorted(CONFIGURATION.glob("*.tf"))
SUBJECTS = ["versions", "providers", "variables", "outputs", "vpc", "eks", "ecr", "s3", "queue", "alarms", "iam"]


def blocks(kind: str, files: list[Path]) -> dict[str, str]:
    """The bodies of top-level blocks, such as variable "region" {…}, by name."""
    pattern = re.compile(rf'^{kind} "([^"]+)" {{\n(.*?)^}}', re.MULTILINE | re.DOTALL)
    return {name: body for path in files for name, body in pattern.findall(path.read_text())}


def test_terraform_test_passes(terraform: Terraform) -> None:
    closing = terraform.run("test", timeout=3000).strip().splitlines()[-1]
    print(closing)
    match = re.match(r"Success! (\d+) passed, 0 failed", closing)
    assert match is not None
    assert int(match.group(1)) >= 50


FLOOR = """
mock_provider "aws" {
  source = "./tests/mocks"
}

run "created" {
  command = apply
}

run "floor" {
  command = plan

  variables {
    ml_spot_min_size = 1
  }
}
"""


def test_a_floor_above_the_nodes_there_is_refused_before_anything_is_done(terraform: Terraform) -> None:
    """EKS refuses it in the middle of an apply. `expect_failures` knows no conditions of a module: hence from here."""
    file = terraform.folder / "tests/floor.tftest.hcl"
    file.write_text(FLOOR)
    try:
        done = subprocess.run(
            terraform.command("test", "-filter=tests/floor.tftest.hcl"),
            env=terraform.variables, capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        file.unlink()
    said = " ".join((done.stdout + done.stderr).replace("│", " ").split())
    assert 'run "created"... pass' in said
    assert 'run "floor"... fail' in said
    assert "First: aws eks update-nodegroup-config --cluster-name silver-guardian-cluster" in said
    assert "--scaling-config minSize=1,desiredSize=1 and then plan again" in said


def test_policy_scan_finds_nothing() -> None:
    scan = subprocess.run(
        [sys.executable, "-m", "checkov.main", "-d", str(CONFIGURATION), "--framework", "terraform", "--skip-download",
         "--compact", "--quiet", "--output", "json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    report = json.loads(scan.stdout)
    failed = [f"{c['check_id']} {c['resource']}: {c['check_name']}" for c in report["results"]["failed_checks"]]
    assert not failed, "\n".join(failed)
    assert report["summary"]["passed"] > 150


def test_every_exception_to_the_scan_says_why() -> None:
    for path in CONFIGURATION.rglob("*.tf"):
        for line in path.read_text().splitlines():
            if "checkov:skip" in line:
                assert re.search(r"checkov:skip=CKV2?_AWS_\d+: ?\S+( \S+){4,}", line), f"{path.name}: {line.strip()}"


def test_no_check_is_left_out_elsewhere() -> None:
    assert not list(CONFIGURATION.rglob(".checkov*"))
    assert "--skip-check" not in (CONFIGURATION / "terraform.mk").read_text()


@pytest.mark.parametrize("subject", SUBJECTS)
def test_each_subject_has_its_file(subject: str) -> None:
    assert (CONFIGURATION / f"{subject}.tf").is_file()


@pytest.mark.parametrize("name", sorted(blocks("variable", ROOT_FILES)))
def test_every_variable_has_type_description_and_default(name: str) -> None:
    body = blocks("variable", ROOT_FILES)[name]
    for attribute in ("type", "description", "default"):
        assert re.search(rf"^  {attribute} +=", body, re.MULTILINE), attribute
    if not re.search(r"^  type += bool$", body, re.MULTILINE):
        assert "validation {" in body, "a value that is not a switch can be wrong: validate it"


@pytest.mark.parametrize("name", sorted(blocks("variable", ROOT_FILES)))
def test_every_validation_has_a_run_that_fails_by_it(name: str) -> None:
    body = blocks("variable", ROOT_FILES)[name]
    if "validation {" in body:
        assert f"var.{name}," in (inputs := (CONFIGURATION / "tests/inputs.tftest.hcl").read_text()) or (
            f"[var.{name}]" in inputs
        )


def test_every_output_has_a_description() -> None:
    for name, body in blocks("output", ROOT_FILES).items():
        assert re.search(r"^  description +=", body, re.MULTILINE), name


def test_lock_file_and_state_are_not_committed() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "terraform"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert not [path for path in tracked if re.search(r"\.lock\.hcl|tfstate|\.tfplan|terraform\.tfvars$", path)]


def test_only_the_aws_provider_is_needed() -> None:
    sources = {
        source
        for path in CONFIGURATION.rglob("*.tf")
        for source in re.findall(r'source += "(\w+/\w+)"', path.read_text())
    }
    assert sources == {"hashicorp/aws"}
