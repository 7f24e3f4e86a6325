"""A fine-tuned network: the backbone with two experts whose logits become one."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from training.video.backbone import FEATURES, Backbone, channels_last, fold_normalisation, load_imagenet


class Detector(nn.Module):
    """Face crops to the logits of two experts [N, 2]: blended in, synthesized whole."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.Linear(FEATURES, 2)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.heads(self.dropout(self.backbone(images)))
        return logits


def either(logits: Tensor) -> Tensor:
    """Logit [N] of "at least one expert is right", the experts being independent.

    With p = 1 - (1 - p1)(1 - p2), the logit of p is log(e^a + e^b + e^(a + b)).
    """
    a, b = logits[:, 0], logits[:, 1]
    return torch.logsumexp(torch.stack([a, b, a + b], dim=1), dim=1)


def build(weights: Path | None, dropout: float = 0.2) -> Detector:
    """A detector with normalisations folded, from ImageNet weights (None: random, for tests)."""
    detector = Detector(dropout)
    if weights is not None:
        load_imagenet(detector.backbone, weights)
    detector.backbone.layers = fold_normalisation(detector.backbone.layers)
    nn.init.zeros_(detector.heads.weight)
    nn.init.constant_(detector.heads.bias, -1.0)
    channels_last(detector)
    return detector
