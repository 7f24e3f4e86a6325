"""Join trained members into one graph and write the bundle, in fp32 and, where the recipe says so, int8."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from sg_common.bundle.spec import FaceSpec
from torch import Tensor, nn

from training.common.bundle import NEUTRAL, File, session, write_bundle
from training.common.half import store_as_half
from training.common.manifest import Sample, sampling_weights
from training.video.corpus import Pixels, is_used
from training.video.fusion import ALONE, Fusion, fit_fusion
from training.video.network import Detector, either
from training.video.prepare import CROP_SCALE, CROP_SIZE, NATIVE_FACE_PIXELS, Prepared
from training.video.quantization import correct_bias, quantize
from training.video.recipe import Member, Recipe
from training.video.regions import RegionMembers
from training.video.train import checkpoint_path, load_average, training_rows

OPSET = 17
FP32, INT8 = "video.fp32.onnx", "video.int8.onnx"
MIN_FACE_PIXELS = 64
CALIBRATION_VIEWS = 256
SMALLEST_HALVED = 256


class Members(nn.Module):
    """Fine-tuned members side by side: views [N, 3, 2S, S] to their experts' logits [N, members, 2].

    They look at the crop alone.
    """

    experts = 2
    # nothing: a fine-tuned backbone is quantized as a whole
    precise = re.compile("(?!)")

    def __init__(self, members: Sequence[Detector]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, views: Tensor) -> Tensor:
        crops = views[:, :, :CROP_SIZE].float()
        return torch.stack([member(crops) for member in self.members], dim=1)


class Ensemble(nn.Module):
    """Views uint8 [N, 3, 2S, S] to ``logit`` [N] and ``experts`` [N, members, experts].

    The logit is the mean of the members' joint logits, the experts joined as `fusion` says. Each member's own
    experts come out beside it, so that a member can be evaluated on the folds that it never saw.
    """

    scale: Tensor
    offset: Tensor

    def __init__(self, members: nn.Module, fusion: Fusion) -> None:
        super().__init__()
        self.members = members
        self.alone = len(fusion.scale) == 1
        self.register_buffer("scale", torch.tensor(fusion.scale))
        self.register_buffer("offset", torch.tensor(fusion.offset))

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        experts = self.members(faces)
        fused = experts * self.scale + self.offset
        joint = fused[:, :, 0] if self.alone else either(fused.flatten(0, 1)).reshape(fused.shape[:2])
        return joint.mean(1), experts


def as_input(views: Pixels) -> Pixels:
    """Views [N, 2S, S, 3] as the graph takes them: [N, 3, 2S, S]."""
    return np.ascontiguousarray(np.asarray(views).transpose(0, 3, 1, 2))


def to_onnx(ensemble: Ensemble, path: Path) -> None:
    """Write an ensemble as ONNX with a free batch axis."""
    example = torch.zeros((2, 3, 2 * CROP_SIZE, CROP_SIZE), dtype=torch.uint8)
    with warnings.catch_warnings():
        # the newer exporter needs a further package and writes the same graph
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            ensemble.eval(),
            (example,),
            str(path),
            input_names=["faces"],
            output_names=["logit", "experts"],
            dynamic_axes={"faces": {0: "N"}, "logit": {0: "N"}, "experts": {0: "N"}},
            opset_version=OPSET,
            dynamo=False,
        )


def set_fusion(path: Path, fusion: Fusion) -> None:
    """Write how the experts are joined into an exported graph."""
    model = onnx.load(path)
    values = {"scale": fusion.scale, "offset": fusion.offset}
    found = [initializer for initializer in model.graph.initializer if initializer.name in values]
    if len(found) != len(values):
        raise ValueError(f"{path} has no scale and offset of the experts")
    for initializer in found:
        initializer.CopyFrom(numpy_helper.from_array(np.array(values[initializer.name], np.float32), initializer.name))
    onnx.save(model, path)


def halve(source: Path, path: Path, *, matrices_only: bool = False) -> None:
    """Write a graph with its larger float32 weights in half precision; with ``matrices_only`` no scales among them."""
    model = onnx.load(source)
    store_as_half(
        model.graph, lambda _, weights: weights.size >= SMALLEST_HALVED and (weights.ndim == 2 or not matrices_only)
    )
    onnx.checker.check_model(model)
    onnx.save(model, path)


def run(path: Path, views: Pixels, batch: int = 32) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """``logit`` [N] and ``experts`` [N, members, experts] of views [N, 2S, S, 3]."""
    graph = session(path)
    parts = [
        graph.run(["logit", "experts"], {"faces": as_input(views[i : i + batch])}) for i in range(0, len(views), batch)
    ]
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def held_out_rows(prepared: Prepared, held_out: Sequence[Sequence[int]]) -> npt.NDArray[np.int64]:
    """Samples that at least one member did not train on."""
    return np.array([i for i, s in enumerate(prepared.samples) if any(s.fold in f for f in held_out)], np.int64)


def unseen_mean(
    samples: Sequence[Sample], experts: npt.NDArray[np.floating[Any]], held_out: Sequence[Sequence[int]]
) -> npt.NDArray[np.float64]:
    """Mean over the members that did not see a sample: [N, members, ...] to [N, ...]."""
    unseen = np.array([[s.fold in folds for folds in held_out] for s in samples], np.float64)
    weights = (unseen / unseen.sum(1, keepdims=True)).reshape(unseen.shape + (1,) * (experts.ndim - 2))
    return np.asarray((experts * weights).sum(1), np.float64)


def held_out_fusion(prepared: Prepared, graph: Path, held_out: Sequence[Sequence[int]]) -> Fusion:
    """Fit how the experts are joined on the crops that a member never saw."""
    rows = np.array([i for i in held_out_rows(prepared, held_out) if is_used(prepared.samples[i])], np.int64)
    samples = [prepared.samples[i] for i in rows]
    experts = unseen_mean(samples, run(graph, prepared.views[rows])[1], held_out)
    weights = np.array(sampling_weights(samples)) * len(samples)
    return fit_fusion(experts, np.array([s.label for s in samples], np.int64), weights)


def fine_tuned(
    members: Sequence[Member], prepared: Prepared, work: Path, weights: Path | None
) -> tuple[Members, list[list[int]]]:
    """The members that `train` made of these recipes and crops, and the folds that each holds out."""
    checkpoints = [checkpoint_path(member, prepared, work, weights) for member in members]
    return Members([load_average(path) for path in checkpoints]), [list(member.held_out) for member in members]


def export(
    prepared: Prepared,
    members: Members | RegionMembers,
    held_out: Sequence[Sequence[int]],
    *,
    recipe: Recipe,
    work: Path,
    out: Path,
) -> Path:
    """Write the graphs and a ``model.json`` whose calibration `calibrate` then fills in; returns its path."""
    out.mkdir(parents=True, exist_ok=True)
    full = work / "ensemble.onnx"
    fusion = ALONE if members.experts == 1 else Fusion()
    to_onnx(Ensemble(members, fusion), full)
    halve(full, out / FP32)
    files = {"fp32": File(FP32, tolerance=0.05)}
    rows = training_rows(prepared, tuple(held_out[0]))
    chosen = np.sort(np.random.default_rng(0).choice(rows, min(CALIBRATION_VIEWS, len(rows)), replace=False))
    views = as_input(prepared.views[chosen])
    if recipe.int8:
        quantize(full, out / INT8, views, members.precise)
        if isinstance(members, RegionMembers):
            correct_bias(out / INT8, full, views)
        halve(out / INT8, out / INT8, matrices_only=True)
        files["int8"] = File(INT8, tolerance=2.5, auc_loss=1.0)
    if members.experts > 1:
        fusion = held_out_fusion(prepared, out / FP32, held_out)
        for variant in files.values():
            set_fusion(out / variant.file, fusion)
    return write_bundle(
        out,
        FaceSpec,
        files,
        {"input": views[:4]},
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
            "aggregation": recipe.aggregation.model_dump(),
            "held_out_folds": held_out,
            "fusion": asdict(fusion),
        },
    )
