"""Remake the definitions of KEDA's kinds that manifests are validated by: python -m tests.helm.make_crds WHEEL

WHEEL is cloudcoil-models-keda of PyPI, KEDA's kinds as Python classes (`pip download --no-deps
--ignore-requires-python cloudcoil-models-keda==2.20.2.1`). The classes are read, not run: they want a newer Python.
"""

from __future__ import annotations

import ast
import sys
import zipfile
from pathlib import Path
from typing import Any

import yaml

CRDS = Path(__file__).parent / "crds"
SOURCE = "cloudcoil/models/keda/v1alpha1.py"
KINDS = {"ScaledObject": "scaledobjects", "TriggerAuthentication": "triggerauthentications"}
SCALARS = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "AwareDatetime": "string"}
LIMITS = {
    "ge": "minimum", "le": "maximum", "min_length": "minLength", "max_length": "maxLength", "pattern": "pattern",
}  # fmt: skip

Schema = dict[str, Any]


class Models:
    """The classes of the package, by name."""

    def __init__(self, source: str) -> None:
        self.classes = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}

    def schema(self, name: str) -> Schema:
        """A class as the schema of an object; a root model as its root's schema."""
        properties: Schema = {}
        required = []
        for field in self.classes[name].body:
            if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
                continue
            if "ClassVar" in ast.unparse(field.annotation):
                continue
            annotation, alias, limits = self._annotated(field.annotation, field.target.id)
            inner = self._type(annotation)
            key = {"array": {"minLength": "minItems", "maxLength": "maxItems"}}.get(inner.get("type", ""), {})
            inner |= {key.get(limit, limit): value for limit, value in limits.items()}
            if field.target.id == "root":
                return inner
            properties[alias] = inner
            if field.value is None:
                required.append(alias)
        found: Schema = {"type": "object", "properties": properties}
        return found | ({"required": sorted(required)} if required else {})

    def _annotated(self, node: ast.expr, name: str) -> tuple[ast.expr, str, Schema]:
        """The type in Annotated[type, Field(alias=…, ge=…)], the field's JSON name, and its limits."""
        if not (isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Annotated"):
            return node, name, {}
        assert isinstance(node.slice, ast.Tuple)
        inner, call = node.slice.elts
        assert isinstance(call, ast.Call)
        given = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg}
        limits = {LIMITS[key]: value for key, value in given.items() if key in LIMITS}
        return inner, str(given.get("alias", name)), limits

    def _type(self, node: ast.expr) -> Schema:
        if isinstance(node, ast.BinOp):
            sides = [side for side in _alternatives(node) if ast.unparse(side) != "None"]
            # The only alternatives in these classes are a number or its text.
            return self._type(sides[0]) if len(sides) == 1 else {"x-kubernetes-int-or-string": True}
        text = ast.unparse(node)
        if text in SCALARS:
            return {"type": SCALARS[text]}
        if text in self.classes:
            return self.schema(text)
        if isinstance(node, ast.Constant) and node.value in self.classes:
            return self.schema(str(node.value))
        if isinstance(node, ast.Subscript):
            head = ast.unparse(node.value)
            if head == "Literal":
                values = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
                return {"type": "string", "enum": [ast.literal_eval(value) for value in values]}
            if head == "Annotated":
                inner, _, limits = self._annotated(node, "")
                return self._type(inner) | limits
            if head == "list":
                return {"type": "array", "items": self._type(node.slice)}
            if head == "dict" and isinstance(node.slice, ast.Tuple):
                return {"type": "object", "additionalProperties": self._type(node.slice.elts[1])}
        if text in ("ObjectMeta", "Any", "dict"):
            return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        raise NotImplementedError(text)


def _alternatives(node: ast.expr) -> list[ast.expr]:
    """The sides of A | B | C."""
    return [*_alternatives(node.left), *_alternatives(node.right)] if isinstance(node, ast.BinOp) else [node]


def definition(kind: str, plural: str, schema: Schema) -> Schema:
    schema["properties"]["metadata"] = {"type": "object"}
    schema["required"] = ["spec"]
    names = {"kind": kind, "plural": plural, "singular": kind.lower()}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.keda.sh"},
        "spec": {"group": "keda.sh", "names": names, "scope": "Namespaced", "versions": [version]},
    }


def main(wheel: str) -> None:
    # The package is called by KEDA's version and one digit of its own.
    version = Path(wheel).name.split("-")[1].rsplit(".", 1)[0]
    with zipfile.ZipFile(wheel) as package:
        models = Models(package.read(SOURCE).decode())
    for kind, plural in KINDS.items():
        text = yaml.safe_dump(definition(kind, plural, models.schema(kind)), sort_keys=False, width=120)
        head = f"# KEDA {version}. Made by `python -m tests.helm.make_crds` from {Path(wheel).name}.\n"
        (CRDS / f"keda.sh_{plural}.yaml").write_text(head + text)


if __name__ == "__main__":
    main(sys.argv[1])
