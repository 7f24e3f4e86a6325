"""Fuse the trained members into one ONNX graph and write the bundle.

The calibration in the written model.json is neutral until `calibrate` has measured it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime import quantization
from sg_common.bundle.spec import VoiceSpec

from training.audio.graphs import write_graph
from training.audio.models import Detector
from training.audio.pool import Pool, random_for
from training.audio.recipe import Recipe
from training.audio.waveforms import HOP_SECONDS, SAMPLE_RATE, WINDOW, WINDOW_SECONDS, repeat_to
from training.common.bundle import NEUTRAL, File, write_bundle
from training.common.half import store_as_half
from training.common.manifest import write_sources

NARROWEST_QUANTIZED = 8
SMALLEST_HALVED = 1 << 15


def write_onnx(detector: Detector, path: Path) -> None:
    """Export the graph with a free batch axis, constants folded, the perceptrons' weights in half precision.

    That halves the file and moves a logit by less than a thousandth.
    """
    write_graph(detector, path, ["logit", "fold_logits"])
    model = onnx.load(path)
    weights = {node.input[1] for node in model.graph.node if node.op_type == "Gemm"}
    store_as_half(model.graph, lambda name, values: name in weights and values.size >= SMALLEST_HALVED)
    onnx.checker.check_model(model)
    onnx.save(model, path)


class _Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, batch: NDArray[np.float32]) -> None:
        self.parts = iter(np.array_split(batch, max(1, len(batch) // 8)))

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        part = next(self.parts, None)
        return None if part is None else {"waveform": part}


def write_int8(fp32: Path, int8: Path, batch: NDArray[np.float32]) -> None:
    """Static quantization of the perceptrons' first layers, calibrated on `batch` (N, T).

    Weights keep seven bits, since AVX2 without VNNI saturates on eight. The front end, the gates and the last
    layers stay in floating point: the spectrogram is where the precision is needed.
    """
    prepared = int8.with_suffix(".prepared.onnx")
    quantization.shape_inference.quant_pre_process(str(fp32), str(prepared), skip_symbolic_shape=True)
    graph = onnx.load(prepared).graph
    shapes = {i.name: i.dims for i in graph.initializer}
    layers = [n.name for n in graph.node if n.op_type == "Gemm" and min(shapes[n.input[1]]) >= NARROWEST_QUANTIZED]
    quantization.quantize_static(
        str(prepared),
        str(int8),
        _Reader(batch),
        quant_format=quantization.QuantFormat.QDQ,
        op_types_to_quantize=["Gemm"],  # no other tensors are observed
        nodes_to_quantize=layers,
        per_channel=True,
        reduce_range=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )
    prepared.unlink()


def sample_windows(pool: Pool, count: int, seed: int) -> NDArray[np.float32]:
    """Windows (count, T) of both labels, clean and degraded, for quantization and the golden input."""
    rng = random_for(seed, "windows")
    chosen = rng.choice(len(pool.samples), count, replace=count > len(pool.samples))
    return np.stack([repeat_to(pool.clip(int(i), int(rng.integers(pool.copies + 1)))) for i in chosen]).astype(
        np.float32
    )


def synthetic_windows(count: int, seed: int) -> NDArray[np.float32]:
    """Speech-like windows (count, T) made of harmonics and noise, so that a bundle holds nobody's voice."""
    rng = random_for(seed, "golden")
    t = np.arange(WINDOW) / SAMPLE_RATE
    rows = []
    for _ in range(count):
        pitch = 2 * np.pi * np.cumsum(rng.uniform(90, 220) * (1 + 0.1 * np.sin(2 * np.pi * rng.uniform(1, 5) * t)))
        harmonics = sum(np.sin(k * pitch / SAMPLE_RATE) / k for k in range(1, 25))
        syllables = np.clip(np.sin(2 * np.pi * rng.uniform(2, 5) * t), 0, 1)
        rows.append(0.1 * harmonics * syllables + 0.003 * rng.standard_normal(WINDOW))
    return np.asarray(np.round(rows, 4), dtype=np.float32)


def export(detector: Detector, pool: Pool, recipe: Recipe, folder: Path) -> Path:
    """Write the graphs, the sources and model.json; returns model.json's path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_onnx(detector, folder / "model.fp32.onnx")
    files = {"fp32": File("model.fp32.onnx", tolerance=0.02)}
    if recipe.int8:
        write_int8(folder / "model.fp32.onnx", folder / "model.int8.onnx", sample_windows(pool, 128, recipe.seed))
        files["int8"] = File("model.int8.onnx", tolerance=0.5, auc_loss=1.0)
    write_sources([s for s in pool.samples if s.family not in recipe.left_out_families], folder / "sources.tsv")
    return write_bundle(
        folder,
        VoiceSpec,
        files,
        {"input": synthetic_windows(2, recipe.seed)},
        name=recipe.release.name,
        version=recipe.release.version,
        license=recipe.release.license,
        input={
            "name": "waveform",
            "layout": "NT",
            "dtype": "float32",
            "sample_rate": SAMPLE_RATE,
            "window_seconds": WINDOW_SECONDS,
            "hop_seconds": HOP_SECONDS,
        },
        output={"name": "logit", "kind": "logit"},
        calibration=NEUTRAL,
    )
