"""The tiny latent autoencoder of FLUX.2 (madebyollin/taesd, MIT): pictures through a generator's decoder."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

WIDTH, LATENTS, POOL = 64, 32, 256
STRIDE = 8


class _Block(nn.Module):
    """Three 3x3 convolutions with a residual; at the latent resolution with a normalised 1x1 branch before."""

    def __init__(self, pooled: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(3):
            layers += [nn.Conv2d(WIDTH, WIDTH, 3, padding=1)] + ([nn.ReLU()] if i < 2 else [])
        self.conv = nn.Sequential(*layers)
        self.pool = (
            nn.Sequential(
                nn.Conv2d(WIDTH, POOL, 1, bias=False),
                nn.GroupNorm(4, POOL),
                nn.ReLU(),
                nn.Conv2d(POOL, WIDTH, 1, bias=False),
            )
            if pooled
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.pool is not None:
            x = x + self.pool(x)
        return torch.relu(self.conv(x) + x)


class _Bounded(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x / 3) * 3


def encoder() -> nn.Sequential:
    """Pictures 0..1 [N, 3, H, W], sides multiples of 8, to latents [N, 32, H/8, W/8]."""
    layers: list[nn.Module] = [nn.Conv2d(3, WIDTH, 3, padding=1), _Block()]
    for stage in range(3):
        layers.append(nn.Conv2d(WIDTH, WIDTH, 3, stride=2, padding=1, bias=False))
        layers += [_Block(pooled=stage == 2) for _ in range(3)]
    return nn.Sequential(*layers, nn.Conv2d(WIDTH, LATENTS, 3, padding=1))


def decoder() -> nn.Sequential:
    """Latents to pictures 0..1."""
    layers: list[nn.Module] = [_Bounded(), nn.Conv2d(LATENTS, WIDTH, 3, padding=1), nn.ReLU()]
    for stage in range(3):
        layers += [_Block(pooled=stage == 0) for _ in range(3)]
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False)]
    return nn.Sequential(*layers, _Block(), nn.Conv2d(WIDTH, 3, 3, padding=1))


def load_autoencoder(folder: Path) -> nn.Sequential:
    """Encoder and decoder in one, with the weights ``taef2_encoder.pth`` and ``taef2_decoder.pth``."""
    parts = []
    for build, name in ((encoder, "taef2_encoder.pth"), (decoder, "taef2_decoder.pth")):
        part = build()
        stored = torch.load(folder / name, map_location="cpu", weights_only=True)
        part.load_state_dict({k: v.float() for k, v in stored.items()})
        parts.append(part)
    return nn.Sequential(*parts).eval()
