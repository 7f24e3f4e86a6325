"""How the two experts are joined: each is scaled and shifted, then "at least one is right"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from training.video.network import either

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fusion:
    """Scale and offset of each expert's logit before they are joined: (blended in, synthesized whole), or of one."""

    scale: tuple[float, ...] = (1.0, 1.0)
    offset: tuple[float, ...] = (0.0, 0.0)

    def joint(self, experts: npt.NDArray[np.floating[Any]]) -> Array:
        """Logit of "at least one expert is right" [...] of the experts' logits [..., 2], or of the only one."""
        scaled = experts.astype(np.float64) * np.array(self.scale) + np.array(self.offset)
        if scaled.shape[-1] == 1:
            return np.asarray(scaled[..., 0], np.float64)
        a, b = scaled[..., 0], scaled[..., 1]
        return np.asarray(np.logaddexp(np.logaddexp(a, b), a + b), np.float64)


ALONE = Fusion((1.0,), (0.0,))
"""Of a member with one expert."""


def fit_fusion(experts: Array, labels: npt.NDArray[np.int64], weights: Array, pull: float = 0.01) -> Fusion:
    """Scales and offsets with the least weighted cross-entropy of the joint logit on held-out crops.

    ``experts`` [N, 2], ``labels`` and ``weights`` [N]. Scales stay positive, and ``pull`` draws them to 1: an
    expert that tells nothing on methods it never saw is turned down instead of adding noise.
    """
    x, y, w = torch.from_numpy(experts), torch.from_numpy(labels.astype(np.float64)), torch.from_numpy(weights)
    log_scale = nn.Parameter(torch.zeros(2, dtype=torch.float64))
    offset = nn.Parameter(torch.zeros(2, dtype=torch.float64))
    optimizer = torch.optim.LBFGS([log_scale, offset], max_iter=100, line_search_fn="strong_wolfe")

    def objective() -> torch.Tensor:
        optimizer.zero_grad()
        logits = either(x * log_scale.exp() + offset)
        loss = functional.binary_cross_entropy_with_logits(logits, y, weight=w) + pull * (log_scale**2).sum()
        loss = loss + pull / 100 * (offset**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(objective)  # type: ignore[no-untyped-call]
    scale, shift = log_scale.detach().exp().tolist(), offset.detach().tolist()
    return Fusion((round(scale[0], 5), round(scale[1], 5)), (round(shift[0], 5), round(shift[1], 5)))
