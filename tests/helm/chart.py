"""Renders the chart with the real helm, and looks things up in what comes out."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "silver-guardian"
EKS = CHART / "values-eks.yaml"
NAMESPACE = RELEASE = "silver-guardian"
SERVICES = {"audio-analyzer": 8000, "video-analyzer": 8001}
KUBE_VERSION = "1.35"
CASES: dict[str, tuple[Path, ...]] = {
    "defaults": (),
    "eks": (EKS,),
    **{path.name.removesuffix("-values.yaml"): (path,) for path in sorted((CHART / "ci").glob("*-values.yaml"))},
}
# Those of an Ingress are what the chart's own files leave open.
for _case in ("ingress-alb", "ingress-nginx"):
    CASES[_case] = (CHART / f"values-{_case}.yaml", *CASES[_case])

Object = dict[str, Any]


class ChartRefused(Exception):
    """helm would not render; the message is helm's."""


class Manifests(list[Object]):
    """Rendered objects. Not to be changed: renderings are shared."""

    def of(self, kind: str) -> list[Object]:
        return [item for item in self if item["kind"] == kind]

    def one(self, kind: str, name: str) -> Object:
        (found,) = (item for item in self.of(kind) if item["metadata"]["name"] == name)
        return found

    def names(self, kind: str) -> set[str]:
        return {item["metadata"]["name"] for item in self.of(kind)}

    def pods(self) -> dict[str, Object]:
        """Pod templates (metadata and spec) of Deployments and test pods, by the owner's name."""
        templates = {item["metadata"]["name"]: item["spec"]["template"] for item in self.of("Deployment")}
        return templates | {item["metadata"]["name"]: item for item in self.of("Pod")}


def helm(*arguments: str) -> str:
    done = subprocess.run(["helm", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ChartRefused(done.stderr.strip())
    return done.stdout


def render_text(
    *values: Path,
    sets: tuple[str, ...] = (),
    version: str = KUBE_VERSION,
    given: Object | None = None,
    chart: Path = CHART,
) -> str:
    """YAML as `helm template` prints it."""
    arguments = ["template", RELEASE, str(chart), "-n", NAMESPACE, "--kube-version", version]
    for path in values:
        arguments += ["-f", str(path)]
    for assignment in sets:
        arguments += ["--set", assignment]
    if given is not None:
        read, write = os.pipe()
        os.write(write, json.dumps(given).encode())
        os.close(write)
        done = subprocess.run(
            ["helm", *arguments, "-f", f"/dev/fd/{read}"], capture_output=True, text=True, pass_fds=(read,), check=False
        )
        os.close(read)
        if done.returncode != 0:
            raise ChartRefused(done.stderr.strip())
        return done.stdout
    return helm(*arguments)


@cache
def render(case: str = "defaults", *sets: str, version: str = KUBE_VERSION) -> Manifests:
    """The chart with the values of a case, and further ones as --set has them."""
    return parse(render_text(*CASES[case], sets=sets, version=version))


def parse(text: str) -> Manifests:
    return Manifests(item for item in yaml.load_all(text, Loader=yaml.CSafeLoader) if item)


def container(pod: Object) -> Object:
    """The container that runs the service, wherever in the pod it is."""
    spec = pod["spec"]
    (found,) = (c for c in spec["containers"] + spec.get("initContainers", []) if c["name"] in SERVICES)
    return dict(found)


def environment(pod: Object) -> dict[str, str]:
    """The container's variables; those from a Secret are left out."""
    return {item["name"]: item["value"] for item in container(pod)["env"] if "value" in item}


_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "m": 1e-3, "": 1}


def quantity(text: str | float) -> float:
    """A Kubernetes quantity as a number: cores or bytes."""
    number = str(text)
    for unit, factor in _UNITS.items():
        if unit and number.endswith(unit):
            return float(number.removesuffix(unit)) * factor
    return float(number)
