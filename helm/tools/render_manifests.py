"""Render the chart into one plain manifest for each service: python helm/tools/render_manifests.py FOLDER.

FOLDER/values.yaml holds the values. Needs helm on PATH, and PyYAML.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "silver-guardian"
NAMESPACE = "silver-guardian"
KUBE_VERSION = "1.35"
ORDER = ("Namespace", "ServiceAccount", "NetworkPolicy", "Service", "Deployment", "PodDisruptionBudget")
HEADER = """\
# {service} on EKS without Helm. Made from the chart by `make manifests`; change helm/silver-guardian instead.
# Put your account in place of 000000000000, and the tag of your images in place of {version}:
#   sed 's/000000000000/123456789012/; s/:{version}/:TAG/' {service}.yaml | kubectl apply -f -
"""


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key, as people write them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def render(values: Path) -> list[dict[str, Any]]:
    command = [
        "helm",
        "template",
        NAMESPACE,
        str(CHART),
        "-n",
        NAMESPACE,
        "-f",
        str(values),
        "--kube-version",
        KUBE_VERSION,
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [item for item in yaml.safe_load_all(text) if item]


def manifests(items: list[dict[str, Any]]) -> dict[str, str]:
    """File name to text. The Namespace is in each, so that either file can be applied alone."""
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    files = {}
    for service in (item["metadata"]["name"] for item in items if item["kind"] == "Deployment"):
        own = [
            item
            for item in items
            if item["kind"] == "Namespace" or item["metadata"]["labels"].get("app.kubernetes.io/name") == service
        ]
        own.sort(key=lambda item: ORDER.index(item["kind"]))
        for item in own:
            strip_helm(item)
        body = yaml.dump_all(own, Dumper=_Dumper, sort_keys=False, width=120, explicit_start=True)
        files[f"{service}.yaml"] = HEADER.format(service=service, version=version) + body
    return files


def strip_helm(item: Any) -> None:
    """Without labels that say helm owns the object."""
    if isinstance(item, dict):
        labels = item.get("labels")
        if isinstance(labels, dict):
            labels.pop("helm.sh/chart", None)
            labels.pop("app.kubernetes.io/managed-by", None)
        for value in item.values():
            strip_helm(value)
    elif isinstance(item, list):
        for value in item:
            strip_helm(value)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, text in manifests(render(folder / "values.yaml")).items():
        (folder / name).write_text(text)
        print(f"{folder / name}")
