"""How much an expert's logit is worth under each condition, learned from clips that its members never saw."""

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
from training.common.calibration import fit
from training.common.manifest import sampling_weights


@dataclass(frozen=True)
class Judged:
    """Copies of clips that met one condition, by the expert for it and by members that never saw them.

    Attributes:
        logits, labels: of every copy, (N,); 1 for fake.
        counts: how much a copy counts, (N,): both labels alike, a source by the root of its size.
    """

    logits: NDArray[np.float64]
    labels: NDArray[np.int64]
    counts: NDArray[np.float64]


def judge(pool: Pool, features: NDArray[np.float16], fold: int, members: Members, recipe: Recipe) -> dict[str, Judged]:
    """The fold's own clips of the first corpus, nothing that was made for training, by condition."""
    samples = pool.corpora[0].samples
    rows = [i for i, s in enumerate(samples) if s.fold == fold and s.family not in recipe.left_out_families]
    own = [samples[i] for i in rows]
    labels, counts = np.asarray([s.label for s in own], np.int64), np.asarray(sampling_weights(own))
    met, judged = recipe.prepare.conditions, {}
    for name, expert in recipe.mixture.experts.items():
        for condition in expert.judges:
            copies = [copy for copy, other in enumerate(met) if other == condition]
            heard = torch.from_numpy(features[np.ix_(copies, rows)]).float().flatten(0, 1)
            with torch.no_grad():
                logits = members.experts[name](heard).double().numpy()
            judged[condition] = Judged(logits, np.tile(labels, len(copies)), np.tile(counts, len(copies)))
    return judged


def weigh(judged: Sequence[Mapping[str, Judged]], recipe: Recipe) -> Tensor:
    """Weights (conditions, experts + 1) by Platt scaling of each condition: one expert's, and last what is added."""
    experts, conditions = recipe.mixture.experts, list(recipe.prepare.copies)
    weights = torch.zeros(len(conditions), len(experts) + 1)
    for column, expert in enumerate(experts.values()):
        for condition in expert.judges:
            parts = [fold[condition] for fold in judged]
            counts = np.concatenate([part.counts for part in parts])
            scaling = fit(
                np.concatenate([part.logits for part in parts]),
                np.concatenate([part.labels for part in parts]),
                counts / counts.mean(),
            )
            row = weights[conditions.index(condition)]
            row[column], row[-1] = 1 / scaling.temperature, scaling.bias
    return weights


def weights_of_folds(judged: Mapping[int, Mapping[str, Judged]], recipe: Recipe) -> dict[int, Tensor]:
    """Every fold's weights, from the clips of the others."""
    return {fold: weigh([part for other, part in judged.items() if other != fold], recipe) for fold in judged}
