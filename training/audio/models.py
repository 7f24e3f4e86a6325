"""The shipped network: what it hears, and every fold's mixture of experts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.audio.front import Front
from training.common.perceptrons import Mixture


class Detector(nn.Module):
    """The shipped graph: waveform (N, T) at 16 kHz, any level, to a fake logit (N,) and one per fold (N, folds).

    For every fold there are members that never saw it; the detector's logit is the mean over folds. So every
    training clip was seen by all folds' members but one's, and that one's logit, which the graph gives too,
    judges it honestly.
    """

    def __init__(self, front: Front, mixtures: Sequence[Mixture]) -> None:
        super().__init__()
        self.front = front
        self.mixtures = nn.ModuleList(mixtures)

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        features = self.front(waveform)
        folds = torch.stack([mixture(features) for mixture in self.mixtures], dim=1)
        return folds.mean(dim=1), folds
