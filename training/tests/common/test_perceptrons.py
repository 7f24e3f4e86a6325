from __future__ import annotations

import torch

from training.common.perceptrons import Perceptron, merge


def test_a_merged_bag_gives_the_mean_of_its_logits() -> None:
    torch.manual_seed(0)
    bag = [Perceptron(6, 4).eval() for _ in range(3)]
    features = torch.randn(5, 6)
    together = merge(bag)(features)
    assert torch.allclose(together, torch.stack([net(features) for net in bag]).mean(dim=0), atol=1e-6)
