"""What recognizes the source, not the manipulation: ImageNet features with logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from training.video.corpus import Pixels, is_used
from training.video.network import Backbone, as_images, channels_last, load_imagenet
from training.video.prepare import Prepared
from training.video.scores import Scores
from training.video.train import training_rows

Array = npt.NDArray[np.float64]


@torch.inference_mode()
def imagenet_features(crops: Pixels, weights: Path, batch: int = 64) -> Array:
    """Pooled features [N, 1280] of EfficientNet-Lite0 with its ImageNet weights."""
    backbone = Backbone()
    load_imagenet(backbone, weights)
    backbone.eval()
    channels_last(backbone)
    parts = []
    for i in range(0, len(crops), batch):
        parts.append(backbone(as_images(np.array(crops[i : i + batch]))).numpy())
    return np.concatenate(parts).astype(np.float64)


def logistic_regression(
    features: Array, labels: npt.NDArray[np.int64], penalty: float = 1e-2, weights: Array | None = None
) -> tuple[Array, float]:
    """Weights and bias of an L2-penalized logistic regression.

    ``weights`` [N], of mean 1, say how much a sample counts; without, both labels count the same.
    """
    x = torch.from_numpy(features)
    y = torch.from_numpy(labels.astype(np.float64))
    balance = torch.where(y > 0, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    if weights is not None:
        balance = torch.from_numpy(weights)
    w = torch.zeros(x.shape[1], dtype=torch.float64, requires_grad=True)
    b = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([w, b], max_iter=200, line_search_fn="strong_wolfe")

    def objective() -> torch.Tensor:
        optimizer.zero_grad()
        losses = torch.nn.functional.binary_cross_entropy_with_logits(x @ w + b, y, weight=balance)
        total = losses + penalty * (w @ w)
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(objective)  # type: ignore[no-untyped-call]
    return np.asarray(w.detach().numpy()), float(b.detach())


def held_out_logits(prepared: Prepared, scores: Scores, held_out: Sequence[Sequence[int]], weights: Path) -> Array:
    """Logits [N] for the samples of ``scores``, each from a regression fitted on its member's training folds."""
    features = imagenet_features(prepared.crops, weights)
    row_of = {s.path: i for i, s in enumerate(prepared.samples)}
    target = [row_of[s.path] for s in scores.samples]
    logits, count = np.zeros(len(target)), np.zeros(len(target))
    for folds in held_out:
        rows = [i for i in training_rows(prepared, tuple(folds)) if is_used(prepared.samples[i])]
        mean, std = features[rows].mean(0), features[rows].std(0) + 1e-6
        labels = np.array([prepared.samples[i].label for i in rows], np.int64)
        w, b = logistic_regression((features[rows] - mean) / std, labels)
        mine = np.array([s.fold in folds for s in scores.samples])
        logits += mine * (((features[target] - mean) / std) @ w + b)
        count += mine
    return logits / count
