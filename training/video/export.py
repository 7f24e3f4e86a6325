"""Join trained members into one graph and write the bundle; and bundles of each member alone."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from sg_common.bundle.spec import FaceSpec, read_task

from training.common.bundle import NEUTRAL, File, session, write_bundle
from training.common.half import store_as_half
from training.video.kernel import KernelMembers
from training.video.recipe import Recipe
from training.video.regions import CROP_SCALE, CROP_SIZE, NATIVE_FACE_PIXELS

OPSET = 17
FP32 = "video.fp32.onnx"
MIN_FACE_PIXELS = 64
SMALLEST_HALVED = 256
TOLERANCE = 0.05

Pixels = npt.NDArray[np.uint8]


def to_onnx(members: KernelMembers, path: Path) -> None:
    """Write members as ONNX with a free batch axis."""
    example = torch.zeros((2, 3, 2 * CROP_SIZE, CROP_SIZE), dtype=torch.uint8)
    with warnings.catch_warnings():
        # the newer exporter needs a further package and writes the same graph
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            members.eval(),
            (example,),
            str(path),
            input_names=["faces"],
            output_names=["logit", "members"],
            dynamic_axes={"faces": {0: "N"}, "logit": {0: "N"}, "members": {0: "N"}},
            opset_version=OPSET,
            dynamo=False,
        )


def halve(source: Path, path: Path) -> None:
    """Write a graph with its larger float32 weights in half precision."""
    model = onnx.load(source)
    store_as_half(model.graph, lambda _, weights: weights.size >= SMALLEST_HALVED)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def run(path: Path, views: Pixels) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """``logit`` [N] and ``members`` [N, M] of views [N, 3, 2S, S]."""
    logit, members = session(path).run(["logit", "members"], {"faces": views})
    return logit, members


def export(
    members: KernelMembers, held_out: Sequence[Sequence[int]], views: Pixels, *, recipe: Recipe, work: Path, out: Path
) -> Path:
    """Write the graph and a ``model.json`` whose calibration `calibrate` then fills in; returns its path.

    ``views`` [N, 3, 2S, S] are the golden input.
    """
    out.mkdir(parents=True, exist_ok=True)
    full = work / "members.onnx"
    to_onnx(members, full)
    halve(full, out / FP32)
    return write_bundle(
        out,
        FaceSpec,
        {"fp32": File(FP32, TOLERANCE)},
        {"input": views},
        name=recipe.release.name,
        version=recipe.release.version,
        license=recipe.release.license,
        input={
            "name": "faces",
            "layout": "NCHW",
            "dtype": "uint8",
            "size": CROP_SIZE,
            "crop_scale": CROP_SCALE,
            "native_face_pixels": NATIVE_FACE_PIXELS,
            "min_face_pixels": MIN_FACE_PIXELS,
        },
        output={"name": "logit", "kind": "logit"},
        calibration={
            **NEUTRAL,
            "aggregation": recipe.aggregation.model_dump(exclude_none=True),
            "held_out_folds": held_out,
        },
    )


def alone(bundle: Path, member: int, folder: Path) -> Path:
    """Write a bundle in which one member decides alone, and return its folder."""
    spec = read_task(bundle, FaceSpec)
    model = onnx.load(bundle / spec.variants["fp32"].file)
    (weights,) = (initializer for initializer in model.graph.initializer if initializer.name == "weights")
    chosen = np.zeros(weights.dims, np.float32)
    chosen[member] = 1
    weights.CopyFrom(numpy_helper.from_array(chosen, "weights"))
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / FP32)
    with np.load(bundle / spec.golden.file) as golden:
        views = golden["input"]
    parts: dict[str, Any] = spec.model_dump(
        mode="json", include={"name", "version", "license", "input", "output", "calibration"}, exclude_none=True
    )
    write_bundle(folder, FaceSpec, {"fp32": File(FP32, TOLERANCE)}, {"input": views}, **parts)
    return folder


def unseen(bundle: Path, folder: Path) -> Mapping[int, Path]:
    """For each fold a bundle whose deciding member never saw it; none where the bundle does not say."""
    held_out = read_task(bundle, FaceSpec).calibration.held_out_folds or ()
    return {
        fold: alone(bundle, member, folder / str(member)) for member, folds in enumerate(held_out) for fold in folds
    }
