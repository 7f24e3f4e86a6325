"""Quantize an exported graph to int8, and take out what that adds to the statistics on average."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from training.video.corpus import FloatArray, Pixels

BATCH = 16


class _Views(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, views: Pixels) -> None:
        self._batches = iter([views[i : i + BATCH] for i in range(0, len(views), BATCH)])

    def get_next(self) -> dict[str, npt.NDArray[Any]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"faces": batch}


def quantize(source: Path, path: Path, views: Pixels, precise: re.Pattern[str]) -> None:
    """Quantize statically to int8 (QDQ) with activation ranges from ``views`` [N, 3, 2S, S].

    Weights use 7 bits: products of 8-bit weights saturate on CPUs without VNNI. The heads stay in float32, and so do
    the nodes whose names hold ``precise``.
    """
    prepared = path.with_suffix(".prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    # only what the runtime computes in int8; the experts' logits and their joint stay in float32
    quantize_static(
        str(prepared),
        str(path),
        _Views(views),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv", "Add", "Clip"],
        nodes_to_exclude=[
            node.name
            for node in onnx.load(prepared).graph.node
            if "backbone" not in node.name or precise.search(node.name)
        ],
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    prepared.unlink()


def correct_bias(path: Path, reference: Path, views: Pixels) -> None:
    """Subtract from a quantized graph's statistics by how much they differ on average from the ``reference`` graph's.

    Bias correction: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019.
    ``views`` [N, 3, 2S, S] are what it is measured on.

    Raises:
        ValueError: the graph has no statistics.
    """
    model = onnx.load(path)
    name = _statistics(model)
    bias = (_values(model, views) - _values(onnx.load(reference), views)).mean(0)
    corrected = f"{name}_corrected"
    for node in model.graph.node:
        node.input[:] = [corrected if given == name else given for given in node.input]
    place = next(i for i, node in enumerate(model.graph.node) if name in node.output)
    model.graph.node.insert(place + 1, helper.make_node("Sub", [name, "bias_of_int8"], [corrected], name=corrected))
    model.graph.initializer.append(numpy_helper.from_array(bias, "bias_of_int8"))
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _statistics(model: onnx.ModelProto) -> str:
    """The tensor that holds the statistics of all zooms."""
    joined = [node for node in model.graph.node if node.op_type == "Concat" and "/statistics/" in node.name]
    if not joined:
        raise ValueError("the graph has no statistics")
    return str(joined[-1].output[0])


def _values(model: onnx.ModelProto, views: Pixels) -> FloatArray:
    """What a graph computes as its statistics: float32 [N, D]."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    tensor = _statistics(model)
    shown.graph.output.append(helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None))
    graph = ort.InferenceSession(shown.SerializeToString(), providers=["CPUExecutionProvider"])
    parts = [graph.run([tensor], {"faces": views[i : i + BATCH]})[0] for i in range(0, len(views), BATCH)]
    return np.concatenate(parts)
