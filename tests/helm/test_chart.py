"""The chart as a whole: it lints, packages, renders for every case, and every Kubernetes accepts what it renders."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helm import validate
from tests.helm.chart import CASES, CHART, NAMESPACE, ROOT, SERVICES, ChartRefused, helm, parse, render, render_text


@pytest.mark.parametrize("case", CASES)
def test_lints(case: str) -> None:
    values = [argument for path in CASES[case] for argument in ("-f", str(path))]
    helm("lint", "--strict", str(CHART), "--kube-version", "1.29", *values)


@pytest.mark.parametrize("version", validate.versions())
def test_every_case_is_valid_on(version: str) -> None:
    wrong = [f"{case}: {error}" for case in CASES for item in render(case) for error in validate.errors(item, version)]
    assert wrong == []


def test_rendering_does_not_depend_on_the_version() -> None:
    assert render("monitoring", version="1.29") == render("monitoring", version="1.37")


def test_an_older_kubernetes_is_refused() -> None:
    with pytest.raises(ChartRefused, match=r"1\.28"):
        render("defaults", version="1.28")


@pytest.mark.parametrize(
    "broken",
    [
        lambda item: item["spec"].update(replica=1),
        lambda item: item["spec"]["template"]["spec"]["containers"][0]["readinessProbe"].update(path="/ready"),
        lambda item: item["spec"].update(minReadySeconds="5"),
    ],
)
def test_the_validator_is_strict(broken: Any) -> None:
    item = json.loads(json.dumps(render().of("Deployment")[0]))
    broken(item)
    assert validate.errors(item, "1.35") != []


def test_the_validator_is_strict_with_custom_kinds() -> None:
    item = json.loads(json.dumps(render("keda-sqs").of("ScaledObject")[0]))
    item["spec"]["minReplicas"] = 0
    assert validate.errors(item, "1.35") != []
    assert (
        validate.errors({"apiVersion": "keda.sh/v2", "kind": "ScaledObject", "metadata": {"name": "x"}}, "1.35") != []
    )


def test_packages(tmp_path: Path) -> None:
    helm("package", str(CHART), "-d", str(tmp_path))
    (package,) = tmp_path.glob("silver-guardian-*.tgz")
    with tarfile.open(package) as archive:
        names = {name.removeprefix("silver-guardian/") for name in archive.getnames()}
    assert {"values.schema.json", "values-eks.yaml", "dashboards/overview.json", "files/samples/face.mp4"} <= names
    assert not any(name.startswith("ci/") for name in names)
    assert parse(render_text(chart=package)) == render()


def test_notes_are_read_by_people() -> None:
    notes = {
        case: helm("install", "x", str(CHART), "-n", NAMESPACE, "--dry-run=client", *(["-f", str(CASES[case][0])]))
        for case in ("eks", "keda-http", "keda-sqs")
    }
    assert "WARNING: aws.accountId is the placeholder" in notes["eks"]
    assert "WARNING" not in notes["keda-sqs"]
    assert (
        "Host: audio.silver-guardian.internal to http://keda-add-ons-http-interceptor-proxy.keda:8080"
        in notes["keda-http"]
    )
    assert "0-5 workers by depth of https://sqs.ap-northeast-2.amazonaws.com/123456789012/audio" in notes["keda-sqs"]


# --- values and their schema ---

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


def _paths(schema: dict[str, Any], values: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Every value with its schema; free maps and lists end a path."""
    for key, value in values.items():
        properties = schema.get("properties", {})
        inner = properties.get(key, schema.get("additionalProperties"))
        here = f"{path}.{key}".lstrip(".")
        yield here, inner, value
        if isinstance(value, dict) and isinstance(inner, dict) and ("properties" in inner or here == "services"):
            yield from _paths(inner, value, here)


def test_every_value_has_a_schema_with_a_description() -> None:
    without = [
        path
        for path, schema, _ in _paths(SCHEMA, VALUES)
        if not isinstance(schema, dict) or not schema.get("description")
    ]
    quantities = ("requests", "limits", "cpu", "memory", "ephemeral-storage")
    assert [path for path in without if path.rsplit(".", 1)[-1] not in quantities] == []


def test_every_object_of_the_schema_is_closed_and_shown_in_values() -> None:
    def walk(schema: dict[str, Any], values: dict[str, Any], path: str) -> Iterator[str]:
        if "properties" not in schema:
            return
        if schema.get("additionalProperties") is not False:
            yield f"{path} is open"
        for key, inner in schema["properties"].items():
            if key not in values:
                yield f"{path}.{key} is not in values.yaml"
            elif isinstance(values[key], dict):
                yield from walk(inner, values[key], f"{path}.{key}")

    schema = {**SCHEMA, "properties": {k: v for k, v in SCHEMA["properties"].items() if k != "global"}}
    found = list(walk(schema, VALUES, ""))
    for service in SERVICES:
        found += walk(SCHEMA["properties"]["services"]["additionalProperties"], VALUES["services"][service], service)
    assert found == []


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"htp": {"replicas": 1}}, "htp"),
        ({"services": {"audio-analyzer": {"replicas": 1}}}, "replicas"),
        ({"http": {"replicas": -1}}, "replicas"),
        ({"http": {"replicas": "two"}}, "replicas"),
        ({"image": {"tag": "latest"}}, "tag"),
        ({"aws": {"accountId": 123}}, "accountId"),
        ({"autoscaling": {"modes": ["keda"]}}, "modes"),
        ({"services": {"audio-analyzer": {"model": {"source": "http"}}}}, "source"),
        ({"services": {"Audio": VALUES["services"]["audio-analyzer"]}}, "Audio"),
        ({"networkPolicy": {"egressCidrs": ["amazonaws.com"]}}, "egressCidrs"),
        ({"monitoring": {"prometheusRule": {"errorRate": 5}}}, "errorRate"),
    ],
)
def test_wrong_values_are_refused_by_name(values: dict[str, Any], names: str) -> None:
    with pytest.raises(ChartRefused, match=names):
        render_text(given=values)


# --- plain manifests ---


def test_plain_manifests_are_current(tmp_path: Path) -> None:
    folder = ROOT / "k8s" / "ml-services"
    (tmp_path / "values.yaml").write_text((folder / "values.yaml").read_text())
    subprocess.run([sys.executable, ROOT / "helm/tools/render_manifests.py", tmp_path], check=True, capture_output=True)
    for name in ("audio-analyzer.yaml", "video-analyzer.yaml"):
        assert (tmp_path / name).read_text() == (folder / name).read_text(), "run `make manifests`"


@pytest.mark.parametrize("service", SERVICES)
def test_a_plain_manifest_stands_alone(service: str) -> None:
    items = parse((ROOT / "k8s/ml-services" / f"{service}.yaml").read_text())
    assert [error for item in items for error in validate.errors(item, "1.35")] == []
    kinds = [item["kind"] for item in items]
    assert kinds == ["Namespace", "ServiceAccount", "NetworkPolicy", "Service", "Deployment", "PodDisruptionBudget"]
    namespace = items.of("Namespace")[0]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {item["metadata"].get("namespace", NAMESPACE) for item in items} == {NAMESPACE}
    assert items.one("Deployment", service)["spec"]["replicas"] == 1
