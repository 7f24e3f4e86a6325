"""The audio-deepfake model: windows of samples in, logits out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from sg_common.bundle.calibration import Logits
from sg_common.bundle.load import Bundle, load_bundle
from sg_common.bundle.spec import VoiceSpec
from sg_common.runtime import Runtime

SAMPLE_RATE = 16000
"""Hz that the model and the voice-activity graph see."""


class VoiceModel:
    """An audio-deepfake bundle. Shared by all analyses."""

    def __init__(self, bundle: Bundle[VoiceSpec]) -> None:
        self.info = bundle.model
        self.input = bundle.spec.input
        self.calibration = bundle.spec.calibration
        self._bundle = bundle

    @classmethod
    def load(cls, directory: Path, runtime: Runtime, variant: str = "auto") -> VoiceModel:
        """Load a bundle.

        Raises:
            BundleError: it must not be served.
        """
        return cls(load_bundle(directory, VoiceSpec, runtime, variant))

    def logits(self, windows: list[npt.NDArray[np.float32]]) -> Logits:
        """One fake logit per window of samples (window,): (N,)."""
        return self._bundle.logits(np.stack(windows))
