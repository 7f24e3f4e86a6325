"""Train the shipped detector: for each member perceptrons on `regions`' statistics, experts joined by a gate.

python -m training.video.experts --corpus ../shared/data/video

It reads the statistics of every crop and of changed copies of it (kept in the work folder, where a run that was
stopped goes on), trains in minutes and writes ``experts.pt``, which `training.video.export --experts` reads.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from training.common.manifest import sampling_weights
from training.common.paths import key_of
from training.common.perceptrons import Mixture, Perceptron, Standard, descend, merge
from training.common.regression import logistic_regression
from training.video.augment import cut, cut_native, degrade, random_view, retouch
from training.video.corpus import Pixels, is_used
from training.video.network import as_images, required_imagenet_weights
from training.video.prepare import (
    CROP_SCALE,
    CROP_SIZE,
    NATIVE_FACE_PIXELS,
    STORED_SCALE,
    Prepared,
    arguments,
    load_prepared,
)
from training.video.regions import EXPERTS, READ_LAYERS, ZOOMS, LastZoomGate, RegionStatistics, expert, mixture
from training.video.train import training_rows

BATCH = 16


@dataclass(frozen=True)
class Recipe:
    """How the experts and the gate are trained.

    Copy 0 is every view as the service cuts it; ``moved`` copies follow that are shifted, turned and mirrored, then as
    many as ``retouched`` and ``degraded`` say that are changed besides. The clean expert learns from all but the last
    kind, the degraded one from all. ``clean_odds`` say how much more the gate expects a crop to be undegraded than its
    examples are.
    """

    moved: int = 6
    retouched: int = 4
    degraded: int = 6
    seeds: int = 3
    hidden: int = 16
    dropout: float = 0.3
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    epochs: int = 40
    batch: int = 256
    gate_penalty: float = 2e-3
    clean_odds: float = 8.0

    @property
    def copies(self) -> int:
        return self.clean + self.degraded

    @property
    def clean(self) -> int:
        """How many copies are not degraded."""
        return 1 + self.moved + self.retouched


def copy_of(prepared: Prepared, row: int, copy: int, recipe: Recipe) -> Pixels:
    """A view as a copy has it, uint8 [2S, S, 3]; the same for the same row and copy."""
    if copy == 0:
        return np.asarray(prepared.views[row])
    rng = np.random.default_rng((copy, row))
    view, face = random_view(rng, CROP_SCALE), min(float(prepared.face_pixels[row]), NATIVE_FACE_PIXELS)
    crop = cut(np.asarray(prepared.stored[row]), view, STORED_SCALE, CROP_SIZE)
    native = cut_native(np.asarray(prepared.native[row]), view, face, CROP_SIZE)
    if recipe.moved < copy < recipe.clean:
        # the frame's own pixels stay as they are: they tell what the retouching would hide
        crop = retouch(crop, view.scale, np.random.default_rng((copy, row, 1)))
    seen = np.concatenate([crop, native])
    return degrade(seen, rng) if copy >= recipe.clean else seen


@torch.inference_mode()
def read_copy(prepared: Prepared, copy: int, recipe: Recipe, statistics: RegionStatistics) -> npt.NDArray[np.float32]:
    """The statistics [N, D] of one copy of every crop."""
    parts = []
    for start in range(0, len(prepared.samples), BATCH):
        rows = range(start, min(start + BATCH, len(prepared.samples)))
        crops = np.stack([copy_of(prepared, row, copy, recipe) for row in rows])
        parts.append(statistics(as_images(crops)).numpy())
    return np.concatenate(parts)


def measured(prepared: Prepared, recipe: Recipe, statistics: RegionStatistics, folder: Path) -> npt.NDArray[np.float32]:
    """The statistics [copies, N, D] of all copies; what the folder holds of these views is not read anew."""
    folder.mkdir(parents=True, exist_ok=True)
    views = blake2b(np.ascontiguousarray(prepared.views).data, digest_size=8).hexdigest()
    key = key_of(views, ZOOMS, READ_LAYERS, recipe.moved, recipe.retouched, recipe.degraded)
    copies = []
    for copy in range(recipe.copies):
        path = folder / f"{key}_{copy}.npy"
        if not path.is_file():
            partial = path.with_suffix(".part.npy")
            np.save(partial, read_copy(prepared, copy, recipe, statistics))
            partial.replace(path)
            print(f"read copy {copy + 1} of {recipe.copies}", flush=True)
        copies.append(np.load(path))
    return np.stack(copies)


def size_direction(features: Tensor, face_pixels: Tensor) -> Tensor:
    """The unit direction [D] along which features [N, D] follow the face's size."""
    size = (face_pixels + 1).log()
    direction: Tensor = ((features - features.mean(0)) * (size - size.mean())[:, None]).mean(0)
    return functional.normalize(direction, dim=0)


