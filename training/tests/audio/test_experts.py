from __future__ import annotations

import numpy as np
import torch

from training.audio.experts import damping


def test_damping_shrinks_what_tells_genuine_sources_apart_and_nothing_else() -> None:
    torch.manual_seed(0)
    sources = np.repeat([f"source{i}" for i in range(40)], 10)
    labels = torch.zeros(400)
    features = 0.1 * torch.randn(1, 400, 3)
    features[0, :, 0] += 5 * torch.randn(40).repeat_interleave(10)
    matrix = damping(features, labels, sources, 1.0)
    assert torch.allclose(matrix, matrix.T, atol=1e-5)
    assert matrix[0, 0] < 0.4
    assert matrix[1, 1] > 0.95
    assert matrix[2, 2] > 0.95
