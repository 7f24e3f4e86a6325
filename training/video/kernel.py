"""Which clips' statistics a frame's are like: a kernel on landmarks, and members that weigh the likenesses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from training.common.perceptrons import Standard
from training.video.backbone import required_imagenet_weights
from training.video.regions import ZOOMS, RegionStatistics


class LandmarkKernel(nn.Module):
    """Statistics [N, D] to their likeness [N, L], 0..1, to landmarks: the mean of a Gaussian kernel a zoom.

    A zoom's kernel is exp(-sharpness d^2 / m) of standardised statistics, where m is the median d^2 of two landmarks.
    """

    def __init__(self, landmarks: int, size: int) -> None:
        super().__init__()
        self.standard = Standard(size)
        self.register_buffer("landmarks", torch.zeros(landmarks, size))
        self.register_buffer("lengths", torch.zeros(len(ZOOMS), landmarks))
        self.register_buffer("scale", torch.ones(len(ZOOMS)))

    def fit(self, landmarks: Tensor, sharpness: float) -> None:
        """Take these statistics [L, D] as landmarks."""
        self.standard.fit(landmarks)
        places = self.standard(landmarks)
        parts = places.chunk(len(ZOOMS), dim=1)
        lengths = [part.square().sum(1) for part in parts]
        self.get_buffer("landmarks").copy_(places)
        self.get_buffer("lengths").copy_(torch.stack(lengths))
        medians = [squares(part, part, length).median() for part, length in zip(parts, lengths, strict=True)]
        self.get_buffer("scale").copy_(sharpness / torch.stack(medians))

    def forward(self, statistics: Tensor) -> Tensor:
        parts = self.standard(statistics).chunk(len(ZOOMS), dim=1)
        marks = self.get_buffer("landmarks").chunk(len(ZOOMS), dim=1)
        lengths, scale = self.get_buffer("lengths"), self.get_buffer("scale")
        each = [
            torch.exp(-squares(part, mark, lengths[i]) * scale[i])
            for i, (part, mark) in enumerate(zip(parts, marks, strict=True))
        ]
        return torch.stack(each).mean(0)


def squares(a: Tensor, b: Tensor, lengths: Tensor) -> Tensor:
    """Squared distances [N, M] of rows [N, D] and [M, D], whose squared `lengths` are [M]."""
    return (a.square().sum(1, keepdim=True) + lengths - 2 * a @ b.T).clamp(min=0)


class KernelMembers(nn.Module):
    """Views 0..255 [N, 3, 2S, S] to ``logit`` [N], the weighted sum of the members' logits, and ``members`` [N, M].

    A member held out some folds and gives their landmarks no weight; `weights` that leave all members but one out make
    the graph that never saw its folds.
    """

    def __init__(self, statistics: RegionStatistics, kernel: LandmarkKernel, members: int) -> None:
        super().__init__()
        self.statistics = statistics
        self.kernel = kernel
        self.heads = nn.Linear(kernel.get_buffer("landmarks").shape[0], members)
        self.register_buffer("weights", torch.full((members,), 1 / members))

    def forward(self, views: Tensor) -> tuple[Tensor, Tensor]:
        logits: Tensor = self.heads(self.kernel(self.statistics(views)))
        return (logits * self.get_buffer("weights")).sum(1), logits


def load_members(path: Path, statistics: RegionStatistics | None = None) -> tuple[KernelMembers, Sequence[list[int]]]:
    """What `train.train_members` wrote, and the folds that each member holds out."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    kernel = LandmarkKernel(*state["kernel"]["landmarks"].shape)
    kernel.load_state_dict(state["kernel"])
    members = KernelMembers(
        statistics or RegionStatistics(required_imagenet_weights()), kernel, len(state["held_out"])
    ).eval()
    members.heads.load_state_dict(state["heads"])
    return members, state["held_out"]
