from __future__ import annotations

import numpy as np
import pytest
import torch

from training.audio import recipe
from training.audio.weigh import Judged, weigh, weights_of_folds

RECIPE = recipe.load()
CONDITIONS, EXPERTS = list(RECIPE.prepare.copies), list(RECIPE.mixture.experts)


def judged(seed: int, shift: float = 0.0, scale: float = 1.0) -> dict[str, Judged]:
    """Every condition judged alike well, the second one's logits moved and stretched."""
    rng = np.random.default_rng(seed)
    parts = {}
    for number, condition in enumerate(CONDITIONS):
        labels = np.arange(4000) % 2
        logits = rng.normal(2.0 * labels - 1.0, 1.0)
        parts[condition] = Judged(scale * logits + shift if number == 1 else logits, labels, np.ones(4000))
    return parts


def test_each_condition_is_judged_by_its_expert_alone() -> None:
    weights = weigh([judged(0)], RECIPE)
    assert weights.shape == (len(CONDITIONS), len(EXPERTS) + 1)
    for condition, row in zip(CONDITIONS, weights[:, :-1], strict=True):
        (column,) = row.nonzero()
        assert condition in RECIPE.mixture.experts[EXPERTS[int(column)]].judges


def test_conditions_are_brought_to_one_scale() -> None:
    plain, moved = weigh([judged(0)], RECIPE), weigh([judged(0, shift=3.0, scale=2.0)], RECIPE)
    assert moved[1, :-1].sum() == pytest.approx(float(plain[1, :-1].sum()) / 2, rel=0.01)
    assert moved[1, -1] == pytest.approx(float(plain[1, -1] - 1.5 * plain[1, :-1].sum()), abs=0.02)
    assert torch.equal(moved[2:], plain[2:])


def test_a_fold_has_no_say_in_its_own_weights() -> None:
    others = {1: judged(1), 2: judged(2)}
    first = weights_of_folds({0: judged(3), **others}, RECIPE)
    second = weights_of_folds({0: judged(3, shift=2.0), **others}, RECIPE)
    assert torch.equal(first[0], second[0])
    assert not torch.allclose(first[1], second[1], atol=0.1)


def test_a_condition_without_an_expert_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    text = recipe.DEFAULT.read_text(encoding="utf-8").replace(', "room", "music"]', ', "music"]')
    path = tmp_path_factory.mktemp("recipe") / "gap.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="every condition needs one expert"):
        recipe.load(path)
