"""What the small detector reads: statistics of ImageNet features inside the face and around it, at several zooms.

A swap leaves the face's inside unlike its surroundings, a generator its own texture everywhere. Mean and spread of
the middle layers' channels show both, and tell less about who is seen than the network's last features do.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    imagenet_weights,
    load_imagenet,
)
from training.video.prepare import CROP_SCALE, CROP_SIZE

# the last layers of the backbone's stages with 80 and 112 channels, both at a sixteenth of the input's resolution
READ_LAYERS = (10, 13)
SMALLEST_VARIANCE = 1e-4
# an expert that never speaks up: the joint logit is then the other's
SILENT = -20.0
Radii = tuple[float, float]


@dataclass(frozen=True)
class View:
    """The middle of a crop, ``side`` of its pixels wide, scaled to ``size``.

    ``inside`` and ``outside`` are the half axes (across, up) of two ellipses, in half sides of the face's box: the
    first holds the face, what lies beyond the second surrounds it.
    """

    side: int
    size: int
    inside: Radii
    outside: Radii


# the middle of the face, enlarged: zooming in told more about unseen methods than the whole crop did
VIEWS = (View(112, 176, inside=(0.45, 0.55), outside=(0.45, 0.55)),)


def ellipse(view: View, radii: Radii) -> Tensor:
    """1 inside an ellipse and 0 elsewhere, float32 [size, size]."""
    reach = CROP_SCALE * view.side / CROP_SIZE
    axis = torch.linspace(-reach, reach, view.size)
    across, up = axis[None, :] / radii[0], axis[:, None] / radii[1]
    return (across**2 + up**2 < 1).float()


def region_weights(view: View, size: int) -> Tensor:
    """Shares of a feature map's cells in both regions of a view, float32 [size * size, 2], each summing to 1."""
    masks = torch.stack([ellipse(view, view.inside), 1 - ellipse(view, view.outside)])
    pooled = functional.adaptive_avg_pool2d(masks, size).flatten(1)
    return (pooled / pooled.sum(1, keepdim=True)).T.contiguous()


class RegionStatistics(nn.Module):
    """Crops 0..255 [N, 3, 176, 176] to statistics [N, D] of a frozen EfficientNet-Lite0 (None: random, for tests)."""

    def __init__(self, weights: Path | None, views: tuple[View, ...] = VIEWS) -> None:
        super().__init__()
        whole = Backbone()
        if weights is not None:
            load_imagenet(whole, weights)
        self.backbone = nn.ModuleList(list(fold_normalisation(whole.layers))[: READ_LAYERS[-1] + 1])
        self.requires_grad_(False)
        channels_last(self)
        self.views = views
        for v, view in enumerate(views):
            with torch.inference_mode():
                maps = self._maps(torch.zeros(1, 3, CROP_SIZE, CROP_SIZE), view)
            for i, features in enumerate(maps):
                self.register_buffer(f"regions_{v}_{i}", region_weights(view, features.shape[-1]).clone())

    def _maps(self, images: Tensor, view: View) -> list[Tensor]:
        margin = (CROP_SIZE - view.side) // 2
        x = images[:, :, margin : margin + view.side, margin : margin + view.side]
        if view.size != view.side:
            x = functional.interpolate(x, (view.size, view.size), mode="bilinear", align_corners=False)
        x = (x - MEAN) / STD
        maps = []
        for i, layer in enumerate(self.backbone):
            x = layer(x)
            if i in READ_LAYERS:
                maps.append(x)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        parts = []
        for v, view in enumerate(self.views):
            for i, features in enumerate(self._maps(images, view)):
                flat, regions = features.flatten(2), self.get_buffer(f"regions_{v}_{i}")
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
    return Regressions(RegionStatistics(imagenet_weights()), state["weight"], state["bias"]), state["held_out"]
