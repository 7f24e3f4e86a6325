"""Writes a small bundle for tests, which is never shipped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx


def write_bundle(
    folder: Path,
    model: onnx.ModelProto,
    golden: Mapping[str, Any],
    tolerance: float,
    document: Mapping[str, Any],
) -> Path:
    """Write a graph, the arrays of its golden input, and `model.json`: `document` and what every bundle says beside.

    Returns:
        The folder, which is made where it is missing.
    """
    onnx.checker.check_model(model)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.fp32.onnx")
    np.savez(folder / "golden.npz", **golden)
    common = {
        "schema": 1,
        "license": "none; for tests",
        "output": {"name": "logit", "kind": "logit"},
        "variants": {"fp32": _file(folder / "model.fp32.onnx")},
        "golden": {**_file(folder / "golden.npz"), "tolerance": {"fp32": tolerance}},
        "card": "MODEL_CARD.md",
    }
    (folder / "model.json").write_text(json.dumps({**common, **document}), encoding="utf-8")
    return folder


def _file(path: Path) -> dict[str, str]:
    return {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
