"""What the shipped detector reads: statistics of ImageNet features inside the face and around it, at two zooms.

A swap leaves the face's inside unlike its surroundings, a generator its own texture everywhere. Mean and spread of
the middle layers' channels show both, and tell less about who is seen than the network's last features do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.common.perceptrons import Expert, Gate, Mixture, Perceptron
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

# one block each of the backbone's stages with 40, 80, 112 and 192 channels
READ_LAYERS = (6, 8, 10, 13)
SMALLEST_VARIANCE = 1e-4
# a crop's middle, so many of its pixels wide, is scaled to so many: the face's texture, and the whole of the crop
ZOOMS = ((112, 176), (176, 128))
# half axes of the ellipse that holds the face, in half sides of the face's box
ACROSS, UP = 0.45, 0.55
EXPERTS = ("clean", "degraded")


def face_mask(side: int, scaled: int) -> Tensor:
    """1 inside the face's ellipse and 0 elsewhere, float32 [scaled, scaled], for a crop's middle of ``side`` pixels."""
    reach = CROP_SCALE * side / CROP_SIZE
    axis = torch.linspace(-reach, reach, scaled)
    across, up = axis[None, :] / ACROSS, axis[:, None] / UP
    return (across**2 + up**2 < 1).float()


def region_weights(side: int, scaled: int, size: int) -> Tensor:
    """Shares of a feature map's cells inside and outside the face, float32 [size * size, 2], each summing to 1."""
    inside = face_mask(side, scaled)
    masks = torch.stack([inside, 1 - inside])
    pooled = functional.adaptive_avg_pool2d(masks, size).flatten(1)
    return (pooled / pooled.sum(1, keepdim=True)).T.contiguous()


class RegionStatistics(nn.Module):
    """Crops 0..255 [N, 3, 176, 176] to statistics [N, D] of a frozen EfficientNet-Lite0 (None: random, for tests).

    One zoom's statistics follow the other's; ``size`` is how many one zoom has.
    """

    def __init__(self, weights: Path | None) -> None:
        super().__init__()
        whole = Backbone()
        if weights is not None:
            load_imagenet(whole, weights)
        self.backbone = nn.ModuleList(list(fold_normalisation(whole.layers))[: READ_LAYERS[-1] + 1])
        self.requires_grad_(False)
        channels_last(self)
        self.size = 0
        with torch.inference_mode():
            for zoom, (side, scaled) in enumerate(ZOOMS):
                maps = self._maps(torch.zeros(1, 3, CROP_SIZE, CROP_SIZE), side, scaled)
                for i, features in enumerate(maps):
                    self.register_buffer(f"regions_{zoom}_{i}", region_weights(side, scaled, features.shape[-1]))
                self.size = 4 * sum(features.shape[1] for features in maps)

    def _maps(self, images: Tensor, side: int, scaled: int) -> list[Tensor]:
        margin = (CROP_SIZE - side) // 2
        x = images[:, :, margin : margin + side, margin : margin + side]
        if scaled != side:
            x = functional.interpolate(x, (scaled, scaled), mode="bilinear", align_corners=False)
        x = (x - MEAN) / STD
        maps = []
        for i, layer in enumerate(self.backbone):
            x = layer(x)
            if i in READ_LAYERS:
                maps.append(x)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        parts = []
        for zoom, (side, scaled) in enumerate(ZOOMS):
            for i, features in enumerate(self._maps(images, side, scaled)):
                flat, regions = features.flatten(2), self.get_buffer(f"regions_{zoom}_{i}")
                mean = flat @ regions
                variance = (flat * flat) @ regions - mean * mean
                spread = torch.log(variance.clamp(min=0) + SMALLEST_VARIANCE) / 2
                parts += [mean.flatten(1), spread.flatten(1)]
        return torch.cat(parts, 1)


def expert(zooms: Sequence[Perceptron]) -> Expert:
    """The mean of one perceptron a zoom."""
    size = zooms[0].hidden.in_features
    return Expert(zooms, [torch.arange(zoom * size, (zoom + 1) * size) for zoom in range(len(zooms))])


def mixture(experts: Sequence[Expert], gate: Gate) -> Mixture:
    """A member, each of whose experts judges its own kind of crops alone."""
    return Mixture(experts, gate, torch.eye(len(EXPERTS))).eval()


def empty_mixture(size: int, hidden: int) -> Mixture:
    """A member of untrained experts whose perceptrons have ``hidden`` units, for statistics of ``size`` a zoom."""
    experts = [expert([Perceptron(size, hidden) for _ in ZOOMS]) for _ in EXPERTS]
    return mixture(experts, Gate(size * len(ZOOMS), len(EXPERTS)))


class RegionMembers(nn.Module):
    """Images [N, 3, S, S] to each member's logit [N, members, 1]."""

    experts = 1
    # in int8 the backbone's first blocks alone cost 0.02 of AUC, the others next to nothing
    precise = re.compile(r"backbone\.[0-3](_\d+)?/")

    def __init__(self, statistics: RegionStatistics, members: Sequence[Mixture]) -> None:
        super().__init__()
        self.statistics = statistics
        self.members = nn.ModuleList(members)

    def forward(self, images: Tensor) -> Tensor:
        statistics = self.statistics(images)
        return torch.stack([member(statistics) for member in self.members], dim=1)[:, :, None]


def load_members(path: Path, statistics: RegionStatistics | None = None) -> tuple[RegionMembers, list[list[int]]]:
    """What `training.video.experts` wrote, and the folds that each member holds out."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    members = []
    for weights in state["members"]:
        hidden, size = weights["experts.0.perceptrons.0.layers.1.weight"].shape
        members.append(empty_mixture(size, hidden))
        members[-1].load_state_dict(weights)
    return RegionMembers(statistics or RegionStatistics(required_imagenet_weights()), members), state["held_out"]
