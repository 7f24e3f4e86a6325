from __future__ import annotations

import torch

from training.common.perceptrons import Expert, Perceptron, merge


def test_a_merged_bag_gives_the_mean_of_its_logits() -> None:
    torch.manual_seed(0)
    bag = [Perceptron(6, 4).eval() for _ in range(3)]
    features = torch.randn(5, 6)
    together = merge(bag)(features)
    assert torch.allclose(together, torch.stack([net(features) for net in bag]).mean(dim=0), atol=1e-6)


def test_an_expert_is_the_mean_of_perceptrons_that_each_hear_their_own_part() -> None:
    torch.manual_seed(0)
    first, second = Perceptron(4, 4).eval(), Perceptron(5, 4).eval()
    features = torch.randn(6, 8)
    expected = (first(features[:, :4]) + second(features[:, [0, 4, 5, 6, 7]])) / 2
    parts = [torch.arange(4), torch.tensor([0, 4, 5, 6, 7])]
    assert torch.allclose(Expert([first, second], parts)(features), expected, atol=1e-6)