class Training:
    """The training crops of a member: statistics [copies, N, D]; labels, face sizes and weights in the loss [N]."""

    def __init__(self, prepared: Prepared, statistics: npt.NDArray[np.float32], held_out: tuple[int, ...]) -> None:
        rows = [row for row in training_rows(prepared, held_out) if is_used(prepared.samples[row])]
        samples = [prepared.samples[row] for row in rows]
        self.statistics = torch.from_numpy(statistics[:, rows])
        self.labels = torch.tensor([float(s.label) for s in samples])
        self.face_pixels = torch.from_numpy(prepared.face_pixels[rows]).float()
        weights = torch.tensor(sampling_weights(samples))
        self.weights = (weights / weights.mean()).float()

    def bag(self, zoom: int, copies: int, recipe: Recipe) -> Perceptron:
        """One perceptron as good as the mean of several, on the first ``copies`` of the crops seen at a zoom.

        What the statistics of genuine faces tell about the face's size is taken out of them first.
        """
        statistics = self.statistics[:copies].chunk(len(ZOOMS), dim=2)[zoom]
        standard = Standard(statistics.shape[2])
        standard.fit(statistics[0])
        inputs = standard(statistics)
        genuine = self.labels == 0
        direction = size_direction(inputs[0][genuine], self.face_pixels[genuine])
        inputs = inputs - (inputs @ direction)[..., None] * direction
        nets = []
        for _ in range(recipe.seeds):
            net = Perceptron(inputs.shape[2], recipe.hidden, recipe.dropout)
            self._fit(net, inputs, recipe)
            with torch.no_grad():
                net.standard.load_state_dict(standard.state_dict())
                net.hidden.weight -= torch.outer(net.hidden.weight @ direction, direction)
            nets.append(net.eval())
        return merge(nets)

    def _fit(self, net: Perceptron, inputs: Tensor, recipe: Recipe) -> None:
        steps = recipe.epochs * max(1, len(self.labels) // recipe.batch)

        def loss() -> Tensor:
            rows = torch.randint(len(self.labels), (recipe.batch,))
            copy = torch.randint(len(inputs), (recipe.batch,))
            logits = net.layers(inputs[copy, rows])[:, 0]
            return functional.binary_cross_entropy_with_logits(logits, self.labels[rows], weight=self.weights[rows])

        net.train()
        descend(
            net,
            loss,
            steps=steps,
            learning_rate=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            warmup_share=0.1,
        )

    def gate(self, recipe: Recipe) -> LastZoomGate:
        """A logistic regression on the last zoom's statistics that tells degraded copies from undegraded ones."""
        statistics = self.statistics.chunk(len(ZOOMS), dim=2)[-1]
        gate = LastZoomGate(statistics.shape[2], len(EXPERTS))
        gate.standard.fit(statistics[0])
        features = gate.standard(statistics).flatten(0, 1).double().numpy()
        degraded = np.repeat(np.arange(recipe.copies) >= recipe.clean, len(self.labels))
        weights = np.where(degraded, 1.0, recipe.clean_odds * degraded.sum() / (~degraded).sum())
        w, b = logistic_regression(features, degraded.astype(np.int64), recipe.gate_penalty, weights / weights.mean())
        with torch.no_grad():
            gate.layer.weight.zero_()
            gate.layer.bias.zero_()
            gate.layer.weight[1] = torch.from_numpy(w)
            gate.layer.bias[1] = b
        return gate


def train_member(training: Training, recipe: Recipe, seed: int) -> Mixture:
    """The experts and the gate of a member."""
    torch.manual_seed(seed)
    copies = (recipe.clean, recipe.copies)
    bags = [[training.bag(zoom, count, recipe) for zoom in range(len(ZOOMS))] for count in copies]
    return mixture([expert(zooms) for zooms in bags], training.gate(recipe))


def train_members(
    prepared: Prepared, statistics: npt.NDArray[np.float32], held_out: list[list[int]], recipe: Recipe, path: Path
) -> None:
    """Train a member for each group of held-out folds and write them all."""
    members = []
    for seed, folds in enumerate(held_out):
        members.append(train_member(Training(prepared, statistics, tuple(folds)), recipe, seed).state_dict())
        print(f"trained member {len(members)} of {len(held_out)}", flush=True)
    torch.save({"held_out": held_out, "members": members}, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser)
    parser.add_argument(
        "--held-out", nargs="+", default=["0", "1", "2", "3", "4"], help="the folds of each member, as in 2,4 0,3"
    )
    options = parser.parse_args()
    weights = required_imagenet_weights()
    torch.set_num_threads(1)
    prepared, recipe = load_prepared(options.corpus, options.work / "prepared"), Recipe()
    statistics = measured(prepared, recipe, RegionStatistics(weights), options.work / "statistics")
    held_out = [[int(fold) for fold in folds.split(",")] for folds in options.held_out]
    train_members(prepared, statistics, held_out, recipe, options.work / "experts.pt")


if __name__ == "__main__":
    main()
