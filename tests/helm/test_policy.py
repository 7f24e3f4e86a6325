"""A policy scan of everything the chart renders. `helm test`'s short-lived pods have their own test of security."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.helm.chart import CASES, ROOT, render_text


def scan(folder: Path) -> list[str]:
    """Failed checks, with their resource."""
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "checkov"), "-d", str(folder), "--framework", "kubernetes", "-o", "json",
            "--skip-download", "--config-file", str(ROOT / "helm/checkov.yaml"),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["summary"]["passed"] > 0
    return [f"{check['check_id']} {check['resource']}" for check in report["results"]["failed_checks"]]


def test_every_kind_of_pod_passes_and_a_careless_one_does_not(tmp_path: Path) -> None:
    # The other cases render the same pods.
    for case in ("eks", "model", "security"):
        (tmp_path / f"{case}.yaml").write_text(render_text(*CASES[case], sets=("tests.enabled=false",)))
    careless = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "careless", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "x", "securityContext": {"privileged": True}}]},
    }
    (tmp_path / "careless.yaml").write_text(yaml.safe_dump(careless))
    failed = scan(tmp_path)
    assert "CKV_K8S_16 Pod.default.careless" in failed
    assert [line for line in failed if "careless" not in line] == []
