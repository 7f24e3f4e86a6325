"""Make probabilities of logits, and choose decision thresholds on held-out genuine files."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sg_common.bundle.calibration import PlattScaling

Array = NDArray[np.float64]


def sigmoid(x: Array) -> Array:
    """Logistic function without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(x / 2)), dtype=np.float64)


def fit(logits: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> PlattScaling:
    """Platt scaling (Platt 1999, with his smoothed targets) of held-out logits, by Newton's method.

    Without `weights` both labels count the same, so 0.5 means "as likely as not" at even odds. Shapes (N,).
    Raises ValueError when a label is missing or higher logits do not mean "fake".
    """
    x, y = np.asarray(logits, dtype=np.float64), np.asarray(labels, dtype=bool)
    if not y.any() or y.all():
        raise ValueError("calibration needs genuine and fake samples")
    w = np.where(y, 0.5 / y.mean(), 0.5 / (1 - y.mean())) if weights is None else np.asarray(weights, dtype=float)
    target = np.where(y, (y.sum() + 1) / (y.sum() + 2), 1 / ((~y).sum() + 2))
    scale = float(x.std()) or 1.0
    design = np.stack([x / scale, np.ones_like(x)], axis=1)
    beta = np.zeros(2)
    for _ in range(100):
        p = sigmoid(design @ beta)
        gradient = design.T @ (w * (p - target))
        hessian = (design * (w * p * (1 - p))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        beta -= step * min(1.0, 5.0 / float(np.abs(step).max() + 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    if beta[0] <= 0:
        raise ValueError("higher logits do not mean fake on the calibration samples")
    return PlattScaling(temperature=float(scale / beta[0]), bias=float(beta[1]))


def threshold_for_false_alarm(genuine: ArrayLike, rate: float, weights: ArrayLike | None = None) -> float:
    """Lowest threshold at or above which at most `rate` of the genuine scores lie, or of their weight. Shapes (N,)."""
    s = np.asarray(genuine, dtype=np.float64)
    w = np.ones_like(s) if weights is None else np.asarray(weights, dtype=np.float64)
    order = np.argsort(-s)
    above = np.cumsum(w[order]) / w.sum()
    allowed = int(np.searchsorted(above, rate, side="right"))
    return float(np.nextafter(s[order][allowed], np.inf)) if allowed < s.size else float(s[order][-1])
