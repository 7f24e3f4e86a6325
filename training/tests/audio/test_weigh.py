from __future__ import annotations

import pytest
import torch

from training.audio.weigh import Judged, weigh, weights_of_folds


def judged(seed: int, useful: int, rows: int = 4000) -> Judged:
    """Two experts and two conditions: under the first one expert knows the label, under the second the other does."""
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(rows, generator=generator) < 0.5).float()
    condition = (torch.rand(rows, generator=generator) < 0.5).long()
    logits = torch.randn(rows, 2, generator=generator)
    knows = (condition + useful) % 2
    logits[torch.arange(rows), knows] += 2 * labels
    chances = torch.nn.functional.one_hot(condition, 2).float()
    return Judged(logits, chances, labels, torch.ones(rows) / rows)


def test_an_expert_counts_where_it_knows_something() -> None:
    weights = weigh([judged(0, useful=0)], penalty=1e-4)
    assert weights.shape == (2, 3)
    assert weights[0, 0] > 1.5 > 0.3 > abs(float(weights[0, 1]))
    assert weights[1, 1] > 1.5 > 0.3 > abs(float(weights[1, 0]))


def test_a_penalty_makes_conditions_alike() -> None:
    weights = weigh([judged(0, useful=0)], penalty=100.0)
    assert torch.allclose(weights[0], weights[1], atol=0.01)


def test_a_fold_has_no_say_in_its_own_weights() -> None:
    others = {1: judged(1, useful=0), 2: judged(2, useful=0)}
    first = weights_of_folds({0: judged(3, useful=0), **others}, 1e-3)
    second = weights_of_folds({0: judged(3, useful=1), **others}, 1e-3)
    assert torch.equal(first[0], second[0])
    assert not torch.allclose(first[1], second[1], atol=0.1)
    assert first[0][0, 0] == pytest.approx(2, abs=0.5)
