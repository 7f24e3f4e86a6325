"""What the small detector reads: statistics of ImageNet features inside the face and around it.

A swap leaves the face's inside unlike its surroundings, a generator its own texture everywhere. Mean and spread of
the middle layers' channels show both, and tell less about who is seen than the network's last features do.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.video.network import (
    MEAN,
    STD,
    Backbone,
    channels_last,
    fold_normalisation,
    load_imagenet,
    required_imagenet_weights,
)
from training.video.prepare import CROP_SCALE, CROP_SIZE

# the last layers of the backbone's stages with 80 and 112 channels, both at a sixteenth of the input's resolution
READ_LAYERS = (10, 13)
SMALLEST_VARIANCE = 1e-4
# an expert that never speaks up: the joint logit is then the other's
SILENT = -20.0
# the middle of a crop, so many of its pixels wide, is enlarged: that told more about unseen methods than the whole crop
MIDDLE, ENLARGED = 112, 176
# half axes of the ellipse that holds the face, in half sides of the face's box
ACROSS, UP = 0.45, 0.55


def face_mask() -> Tensor:
    """1 inside the face's ellipse and 0 elsewhere, float32 [ENLARGED, ENLARGED]."""
    reach = CROP_SCALE * MIDDLE / CROP_SIZE
    axis = torch.linspace(-reach, reach, ENLARGED)
    across, up = axis[None, :] / ACROSS, axis[:, None] / UP
    return (across**2 + up**2 < 1).float()


def region_weights(size: int) -> Tensor:
    """Shares of a feature map's cells inside and outside the face, float32 [size * size, 2], each summing to 1."""
    inside = face_mask()
    masks = torch.stack([inside, 1 - inside])
    pooled = functional.adaptive_avg_pool2d(masks, size).flatten(1)
    return (pooled / pooled.sum(1, keepdim=True)).T.contiguous()


class RegionStatistics(nn.Module):
    """Crops 0..255 [N, 3, 176, 176] to statistics [N, D] of a frozen EfficientNet-Lite0 (None: random, for tests)."""

    def __init__(self, weights: Path | None) -> None:
        super().__init__()
        whole = Backbone()
        if weights is not None:
            load_imagenet(whole, weights)
        self.backbone = nn.ModuleList(list(fold_normalisation(whole.layers))[: READ_LAYERS[-1] + 1])
        self.requires_grad_(False)
        channels_last(self)
        with torch.inference_mode():
            maps = self._maps(torch.zeros(1, 3, CROP_SIZE, CROP_SIZE))
        for i, features in enumerate(maps):
            self.register_buffer(f"regions_{i}", region_weights(features.shape[-1]))

    def _maps(self, images: Tensor) -> list[Tensor]:
        margin = (CROP_SIZE - MIDDLE) // 2
        x = images[:, :, margin : margin + MIDDLE, margin : margin + MIDDLE]
        x = functional.interpolate(x, (ENLARGED, ENLARGED), mode="bilinear", align_corners=False)
        x = (x - MEAN) / STD
        maps = []
        for i, layer in enumerate(self.backbone):
            x = layer(x)
            if i in READ_LAYERS:
                maps.append(x)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        parts = []
        for i, features in enumerate(self._maps(images)):
            flat, regions = features.flatten(2), self.get_buffer(f"regions_{i}")
            mean = flat @ regions
            variance = (flat * flat) @ regions - mean * mean
            spread = torch.log(variance.clamp(min=0) + SMALLEST_VARIANCE) / 2
            parts += [mean.flatten(1), spread.flatten(1)]
        return torch.cat(parts, 1)


class Regressions(nn.Module):
    """Images [N, 3, S, S] to each member's logits [N, members, 2]; the second expert is silent."""

    weight: Tensor
    bias: Tensor

    def __init__(self, statistics: RegionStatistics, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.statistics = statistics
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, images: Tensor) -> Tensor:
        logits = self.statistics(images) @ self.weight.T + self.bias
        return torch.stack([logits, torch.full_like(logits, SILENT)], dim=2)


def load_probe(path: Path) -> tuple[Regressions, list[list[int]]]:
    """What `training.video.probe` wrote, and the folds that each member holds out."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    return Regressions(RegionStatistics(required_imagenet_weights()), state["weight"], state["bias"]), state["held_out"]
