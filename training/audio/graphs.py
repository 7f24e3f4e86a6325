"""Write networks that start at the waveform as ONNX graphs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from training.audio.waveforms import WINDOW

OPSET = 17


def write_graph(network: nn.Module, path: Path, outputs: Sequence[str]) -> None:
    """Export a network of windows, `waveform` (N, T), with a free batch axis and constants folded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(2, WINDOW) + torch.randn(WINDOW) * 0.1,),
            str(path),
            input_names=["waveform"],
            output_names=list(outputs),
            dynamic_axes={name: {0: "N"} for name in ("waveform", *outputs)},
            opset_version=OPSET,
            dynamo=False,
        )
