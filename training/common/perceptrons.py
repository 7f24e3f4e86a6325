"""Small perceptrons on features, a gate that tells kinds of samples apart, and the mixture of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


class Standard(nn.Module):
    """Standardises features (N, size) and limits them to five deviations."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))

    def fit(self, features: Tensor) -> None:
        """Take mean and deviation from training features (N, size)."""
        self.get_buffer("mean").copy_(features.mean(dim=0))
        self.get_buffer("scale").copy_(features.std(dim=0) + 1e-3)

    def forward(self, features: Tensor) -> Tensor:
        return ((features - self.get_buffer("mean")) / self.get_buffer("scale")).clamp(-5, 5)


class Perceptron(nn.Module):
    """Features (N, size) to a logit (N,), by one hidden layer."""

    def __init__(self, size: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.standard = Standard(size)
        self.layers = nn.Sequential(
            nn.Dropout(dropout / 2),
            nn.Linear(size, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, 1),
        )

    @property
    def hidden(self) -> nn.Linear:
        """The layer from the standardised features."""
        return _linear(self.layers[1])

    @property
    def output(self) -> nn.Linear:
        """The layer to the logit."""
        return _linear(self.layers[4])

    def forward(self, features: Tensor) -> Tensor:
        logit: Tensor = self.layers(self.standard(features))
        return logit[:, 0]


class Expert(nn.Module):
    """The mean logit (N,) of several perceptrons, each on its own part of the features (N, size).

    `columns` say which features make a part, each (size of the part,); parts may overlap.
    """

    def __init__(self, perceptrons: Sequence[Perceptron], columns: Sequence[Tensor]) -> None:
        super().__init__()
        self.perceptrons = nn.ModuleList(perceptrons)
        self.columns = tuple(columns)

    def forward(self, features: Tensor) -> Tensor:
        parts = [features[:, columns] for columns in self.columns]
        return torch.stack([p(part) for p, part in zip(self.perceptrons, parts, strict=True)]).mean(dim=0)


class Gate(nn.Module):
    """Features (N, size) to the chances (N, kinds) that a sample is of each kind: clean, degraded, ..."""

    def __init__(self, size: int, kinds: int) -> None:
        super().__init__()
        self.standard = Standard(size)
        self.layer = nn.Linear(size, kinds)

    def logits(self, features: Tensor) -> Tensor:
        """Before the softmax."""
        logits: Tensor = self.layer(self.standard(features))
        return logits

    def forward(self, features: Tensor) -> Tensor:
        return self.logits(features).softmax(dim=1)


def merge(bag: Sequence[Perceptron]) -> Perceptron:
    """One perceptron whose logit is the mean of a bag's, which all standardise alike."""
    merged = Perceptron(bag[0].hidden.in_features, sum(net.hidden.out_features for net in bag))
    merged.standard.load_state_dict(bag[0].standard.state_dict())
    with torch.no_grad():
        merged.hidden.weight.copy_(torch.cat([net.hidden.weight for net in bag]))
        merged.hidden.bias.copy_(torch.cat([net.hidden.bias for net in bag]))
        merged.output.weight.copy_(torch.cat([net.output.weight for net in bag], dim=1) / len(bag))
        merged.output.bias.copy_(torch.stack([net.output.bias for net in bag]).mean(dim=0))
    return merged


def descend(
    net: nn.Module,
    loss: Callable[[], Tensor],
    *,
    steps: int,
    learning_rate: float,
    weight_decay: float,
    warmup_share: float = 0.3,
) -> None:
    """Lower a loss, which draws its own batch, by AdamW under a learning rate that rises and falls once."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=warmup_share)
    for _ in range(steps):
        value = loss()
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()


def _linear(layer: nn.Module) -> nn.Linear:
    if not isinstance(layer, nn.Linear):
        raise TypeError("a linear layer was expected here")
    return layer


class Mixture(nn.Module):
    """The members of one fold: features (N, size) to a logit (N,).

    Each expert is trained on some kinds of samples; the gate tells which kind a sample is, and `weights`
    (kinds, experts + 1) says how much each expert's logit counts for each kind, and last what is added. A mixture of
    experts (Jacobs et al. 1991), but with experts, gate and weights trained apart, so that no expert is spoilt by
    samples that it does not judge.
    """

    def __init__(self, experts: Sequence[nn.Module], gate: Gate, weights: Tensor) -> None:
        super().__init__()
        self.experts = nn.ModuleList(experts)
        self.gate = gate
        self.register_buffer("weights", weights[:, :-1].clone())
        self.register_buffer("offsets", weights[:, -1:].clone())

    def forward(self, features: Tensor) -> Tensor:
        logits = torch.stack([expert(features) for expert in self.experts], dim=1)
        chances = self.gate(features)
        mixed: Tensor = (chances @ self.get_buffer("weights") * logits).sum(dim=1)
        offsets: Tensor = chances @ self.get_buffer("offsets")
        return mixed + offsets[:, 0]
