"""Train the experts on modulation-spectrum features, and their gate, for one held-out fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.audio import recipe as settings
from training.audio.batches import smoothed, training_indices
from training.audio.frontend import TELEPHONE_HZ, ModulationSpectrum
from training.audio.pool import Pool, random_for
from training.audio.recipe import Modspec, Recipe
from training.common.manifest import sampling_weights
from training.common.perceptrons import Expert, Gate, Mixture, Perceptron, Standard, descend, merge

KINDS = CLEAN, DEGRADED, MOBILE, LANDLINE = range(4)


def train(pool: Pool, features: NDArray[np.float32], fold: int | None, recipe: Recipe, checkpoint: Path) -> Mixture:
    """Train the experts and the gate for a held-out fold, or read them from `checkpoint` when it is there."""
    s = recipe.modspec
    if not checkpoint.exists():
        data, front = _Data(pool, features, fold, recipe), ModulationSpectrum()
        state: dict[str, Any] = {"gate": _gate(data, s.gate, s, random_for(recipe.seed, "gate", fold)).state_dict()}
        for name, expert in s.experts.items():
            state[name] = []
            for view in expert.views:
                rng = random_for(recipe.seed, "modspec", name, view, fold)
                torch.manual_seed(int(rng.integers(2**31)))
                state[name].append(merge(_bag(data, expert, front, view, s, rng=rng)).state_dict())
        torch.save(state, checkpoint)
    return load(checkpoint, recipe)


def load(checkpoint: Path, recipe: Recipe) -> Mixture:
    """The trained members of a fold."""
    state = torch.load(checkpoint, weights_only=True)
    experts = []
    front = ModulationSpectrum()
    for name, expert in recipe.modspec.experts.items():
        perceptrons = []
        for weights in state[name]:
            hidden, size = weights["layers.1.weight"].shape
            perceptrons.append(Perceptron(size, hidden))
            perceptrons[-1].load_state_dict(weights)
        experts.append(Expert(perceptrons, [_columns(front, expert, view) for view in expert.views]))
    kinds, size = state["gate"]["layer.weight"].shape
    gate = Gate(size, kinds)
    gate.load_state_dict(state["gate"])
    shares = torch.tensor([e.weights for e in recipe.modspec.experts.values()]).T
    return Mixture(experts, gate, shares).eval()


def _columns(front: ModulationSpectrum, expert: settings.Expert, view: str) -> Tensor:
    return front.columns(view, TELEPHONE_HZ) if expert.telephone_band else front.columns(view)


class _Data:
    """Training clips of a fold: features (copies, clips, size), labels, sources, chances to be drawn."""

    def __init__(self, pool: Pool, features: NDArray[np.float32], fold: int | None, recipe: Recipe) -> None:
        rows = training_indices(pool.samples, fold, recipe.left_out_families)
        samples = [pool.samples[i] for i in rows]
        self.features = torch.from_numpy(features[:, rows])
        self.labels = torch.tensor([float(s.label) for s in samples])
        self.sources = np.asarray([s.source for s in samples])
        self.narrow = torch.tensor([0 < float(s.fields.get("src_sr") or 0) <= 2 * TELEPHONE_HZ for s in samples])
        self.chances = np.asarray(sampling_weights(samples))
        copies = np.repeat((CLEAN, DEGRADED, MOBILE, LANDLINE, DEGRADED), recipe.prepare.counts)
        self.kinds = np.concatenate([[CLEAN], copies])
        if len(self.kinds) != len(features):
            raise ValueError(f"{len(features)} copies of the clips, not {len(self.kinds)} as configured")

    def copies(self, shares: Sequence[float]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Copies of the kinds with a share, and the chance of each."""
        each = np.asarray([shares[k] / (self.kinds == k).sum() for k in self.kinds])
        used = np.flatnonzero(each)
        return used, each[used] / each[used].sum()

    def draw(self, size: int, chances: NDArray[np.float64], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Rows of a batch, and which of the used copies each is."""
        rows = rng.choice(len(self.labels), size, p=self.chances)
        return torch.from_numpy(rows), torch.from_numpy(rng.choice(len(chances), size, p=chances))


def damping(standard: Tensor, labels: Tensor, sources: NDArray[np.str_], strength: float) -> Tensor:
    """A symmetric matrix (size, size) that shrinks directions in which genuine sources differ.

    `standard` is (copies, clips, size). What tells one genuine recording source from another is nuisance:
    with eigenvalues v of the covariance of the sources' means (every copy on its own), directions shrink by
    (1 + strength v)^-1/2. After within-class covariance normalisation (Hatch et al. 2006).
    """
    genuine = labels.numpy() == 0
    names = np.unique(sources[genuine])
    rows = [torch.from_numpy(np.flatnonzero(genuine & (sources == name))) for name in names]
    means = torch.stack([torch.stack([copy[r].mean(dim=0) for r in rows]) for copy in standard])
    means = (means - means.mean(dim=1, keepdim=True)).flatten(0, 1).double()
    values, vectors = torch.linalg.eigh(means.T @ means / len(means))
    matrix: Tensor = (vectors / (1 + strength * values.clamp(min=0)).sqrt()) @ vectors.T
    return matrix.float()


def _bag(
    data: _Data, expert: settings.Expert, front: ModulationSpectrum, view: str, s: Modspec, *, rng: np.random.Generator
) -> list[Perceptron]:
    columns = _columns(front, expert, view)
    used, chances = data.copies(expert.shares)
    features = data.features[used][:, :, columns]
    standard = Standard(features.shape[2])
    standard.fit(features.flatten(0, 1))
    with torch.no_grad():
        inputs = standard(features)
    matrix = None
    if expert.nuisance:
        matrix = damping(inputs, data.labels, data.sources, expert.nuisance)
        inputs = inputs @ matrix
    bag = []
    for _ in range(s.seeds):
        net = Perceptron(inputs.shape[2], s.hidden, s.dropout)
        _fit(net, inputs, chances, data, s, rng=rng)
        with torch.no_grad():
            net.standard.load_state_dict(standard.state_dict())
            if matrix is not None:
                net.hidden.weight.copy_(net.hidden.weight @ matrix)
        bag.append(net.eval())
    return bag


def _fit(
    net: Perceptron,
    inputs: Tensor,
    chances: NDArray[np.float64],
    data: _Data,
    s: Modspec,
    *,
    rng: np.random.Generator,
) -> None:
    loss = nn.BCEWithLogitsLoss()

    def loss_of(rows: Tensor, copy: Tensor) -> Tensor:
        logits = net.layers(inputs[copy, rows])[:, 0]
        value: Tensor = loss(logits, smoothed(data.labels[rows], s.label_smoothing))
        return value

    net.train()
    _descend(net, loss_of, chances, data, s, epochs=s.epochs, rng=rng)


def _descend(
    net: nn.Module,
    loss_of: Callable[[Tensor, Tensor], Tensor],
    chances: NDArray[np.float64],
    data: _Data,
    s: Modspec,
    *,
    epochs: int,
    rng: np.random.Generator,
) -> None:
    """Lower the loss of batches, given by their rows and which of the used copies each is."""
    steps = epochs * max(1, len(data.labels) // s.batch_size)

    def loss() -> Tensor:
        return loss_of(*data.draw(s.batch_size, chances, rng))

    descend(net, loss, steps=steps, learning_rate=s.learning_rate, weight_decay=s.weight_decay)


def _gate(data: _Data, g: settings.Gate, s: Modspec, rng: np.random.Generator) -> Gate:
    """Clips recorded at a telephone's rate count as landline clips even when nothing else was done to them."""
    torch.manual_seed(int(rng.integers(2**31)))
    used, chances = data.copies(g.shares)
    features = data.features[used]
    gate = Gate(features.shape[2], len(KINDS))
    gate.standard.fit(features.flatten(0, 1))
    kinds = torch.from_numpy(data.kinds[used])

    def loss_of(rows: Tensor, copy: Tensor) -> Tensor:
        kind = kinds[copy]
        kind = torch.where((kind == CLEAN) & data.narrow[rows], LANDLINE, kind)
        return nn.functional.cross_entropy(gate.logits(features[copy, rows]), kind)

    _descend(gate, loss_of, chances, data, s, epochs=g.epochs, rng=rng)
    return gate
