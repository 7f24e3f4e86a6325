"""Strict validation of manifests, as an API server with fieldValidation=Strict would do it.

Kubernetes' own kinds go through kubernetes-validate; custom kinds through the schema of their definition in `crds/`
(KEDA and its HTTP add-on as in helm/versions.env, the Prometheus operator 0.82.2). A kind that neither knows is an
error.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import kubernetes_validate  # type: ignore[import-untyped]
import yaml
from referencing import Registry, Resource

CRDS = Path(__file__).parent / "crds"
OLDEST = 29


def versions() -> list[str]:
    """The Kubernetes versions from 1.29 to the newest that the validator knows."""
    newest = int(kubernetes_validate.latest_version().split(".")[1])
    return [f"1.{minor}" for minor in range(OLDEST, newest + 1)]


def _strict(schema: Any) -> Any:
    """A structural schema as JSON Schema that knows no other fields than it names."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-")}
    for key in ("items", "additionalProperties", "not"):
        if isinstance(out.get(key), dict):
            out[key] = _strict(out[key])
    if "properties" in out:
        out["properties"] = {name: _strict(value) for name, value in out["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            out.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        out.pop("type", None)
        out["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    return out


@cache
def _custom() -> dict[tuple[str, str], jsonschema.Draft7Validator]:
    found = {}
    for path in sorted(CRDS.glob("*.yaml")):
        definition = yaml.safe_load(path.read_text())["spec"]
        for version in definition["versions"]:
            schema = _strict(version["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"type": "object"}
            key = (f"{definition['group']}/{version['name']}", definition["names"]["kind"])
            found[key] = jsonschema.Draft7Validator(schema)
    return found


def errors(item: dict[str, Any], version: str) -> list[str]:
    """What an API server of the version would refuse in an object."""
    who = f"{item.get('kind')}/{item.get('metadata', {}).get('name')}"
    custom = _custom().get((str(item.get("apiVersion")), str(item.get("kind"))))
    if custom is not None:
        return [f"{who}: {'.'.join(map(str, e.absolute_path))}: {e.message[:300]}" for e in custom.iter_errors(item)]
    try:
        built_in = _built_in(version, str(item["kind"]).lower(), str(item["apiVersion"]))
    except FileNotFoundError:
        return [f"{who}: no schema for {item.get('apiVersion')} {item.get('kind')}"]
    return [f"{who}: {'.'.join(map(str, e.absolute_path))}: {e.message[:300]}" for e in built_in.iter_errors(item)]


@cache
def _definitions(version: str) -> Registry[Any]:
    contents = kubernetes_validate.utils.schema_contents(f"{_folder(version)}/_definitions.json", version)
    return Resource.from_contents(contents) @ Registry()


def _folder(version: str) -> str:
    return f"kubernetes-json-schema/v{version}.0-local-strict"


@cache
def _built_in(version: str, kind: str, api: str) -> jsonschema.Draft202012Validator:
    """kubernetes-validate's own steps, kept: it reads a megabyte of definitions for each object."""
    group, _, number = api.rpartition("/")
    name = f"{kind}-{group.split('.')[0]}-{number}" if group else f"{kind}-{number}"
    schema = kubernetes_validate.utils.schema_contents(f"{_folder(version)}/{name}.json", version)
    return jsonschema.Draft202012Validator(schema, registry=_definitions(version))
