"""Train the experts on what the front end hears, and their gate, for one held-out fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.audio import recipe as settings
from training.audio.batches import smoothed, training_indices
from training.audio.front import Front
from training.audio.frontend import SAMPLE_RATE, TELEPHONE_HZ
from training.audio.pool import Pool, random_for
from training.audio.recipe import CLEAN, Recipe
from training.common.command import log
from training.common.content import key_of
from training.common.manifest import sampling_weights
from training.common.perceptrons import Expert, Gate, Perceptron, Standard, descend, merge

LANDLINE = "landline"


@dataclass(frozen=True)
class Members:
    """What learned for a held-out fold: experts by name, and the gate over `conditions`."""

    experts: Mapping[str, Expert]
    gate: Gate


class Checkpoints:
    """Where a fold's members lie: by what decides each, so that a change of one leaves the others."""

    def __init__(self, folder: Path, pool: Pool, front: Path, recipe: Recipe) -> None:
        self._folder, self._mixture = folder, recipe.mixture
        learning = {k: v for k, v in asdict(recipe.mixture).items() if k not in {"gate", "experts"}}
        self._decisive = (recipe.seed, recipe.prepare, recipe.left_out_families, learning, pool.key, front.stem)

    def gate(self, fold: int) -> Path:
        """The gate of a fold."""
        return self._path("gate", self._mixture.gate, fold)

    def bag(self, name: str, view: str, fold: int) -> Path:
        """An expert's bag on one of its views."""
        expert = replace(self._mixture.experts[name], judges=(), views=(view,))
        return self._path(f"{name}_{view}", expert, fold)

    def _path(self, name: str, part: object, fold: int) -> Path:
        return self._folder / f"{name}_{fold}_{key_of(self._decisive, part)}.pt"


def train(pool: Pool, features: NDArray[np.float16], fold: int, recipe: Recipe, checkpoints: Checkpoints) -> None:
    """Train the bags and the gate of a held-out fold that are not there yet."""
    s, data, front = recipe.mixture, _Data(pool, features, fold, recipe), Front()
    if not (path := checkpoints.gate(fold)).exists():
        _save(_gate(data, s, random_for(recipe.seed, "gate", fold)), path)
    for name, expert in s.experts.items():
        for view in expert.views:
            if (path := checkpoints.bag(name, view, fold)).exists():
                continue
            rng = random_for(recipe.seed, "expert", name, view, fold)
            torch.manual_seed(int(rng.integers(2**31)))
            _save(merge(_bag(data, expert, _columns(front, expert, view), s, rng=rng)), path)
            log(f"fold {fold}: {name} on {view}")


def load(fold: int, recipe: Recipe, checkpoints: Checkpoints) -> Members:
    """The trained members of a fold. Raises FileNotFoundError when some are not trained."""
    front, experts = Front(), {}
    for name, expert in recipe.mixture.experts.items():
        perceptrons = []
        for view in expert.views:
            state = _read(checkpoints.bag(name, view, fold))
            hidden, size = state["layers.1.weight"].shape
            perceptrons.append(Perceptron(size, hidden))
            perceptrons[-1].load_state_dict(state)
        experts[name] = Expert(perceptrons, [_columns(front, expert, view) for view in expert.views]).eval()
    state = _read(checkpoints.gate(fold))
    kinds, size = state["layer.weight"].shape
    gate = Gate(size, kinds)
    gate.load_state_dict(state)
    return Members(experts, gate.eval())


def _save(network: nn.Module, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), part := path.with_suffix(".part"))
    part.replace(path)


def _read(path: Path) -> dict[str, Tensor]:
    if not path.exists():
        raise FileNotFoundError(f"{path.name} is not trained yet: run train with this recipe and these clips first")
    state: dict[str, Tensor] = torch.load(path, weights_only=True)
    return state


def _columns(front: Front, expert: settings.Expert, view: str) -> Tensor:
    return front.columns(view, TELEPHONE_HZ if expert.telephone_band else SAMPLE_RATE // 2)


class _Data:
    """Training clips of a fold: features (copies, clips, size), labels, sources, chances to be drawn."""

    def __init__(self, pool: Pool, features: NDArray[np.float16], fold: int | None, recipe: Recipe) -> None:
        rows = training_indices(pool.samples, fold, recipe.left_out_families)
        samples = [pool.samples[i] for i in rows]
        self.features = torch.from_numpy(features[:, rows])
        self.labels = torch.tensor([float(s.label) for s in samples])
        self.sources = np.asarray([s.source for s in samples])
        self.narrow = torch.tensor([0 < float(s.fields.get("src_sr") or 0) <= 2 * TELEPHONE_HZ for s in samples])
        self.chances = np.asarray(sampling_weights(samples))
        self.conditions = list(recipe.prepare.copies)
        self.met = np.asarray([self.conditions.index(name) for name in recipe.prepare.conditions])
        if len(self.met) != len(features):
            raise ValueError(f"{len(features)} copies of the clips, not {len(self.met)} as configured")

    def copies(self, shares: Mapping[str, float]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Copies of the conditions with a share, and the chance of each."""
        each = np.asarray([shares.get(self.conditions[c], 0.0) / (self.met == c).sum() for c in self.met])
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
    data: _Data, expert: settings.Expert, columns: Tensor, s: settings.Mixture, *, rng: np.random.Generator
) -> list[Perceptron]:
    used, chances = data.copies(expert.shares)
    features = torch.stack([data.features[copy][:, columns].float() for copy in used])
    standard = Standard(features.shape[2])
    standard.fit(features.flatten(0, 1))
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
    s: settings.Mixture,
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
    s: settings.Mixture,
    *,
    epochs: int,
    rng: np.random.Generator,
) -> None:
    """Lower the loss of batches, given by their rows and which of the used copies each is."""
    steps = epochs * max(1, len(data.labels) // s.batch_size)

    def loss() -> Tensor:
        return loss_of(*data.draw(s.batch_size, chances, rng))

    descend(net, loss, steps=steps, learning_rate=s.learning_rate, weight_decay=s.weight_decay)


def _gate(data: _Data, s: settings.Mixture, rng: np.random.Generator) -> Gate:
    """Clips recorded at a telephone's rate count as landline clips even when nothing else was done to them."""
    torch.manual_seed(int(rng.integers(2**31)))
    used, chances = data.copies(s.gate.shares)
    features = torch.stack([data.features[copy].float() for copy in used])
    gate = Gate(features.shape[2], len(data.conditions))
    gate.standard.fit(features.flatten(0, 1))
    met = torch.from_numpy(data.met[used])
    clean, landline = (data.conditions.index(name) for name in (CLEAN, LANDLINE))

    def loss_of(rows: Tensor, copy: Tensor) -> Tensor:
        kind = met[copy]
        kind = torch.where((kind == clean) & data.narrow[rows], landline, kind)
        return nn.functional.cross_entropy(gate.logits(features[copy, rows]), kind)

    _descend(gate, loss_of, chances, data, s, epochs=s.gate.epochs, rng=rng)
    return gate
