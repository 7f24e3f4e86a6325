"""Fit the small detector: for each member a logistic regression on `regions`' statistics, in place of fine-tuning.

python -m training.video.probe --corpus ../shared/data/video

It writes ``probe.pt``, which `training.video.export --probe` reads.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from training.common.manifest import sampling_weights
from training.video.augment import View, cut, degrade
from training.video.baseline import Array, logistic_regression
from training.video.batches import BLENDED, FAKE, GENUINE, RESYNTHESIZED, Reconstructions, self_blended
from training.video.corpus import Pixels, is_used
from training.video.network import as_images, required_imagenet_weights
from training.video.prepare import CROP_SCALE, CROP_SIZE, STORED_SCALE, Prepared, arguments, load_prepared
from training.video.regions import RegionStatistics
from training.video.synthesize import inner, resized
from training.video.train import training_rows

# how much each kind of crop counts
SHARES = {GENUINE: 1.0, BLENDED: 0.15, RESYNTHESIZED: 0.1, FAKE: 0.75}
PENALTY = 0.02
ROUNDS = 2


@dataclass(frozen=True)
class Crop:
    """A training crop uint8 [S, S, 3], the sample it was made of, and its kind."""

    picture: Pixels
    row: int
    kind: int


@dataclass(frozen=True)
class Examples:
    """Statistics [N, D] of training crops with the ``rows`` of their samples and their ``kinds``, both [N]."""

    statistics: npt.NDArray[np.float32]
    rows: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.int64]


def training_crops(prepared: Prepared, reconstructions: Reconstructions, seed: int) -> Iterator[Crop]:
    """Every used crop as it is, then rounds of degraded ones; twins share their original's view and degradation."""
    rng = np.random.default_rng(seed)
    used = [i for i, s in enumerate(prepared.samples) if is_used(s)]
    by_row = {int(row): k for k, row in enumerate(reconstructions.rows)}
    kinds = {row: FAKE if prepared.samples[row].label else GENUINE for row in used}
    for row, kind in kinds.items():
        yield Crop(np.asarray(prepared.crops[row]), row, kind)
    for _ in range(ROUNDS):
        for row, own in kinds.items():
            shift = (float(rng.uniform(-0.03, 0.03)), float(rng.uniform(-0.03, 0.03)))
            view, degradation = View(CROP_SCALE, shift, 0.0, bool(rng.random() < 0.5)), int(rng.integers(1 << 62))
            stored = np.asarray(prepared.stored[row])
            pictures = {own: stored}
            if own == GENUINE:
                k = by_row.get(row)
                copy = None if k is None or rng.random() < 0.6 else reconstructions.picture(k)
                pictures[BLENDED] = self_blended(stored, prepared.points[row], rng, copy)
            for kind, picture in pictures.items():
                seen = cut(picture, view, STORED_SCALE, CROP_SIZE)
                yield Crop(degrade(seen, np.random.default_rng(degradation)), row, kind)
        for row in {row for row, own in kinds.items() if own == GENUINE} & by_row.keys():
            k, mirrored, degradation = by_row[row], bool(rng.random() < 0.5), int(rng.integers(1 << 62))
            original = resized(inner(prepared.stored[row]), int(reconstructions.sizes[k]))
            for kind, picture in ((GENUINE, original), (RESYNTHESIZED, reconstructions.picture(k))):
                seen = resized(np.ascontiguousarray(picture[:, ::-1] if mirrored else picture), CROP_SIZE)
                yield Crop(degrade(seen, np.random.default_rng(degradation)), row, kind)


@torch.inference_mode()
def read_examples(crops: Iterator[Crop], statistics: RegionStatistics, batch: int = 16) -> Examples:
    """The statistics of crops, a batch at a time."""
    parts, rows, kinds, waiting = [], [], [], []
    for crop in crops:
        rows.append(crop.row)
        kinds.append(crop.kind)
        waiting.append(crop.picture)
        if len(waiting) == batch:
            parts.append(statistics(as_images(np.stack(waiting))).numpy())
            waiting.clear()
    if waiting:
        parts.append(statistics(as_images(np.stack(waiting))).numpy())
    return Examples(np.concatenate(parts), np.array(rows, np.int64), np.array(kinds, np.int64))


