"""Write model bundles through the classes that read them (`sg_common.bundle`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from sg_common.bundle.load import load_variant
from sg_common.bundle.spec import Spec, read_spec, task_name
from sg_common.bundle.variants import Choice
from sg_common.runtime import Runtime

from training.common.content import digest

NEUTRAL: Mapping[str, Any] = {
    "temperature": 1.0,
    "bias": 0.0,
    "thresholds": {"likely_authentic": 0.3, "likely_deepfake": 0.8},
}
"""A detector's calibration until it has been measured."""


@dataclass(frozen=True)
class File:
    """One variant's ONNX file, already in the bundle's folder; `tolerance`: largest difference of a golden answer.

    `auc_loss` stays 1, so that it is not chosen by itself, until it has been measured.
    """

    file: str
    tolerance: float
    auc_loss: float = 0.0


def session(path: Path, threads: int = 1) -> ort.InferenceSession:
    """A CPU session of an ONNX file."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def write_bundle(
    folder: Path,
    kind: type[Spec],
    files: Mapping[str, File],
    golden: Mapping[str, NDArray[Any]],
    **parts: object,
) -> Path:
    """Write golden.npz and model.json beside the ONNX files that `files` names by variant; returns model.json's path.

    `golden` holds every input of the graph by name, the main one as `input`; fp32's answers become the expected ones.
    `parts` are the other fields of model.json. Every variant is then loaded as a service loads it.

    Raises:
        BundleError: a variant differs from fp32 by more than its tolerance, or its graph from model.json.
        ValueError: the folder holds another model's bundle, or a field is wrong.
    """
    if (folder / "model.json").exists() and (other := read_spec(folder).name) != parts["name"]:
        raise ValueError(f"{folder} holds the bundle of {other}: write {parts['name']} into another folder")
    main, output = (_field(parts[name], "name") for name in ("input", "output"))
    feeds = {main if name == "input" else name: array for name, array in golden.items()}
    expected = session(folder / files["fp32"].file).run([output], feeds)[0]
    np.savez_compressed(folder / "golden.npz", **{**golden, "output": expected})
    document = {
        "schema": 1,
        "task": task_name(kind),
        "variants": {
            name: {"file": f.file, "sha256": digest(folder / f.file), "auc_loss": f.auc_loss}
            for name, f in files.items()
        },
        "golden": {
            "file": "golden.npz",
            "sha256": digest(folder / "golden.npz"),
            "tolerance": {name: f.tolerance for name, f in files.items()},
        },
        "card": "MODEL_CARD.md",
        **parts,
    }
    spec = kind.model_validate(document)
    for name in files:
        load_variant(folder, spec, Choice(name, "just written"), Runtime(threads=1))
    return write_spec(folder, spec)


def write_spec(folder: Path, spec: Spec, **changes: object) -> Path:
    """Write model.json with some fields changed; returns its path (raises ValueError for a wrong one)."""
    document = {**spec.model_dump(mode="json", by_alias=True, exclude_none=True), **changes}
    path = folder / "model.json"
    text = type(spec).model_validate(document).model_dump_json(by_alias=True, exclude_none=True, indent=2)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def measured(spec: Spec, losses: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """The variants of a bundle with what has been measured of each, for `write_spec`."""
    return {
        name: {**variant.model_dump(mode="json"), **{key: round(v, 5) for key, v in losses.get(name, {}).items()}}
        for name, variant in spec.variants.items()
    }


def _field(part: object, name: str) -> str:
    if not isinstance(part, Mapping):
        raise TypeError("input and output are mappings")
    return str(part[name])
