"""The face-manipulation model: crops of faces in, logits out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sg_common.bundle.calibration import Logits
from sg_common.bundle.load import Bundle, load_bundle
from sg_common.bundle.spec import FaceInput, FaceSpec
from sg_common.runtime import Runtime

from video_analyzer.pixels import Pixels


class FaceModel:
    """A face-manipulation bundle. Shared by all analyses."""

    def __init__(self, bundle: Bundle[FaceSpec]) -> None:
        self.info = bundle.model
        self.input = bundle.spec.input
        self.calibration = bundle.spec.calibration
        self._bundle = bundle

    @classmethod
    def load(cls, directory: Path, runtime: Runtime, variant: str = "auto") -> FaceModel:
        """Load a bundle.

        Raises:
            BundleError: it must not be served.
        """
        return cls(load_bundle(directory, FaceSpec, runtime, variant))

    def logits(self, crops: list[Pixels]) -> Logits:
        """One fake logit per crop, as `crop_face` cut it: (N,)."""
        return self._bundle.logits(tensor(self.input, crops))


def tensor(spec: FaceInput, crops: list[Pixels]) -> npt.NDArray[Any]:
    """A graph's input [N, 3, H, S] for crops uint8 [H, S, 3] RGB."""
    batch = np.ascontiguousarray(np.stack(crops).transpose(0, 3, 1, 2))
    if spec.dtype == "uint8":
        return batch
    mean = np.asarray(spec.mean or (0, 0, 0), np.float32).reshape(1, 3, 1, 1)
    std = np.asarray(spec.std or (1, 1, 1), np.float32).reshape(1, 3, 1, 1)
    return (batch.astype(np.float32) - mean) / std
