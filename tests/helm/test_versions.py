"""Versions that belong together are the same everywhere: helm/versions.env, the docs' table, Terraform, CRDs, tools."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from tests.helm.chart import CHART, KUBE_VERSION, ROOT, helm
from tests.helm.validate import CRDS

OPERATIONS = (ROOT / "docs/operations.md").read_text()
VERSIONS = dict(
    line.split("=", 1)
    for line in (ROOT / "helm/versions.env").read_text().splitlines()
    if line and not line.startswith("#")
)


def table() -> dict[str, str]:
    """The docs' table: what, and its version."""
    (section,) = re.findall(r"^## Versions\n(.*?)^## ", OPERATIONS, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|", section, re.MULTILINE)
    return {what.strip(): version.strip() for what, version in rows}


def minor(version: str) -> int:
    return int(version.split(".")[1])


def test_the_docs_show_them() -> None:
    shown = table()
    assert shown["Kubernetes"] == f"{VERSIONS['KUBERNETES_OLDEST']} to {VERSIONS['KUBERNETES_NEWEST']}"
    assert shown["KEDA"] == VERSIONS["KEDA_VERSION"]
    assert shown["KEDA's HTTP add-on"] == VERSIONS["KEDA_HTTP_VERSION"]
    assert shown["Cluster Autoscaler's chart"] == VERSIONS["AUTOSCALER_VERSION"]
    assert shown["Helm"] == f"{VERSIONS['HELM_OLDEST']} or later, or 4"
    assert shown["Terraform"] == f"{VERSIONS['TERRAFORM_OLDEST']} or later"
    assert shown["AWS provider"] == f"{VERSIONS['AWS_PROVIDER']} or later 5.x"


def test_commands_in_the_docs_install_them() -> None:
    assert f"--version {VERSIONS['KEDA_VERSION']} " in OPERATIONS
    assert f"--version {VERSIONS['AUTOSCALER_VERSION']} " in OPERATIONS
    known = set(VERSIONS.values())
    assert set(re.findall(r"--version (\d\S*)", OPERATIONS)) <= known


def test_the_script_installs_them() -> None:
    script = (ROOT / "deploy-ml-services.sh").read_text()
    assert "helm/versions.env" in script
    assert not re.findall(r"_VERSION=\D*\d", script), "a second place for a version"


@pytest.mark.parametrize(
    ("file", "version"),
    [
        ("keda.sh_scaledobjects.yaml", "KEDA_VERSION"),
        ("keda.sh_triggerauthentications.yaml", "KEDA_VERSION"),
        ("http.keda.sh_interceptorroutes.yaml", "KEDA_HTTP_VERSION"),
    ],
)
def test_manifests_are_validated_by_them(file: str, version: str) -> None:
    first = (CRDS / file).read_text().splitlines()[0]
    assert f" {VERSIONS[version]}. " in first


def test_terraform_makes_a_cluster_they_are_tested_on() -> None:
    terraform = {path.name: path.read_text() for path in (ROOT / "terraform").glob("*.tf")}
    (default,) = re.findall(r'"kubernetes_version" {.*?default +=  *"([\d.]+)"', terraform["variables.tf"], re.DOTALL)
    oldest, newest = minor(VERSIONS["KUBERNETES_OLDEST"]), minor(VERSIONS["KUBERNETES_NEWEST"])
    assert oldest <= minor(default) <= newest
    (tested,) = re.findall(r"contains\(\[(.*?)\], var.kubernetes_version\)", terraform["eks.tf"])
    assert tested == ", ".join(f'"1.{number}"' for number in range(oldest, newest + 1))
    assert f'required_version = ">= {VERSIONS["TERRAFORM_OLDEST"]}"' in terraform["versions.tf"]
    assert f'version = "~> {VERSIONS["AWS_PROVIDER"]}"' in terraform["versions.tf"]


def test_the_chart_is_tried_on_them() -> None:
    assert VERSIONS["KUBERNETES_NEWEST"] == KUBE_VERSION
    supported = yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"]
    assert minor(supported.removeprefix(">=")) <= minor(VERSIONS["KUBERNETES_OLDEST"])


def test_the_tools_of_these_tests_are_among_them() -> None:
    found = re.findall(r"v?(\d+)\.(\d+)", helm("version", "--short"))[0]
    oldest = tuple(int(part) for part in VERSIONS["HELM_OLDEST"].split("."))
    assert tuple(int(part) for part in found) >= oldest
    kubectl = subprocess.run(["kubectl", "version", "--client"], capture_output=True, text=True, check=True).stdout
    assert minor(re.findall(r"v(1\.\d+)", kubectl)[0]) == minor(VERSIONS["KUBERNETES_NEWEST"])
