"""Which clips are learned from, and what their labels are drawn towards."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from training.common.manifest import Sample, split


def training_indices(samples: Sequence[Sample], fold: int | None, left_out: Sequence[str]) -> list[int]:
    """Samples to train on when `fold` is held out, without the families that are left out."""
    return [i for i in split(samples, fold)[0] if samples[i].family not in left_out]


def smoothed(labels: Tensor, smoothing: float) -> Tensor:
    """Labels drawn towards one half by `smoothing`."""
    return labels * (1 - smoothing) + smoothing / 2
