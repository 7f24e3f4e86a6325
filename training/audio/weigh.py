"""How much each expert counts under each condition, learned from clips that its members never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.audio.experts import Members
from training.audio.pool import Pool
from training.audio.recipe import Recipe
from training.common.manifest import sampling_weights


@dataclass(frozen=True)
class Judged:
    """Clips that one fold holds out and all their copies, by that fold's members; a row is a copy of a clip.

    Attributes:
        logits: of every expert, (rows, experts).
        chances: of every condition as the gate hears it, (rows, conditions).
        labels: 1 for fake, (rows,).
        counts: how much a row counts, (rows,): sources by the root of their size, and every condition alike.
    """

    logits: Tensor
    chances: Tensor
    labels: Tensor
    counts: Tensor


def judge(pool: Pool, features: NDArray[np.float16], fold: int, members: Members, recipe: Recipe) -> Judged:
    """The fold's own clips of the first corpus; nothing that was made for training."""
    samples = pool.corpora[0].samples
    rows = [i for i, s in enumerate(samples) if s.fold == fold and s.family not in recipe.left_out_families]
    met = recipe.prepare.conditions
    each = torch.tensor([1 / met.count(name) for name in met])
    own = torch.tensor(sampling_weights([samples[i] for i in rows]))
    with torch.no_grad():
        logits, chances = [], []
        for copy in range(len(met)):
            heard = torch.from_numpy(features[copy, rows]).float()
            logits.append(torch.stack([expert(heard) for expert in members.experts.values()], dim=1))
            chances.append(members.gate(heard))
    labels = torch.tensor([float(samples[i].label) for i in rows]).repeat(len(met))
    return Judged(torch.cat(logits), torch.cat(chances), labels, torch.outer(each, own).flatten())


def weigh(parts: Sequence[Judged], penalty: float) -> Tensor:
    """Weights (conditions, experts + 1), the last an offset, by logistic regression.

    A condition's are those that all share and small ones of its own.
    """
    logits, chances, labels, counts = (
        torch.cat([getattr(part, name) for part in parts]).double()
        for name in ("logits", "chances", "labels", "counts")
    )
    counts = counts / counts.sum()
    inputs = torch.cat([logits, torch.ones(len(logits), 1, dtype=torch.float64)], dim=1)
    shared = torch.zeros(inputs.shape[1], dtype=torch.float64, requires_grad=True)
    own = torch.zeros(chances.shape[1], inputs.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([shared, own], max_iter=300, line_search_fn="strong_wolfe")

    def objective() -> Tensor:
        optimizer.zero_grad()
        mixed = (inputs * (chances @ own + shared)).sum(dim=1)
        losses = torch.nn.functional.binary_cross_entropy_with_logits(mixed, labels, weight=counts, reduction="sum")
        total = losses + penalty * own.square().sum() + 1e-3 * shared.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(objective)  # type: ignore[no-untyped-call]
    return (own + shared).detach().float()


def weights_of_folds(judged: Mapping[int, Judged], penalty: float) -> dict[int, Tensor]:
    """Every fold's weights, from the clips of the others."""
    return {fold: weigh([part for other, part in judged.items() if other != fold], penalty) for fold in judged}
