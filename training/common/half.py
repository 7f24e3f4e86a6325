"""Halve an ONNX file: large weights in float16, widened when the graph is loaded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


def store_as_half(graph: onnx.GraphProto, wanted: Callable[[str, NDArray[np.float32]], bool]) -> None:
    """Keep the float32 weights that are `wanted` (by name and values) in float16, with a cast behind each.

    Computation stays in float32; the runtime folds the casts away.
    """
    casts = []
    for tensor in graph.initializer:
        name, values = tensor.name, numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and wanted(name, values):
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
