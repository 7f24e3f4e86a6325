"""Write a model bundle: model.json, ONNX variants, golden input and output, card (see docs of the services)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

SCHEMA = 1


@dataclass(frozen=True)
class Variant:
    """One ONNX file of a bundle, already in the bundle's folder.

    `auc_loss` is the measured loss against fp32, `tolerance` the largest difference of a golden logit,
    `requires` the CPU features (as in /proc/cpuinfo) without which it must not be chosen.
    """

    file: str
    auc_loss: float = 0.0
    tolerance: float = 0.02
    requires: Sequence[str] = field(default_factory=tuple)


def session(path: Path, threads: int = 1) -> ort.InferenceSession:
    """A CPU session of an ONNX file."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run(path: Path, batch: NDArray[Any], output: str | None = None, batch_size: int = 32) -> NDArray[np.float32]:
    """Outputs of an ONNX file with one input for a batch, as float32; the first output unless named."""
    model = session(path)
    name = model.get_inputs()[0].name
    parts = [
        model.run([output] if output else None, {name: batch[i : i + batch_size]})[0]
        for i in range(0, len(batch), batch_size)
    ]
    return np.concatenate(parts).astype(np.float32)


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return sha256(path.read_bytes()).hexdigest()


def write_bundle(
    folder: Path,
    *,
    name: str,
    version: str,
    task: str,
    license_name: str,
    model_input: Mapping[str, Any],
    output: Mapping[str, str],
    calibration: Mapping[str, Any],
    variants: Mapping[str, Variant],
    golden: NDArray[Any],
) -> Path:
    """Write golden.npz and model.json beside the ONNX files that `variants` names; returns model.json's path.

    `variants` must hold "fp32", whose outputs for `golden` become the expected ones. Every variant is run
    on `golden`. Raises ValueError when one differs from fp32 by more than its tolerance.
    """
    reference = run(folder / variants["fp32"].file, golden, output["name"])
    for key, variant in variants.items():
        difference = float(np.abs(run(folder / variant.file, golden, output["name"]) - reference).max())
        if difference > variant.tolerance:
            raise ValueError(f"variant {key} differs by {difference:.3f} on the golden input, over its tolerance")
    golden_path = folder / "golden.npz"
    np.savez_compressed(golden_path, input=golden, output=reference)
    document = {
        "schema": SCHEMA,
        "name": name,
        "version": version,
        "task": task,
        "license": license_name,
        "input": dict(model_input),
        "output": dict(output),
        "calibration": dict(calibration),
        "variants": {
            key: {
                "file": v.file,
                "sha256": digest(folder / v.file),
                "auc_loss": round(v.auc_loss, 5),
                "requires": list(v.requires),
            }
            for key, v in variants.items()
        },
        "golden": {
            "file": golden_path.name,
            "sha256": digest(golden_path),
            "tolerance": {key: v.tolerance for key, v in variants.items()},
        },
        "card": "MODEL_CARD.md",
    }
    path = folder / "model.json"
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return path