def example_weights(prepared: Prepared, rows: npt.NDArray[np.int64], kinds: npt.NDArray[np.int64]) -> Array:
    """Weights of mean 1: `SHARES` for the kinds, and within a kind every source by the root of its size."""
    weights = np.zeros(len(rows))
    for kind, share in SHARES.items():
        mine = kinds == kind
        if mine.any():
            even = np.array(sampling_weights([prepared.samples[i] for i in rows[mine]]))
            weights[mine] = share * even / even.sum()
    return np.asarray(weights / weights.mean(), np.float64)


def size_direction(features: Array, face_pixels: npt.NDArray[np.floating]) -> Array:
    """The unit direction [D] along which features [N, D] follow the face's size."""
    size = np.log(face_pixels + 1.0)
    direction = ((features - features.mean(0)) * (size - size.mean())[:, None]).mean(0)
    return np.asarray(direction / (np.linalg.norm(direction) + 1e-12), np.float64)


def fit_member(prepared: Prepared, examples: Examples, held_out: tuple[int, ...]) -> tuple[Array, float]:
    """Weights [D] and bias of the regression that sees nothing of the held-out folds.

    What the statistics of genuine faces tell about the face's size is taken out of them first.
    """
    mine = np.isin(examples.rows, training_rows(prepared, held_out))
    rows, kinds = examples.rows[mine], examples.kinds[mine]
    raw = examples.statistics[mine].astype(np.float64)
    mean, std = raw.mean(0), raw.std(0) + 1e-5
    features = (raw - mean) / std
    first = np.unique(rows[kinds == GENUINE], return_index=True)[1]
    whole = np.flatnonzero(kinds == GENUINE)[first]
    direction = size_direction(features[whole], prepared.face_pixels[rows[whole]])
    features -= np.outer(features @ direction, direction)
    labels = (kinds != GENUINE).astype(np.int64)
    w, b = logistic_regression(features, labels, PENALTY, example_weights(prepared, rows, kinds))
    w = (w - direction * float(direction @ w)) / std
    return w, b - float(mean @ w)


def probe(prepared: Prepared, examples: Examples, held_out: list[list[int]], path: Path) -> None:
    """Fit a member for each group of held-out folds and write them all."""
    fitted = [fit_member(prepared, examples, tuple(folds)) for folds in held_out]
    weight = torch.from_numpy(np.stack([w for w, _ in fitted])).float()
    torch.save({"held_out": held_out, "weight": weight, "bias": torch.tensor([b for _, b in fitted])}, path)


def read_stored(path: Path) -> Examples:
    """The examples that an earlier run left."""
    with np.load(path) as stored:
        return Examples(stored["statistics"], stored["rows"], stored["kinds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser)
    parser.add_argument(
        "--held-out", nargs="+", default=["0", "1", "2", "3", "4"], help="the folds of each member, as in 2,4 0,3"
    )
    parser.add_argument("--again", action="store_true", help="fit anew to the crops that an earlier run read")
    options = parser.parse_args()
    weights = required_imagenet_weights()
    torch.set_num_threads(1)
    prepared = load_prepared(options.corpus, options.work / "prepared")
    stored = options.work / "probe_examples.npz"
    if options.again:
        examples = read_stored(stored)
    else:
        reconstructions = Reconstructions(options.work / "reconstructions.npz")
        examples = read_examples(training_crops(prepared, reconstructions, seed=5), RegionStatistics(weights))
        np.savez(stored, **vars(examples))
    held_out = [[int(fold) for fold in folds.split(",")] for folds in options.held_out]
    probe(prepared, examples, held_out, options.work / "probe.pt")


if __name__ == "__main__":
    main()
