"""What the shipped detector reads: statistics of ImageNet features inside the face and around it, at several zooms.

A swap leaves the face's inside unlike its surroundings, a generator its own texture everywhere. Mean and spread of
the middle layers' channels show both, and tell less about who is seen than the network's last features do. Some zooms
look at the residual alone, what a blur takes away, where neither the light nor the person is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.video.backbone import (
    MEAN,
    STD,
    Backbone,
    channels_last,
    fold_normalisation,
    load_imagenet,
)

# what the service cuts; larger faces are shrunk before their own pixels are looked at
CROP_SCALE, CROP_SIZE, NATIVE_FACE_PIXELS = 1.3538, 176, 208
# one block each of the backbone's stages with 40, 80, 112 and 192 channels
READ_LAYERS = (6, 8, 10, 13)
SMALLEST_VARIANCE = 1e-4
# the blur's deviation and reach in pixels, and how much what it takes away is enlarged
BLUR, BLUR_REACH, GAIN = 2.0, 6, 4.0


@dataclass(frozen=True)
class Zoom:
    """A crop's middle, ``side`` of its pixels wide, scaled to ``scaled``: as it is, or its ``residual``.

    ``native``: of the crop in the frame's own pixels.
    """

    side: int
    scaled: int
    residual: bool = False
    native: bool = False


ZOOMS = (Zoom(112, 144), Zoom(80, 128, residual=True), Zoom(144, 144, residual=True, native=True))
# half axes of the ellipse that holds the face, in half sides of the face's box
ACROSS, UP = 0.45, 0.55
# a face's larger side in a crop, and in the frame's own pixels, where it is the corpus's median
FACE_PIXELS, NATIVE_FACE = CROP_SIZE / CROP_SCALE, 176


def blur_matrix(size: int) -> Tensor:
    """A Gaussian blur of a line of pixels, float32 [size, size]: one factor for rows and one for columns."""
    distance = torch.arange(size)[:, None] - torch.arange(size)
    weights = torch.exp(-(distance**2) / (2 * BLUR**2)) * (distance.abs() <= BLUR_REACH)
    return weights / weights.sum(1, keepdim=True)


def residual_of(images: Tensor, blur: Tensor) -> Tensor:
    """What a blur takes away from images 0..255 [N, 3, S, S], enlarged and put around the middle grey.

    High-pass residuals as a detector's input: Fridrich and Kodovsky, "Rich Models for Steganalysis of Digital Images",
    IEEE TIFS 2012.
    """
    return (MEAN + GAIN * (images - blur @ images @ blur.T)).clamp(0, 255)


def face_mask(zoom: Zoom) -> Tensor:
    """1 inside the face's ellipse and 0 elsewhere, float32 [scaled, scaled]."""
    reach = zoom.side / (NATIVE_FACE if zoom.native else FACE_PIXELS)
    axis = torch.linspace(-reach, reach, zoom.scaled)
    across, up = axis[None, :] / ACROSS, axis[:, None] / UP
    return (across**2 + up**2 < 1).float()


def region_weights(zoom: Zoom, size: int) -> Tensor:
    """Shares of a feature map's cells inside and outside the face, float32 [size * size, 2], each summing to 1."""
    inside = face_mask(zoom)
    masks = torch.stack([inside, 1 - inside])
    pooled = functional.adaptive_avg_pool2d(masks, size).flatten(1)
    return (pooled / pooled.sum(1, keepdim=True)).T.contiguous()


class RegionStatistics(nn.Module):
    """Views 0..255 [N, 3, 352, 176] to statistics [N, D] of a frozen EfficientNet-Lite0 (None: random, for tests).

    A view is the crop and, below it, the native one. One zoom's statistics follow the other's; ``size`` is how many
    one zoom has.
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
            for i, zoom in enumerate(ZOOMS):
                if zoom.residual:
                    self.register_buffer(f"blur_{i}", blur_matrix(zoom.side))
                maps = self._maps(torch.zeros(1, 3, 2 * CROP_SIZE, CROP_SIZE), i, zoom)
                for j, features in enumerate(maps):
                    self.register_buffer(f"regions_{i}_{j}", region_weights(zoom, features.shape[-1]))
                self.size = 4 * sum(features.shape[1] for features in maps)

    def _maps(self, views: Tensor, index: int, zoom: Zoom) -> list[Tensor]:
        left = (CROP_SIZE - zoom.side) // 2
        top = left + CROP_SIZE * zoom.native
        x = views[:, :, top : top + zoom.side, left : left + zoom.side].float()
        if zoom.residual:
            x = residual_of(x, self.get_buffer(f"blur_{index}"))
        if zoom.scaled != zoom.side:
            x = functional.interpolate(x, (zoom.scaled, zoom.scaled), mode="bilinear", align_corners=False)
        x = (x - MEAN) / STD
        maps = []
        for i, layer in enumerate(self.backbone):
            x = layer(x)
            if i in READ_LAYERS:
                maps.append(x)
        return maps

    def forward(self, views: Tensor) -> Tensor:
        parts = []
        for i, zoom in enumerate(ZOOMS):
            for j, features in enumerate(self._maps(views, i, zoom)):
                flat, regions = features.flatten(2), self.get_buffer(f"regions_{i}_{j}")
                mean = flat @ regions
                variance = (flat * flat) @ regions - mean * mean
                spread = torch.log(variance.clamp(min=0) + SMALLEST_VARIANCE) / 2
                parts += [mean.flatten(1), spread.flatten(1)]
        return torch.cat(parts, 1)
