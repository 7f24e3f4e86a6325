"""Train the shipped detector: for each member perceptrons on `regions`' statistics, experts joined by a gate.

The statistics of every crop and of changed copies of it are kept, so that a run that was stopped goes on; training
itself takes minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from training.common.command import log
from training.common.content import digest, kept, key_of, samples_key
from training.common.manifest import sampling_weights
from training.common.perceptrons import Mixture, Perceptron, Standard, descend, merge
from training.common.regression import logistic_regression
from training.video.augment import cut, cut_native, degrade, random_view, retouch
from training.video.backbone import as_images, weights_key
from training.video.corpus import Pixels, is_used
from training.video.prepare import CROP_SCALE, CROP_SIZE, NATIVE_FACE_PIXELS, STORED_SCALE, Prepared
from training.video.recipe import Experts
from training.video.regions import EXPERTS, READ_LAYERS, ZOOMS, LastZoomGate, RegionStatistics, expert, mixture
from training.video.train import training_rows

BATCH = 16


def copy_of(prepared: Prepared, row: int, copy: int, recipe: Experts) -> Pixels:
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
def read_copy(prepared: Prepared, copy: int, recipe: Experts, statistics: RegionStatistics) -> npt.NDArray[np.float32]:
    """The statistics [N, D] of one copy of every crop."""
    parts = []
    for start in range(0, len(prepared.samples), BATCH):
        rows = range(start, min(start + BATCH, len(prepared.samples)))
        crops = np.stack([copy_of(prepared, row, copy, recipe) for row in rows])
        parts.append(statistics(as_images(crops)).numpy())
    return np.concatenate(parts)


def measured(
    prepared: Prepared, recipe: Experts, statistics: RegionStatistics, folder: Path
) -> npt.NDArray[np.float32]:
    """The statistics [copies, N, D] of all copies; what the folder holds of these crops and this backbone is not read
    anew."""
    seen = (ZOOMS, READ_LAYERS, recipe.moved, recipe.retouched, recipe.degraded)
    key = key_of(prepared.key, weights_key(statistics), seen)

    def copy_at(copy: int) -> npt.NDArray[np.float32]:
        log(f"copy {copy + 1} of {recipe.copies}")
        return kept(folder / f"{key}_{copy}.npy", lambda: read_copy(prepared, copy, recipe, statistics))

    return np.stack([copy_at(copy) for copy in range(recipe.copies)])


def experts_path(
    work: Path, prepared: Prepared, held_out: Sequence[Sequence[int]], recipe: Experts, weights: Path
) -> Path:
    """Where the trained members lie: another file for other crops, labels, folds, backbones or recipes."""
    decisive = (prepared.key, samples_key(prepared.samples), held_out, recipe, digest(weights))
    return work / f"experts_{key_of(*decisive)}.pt"


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

    def bag(self, zoom: int, copies: int, recipe: Experts) -> Perceptron:
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

    def _fit(self, net: Perceptron, inputs: Tensor, recipe: Experts) -> None:
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

    def gate(self, recipe: Experts) -> LastZoomGate:
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


def train_member(training: Training, recipe: Experts, seed: int) -> Mixture:
    """The experts and the gate of a member."""
    torch.manual_seed(seed)
    copies = (recipe.clean, recipe.copies)
    bags = [[training.bag(zoom, count, recipe) for zoom in range(len(ZOOMS))] for count in copies]
    return mixture([expert(zooms) for zooms in bags], training.gate(recipe))


def train_members(
    prepared: Prepared,
    statistics: npt.NDArray[np.float32],
    held_out: Sequence[Sequence[int]],
    recipe: Experts,
    path: Path,
) -> None:
    """Train a member for each group of held-out folds and write them all."""
    members = []
    for seed, folds in enumerate(held_out):
        members.append(train_member(Training(prepared, statistics, tuple(folds)), recipe, seed).state_dict())
        log(f"member {len(members)} of {len(held_out)} trained")
    torch.save({"held_out": [list(folds) for folds in held_out], "members": members}, path)
