"""All that the detector hears of a waveform, and where in it each expert listens."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from training.audio.frontend import VIEWS as SPECTRAL_VIEWS
from training.audio.frontend import ModulationSpectrum
from training.audio.speaker import SpeakerStem

EARLY = "early"
VIEWS = (*SPECTRAL_VIEWS, EARLY)
"""The modulation spectrum's views, and the speaker network's early layers."""


class Front(nn.Module):
    """The modulation spectrum and a speaker network's early layers, side by side: waveform (N, T) to (N, size).

    `weights`: the speaker network's (`SpeakerStem.load`); without them it hears nothing of use.
    """

    def __init__(self, weights: Path | None = None) -> None:
        super().__init__()
        self.modulation = ModulationSpectrum()
        self.speaker = SpeakerStem.load(weights) if weights else SpeakerStem()
        self.size = self.modulation.size + self.speaker.size

    def columns(self, view: str, highest: int) -> Tensor:
        """Where the features of a view are, of the modulation spectrum those up to `highest` Hz, (features,)."""
        if view == EARLY:
            return torch.arange(self.modulation.size, self.size)
        return self.modulation.columns(view, highest)

    def forward(self, waveform: Tensor) -> Tensor:
        return torch.cat([self.modulation(waveform), self.speaker(waveform)], dim=1)
