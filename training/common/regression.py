"""Logistic regression."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

Array = npt.NDArray[np.float64]


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
