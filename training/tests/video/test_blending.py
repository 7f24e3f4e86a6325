"""Self-blended images, degradations, crops and the joint of the experts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.tests.video.conftest import draw_face
from training.video.augment import cut, degrade, random_view
from training.video.autoencoder import decoder, encoder
from training.video.blending import LIPS, region_points, self_blend
from training.video.fusion import Fusion, fit_fusion
from training.video.network import build, either
from training.video.synthesize import resynthesize

NO_LANDMARKS = np.full((468, 2), np.nan, np.float32)


def ellipse_landmarks(size: int) -> np.ndarray:
    """468 points spread over the drawn face, the lips where its mouth is."""
    rng = np.random.default_rng(1)
    angle, radius = rng.uniform(0, 2 * np.pi, 468), np.sqrt(rng.uniform(0, 1, 468))
    points = np.stack([0.5 + 0.26 * radius * np.cos(angle), 0.53 + 0.33 * radius * np.sin(angle)], 1)
    turn = np.linspace(0, 2 * np.pi, len(LIPS), endpoint=False)
    points[list(LIPS)] = np.stack([0.5 + 0.1 * np.cos(turn), 0.7 + 0.03 * np.sin(turn)], 1)
    return (points * size).astype(np.float32)


@pytest.mark.parametrize("landmarks", [NO_LANDMARKS, ellipse_landmarks(160)], ids=["without", "with"])
def test_blending_changes_the_face_and_not_the_corners(landmarks: np.ndarray) -> None:
    face = draw_face(np.random.default_rng(0))
    inside, corners = 0.0, 0.0
    for seed in range(12):
        difference = np.abs(self_blend(face, landmarks, 0.6, np.random.default_rng(seed)).astype(int) - face)
        inside += difference[50:120, 50:110].mean()
        corners += difference[:8, :8].mean()
    assert inside > 12 * 0.5
    assert corners < inside / 2


def test_blending_is_seeded() -> None:
    face = draw_face(np.random.default_rng(0))
    one, two = (self_blend(face, NO_LANDMARKS, 0.6, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_regions_lie_in_one_another() -> None:
    landmarks = ellipse_landmarks(160)
    whole, mouth = (region_points(kind, landmarks, 160, 0.6) for kind in ("whole", "mouth"))
    assert (mouth.min(0) >= whole.min(0)).all()
    assert (mouth.max(0) <= whole.max(0)).all()


def test_degradations_keep_shape_and_type() -> None:
    face = draw_face(np.random.default_rng(0))
    for seed in range(20):
        rng = np.random.default_rng(seed)
        crop = cut(face, random_view(rng, 1.15), 1.6, 112)
        assert degrade(crop, rng).shape == crop.shape == (112, 112, 3)
        assert crop.dtype == np.uint8


def test_joint_logit_is_that_of_either_expert() -> None:
    logits = torch.tensor([[0.3, -1.2], [-40.0, 2.0], [30.0, 30.0]])
    wanted = 1 - (1 - torch.sigmoid(logits[:, 0])) * (1 - torch.sigmoid(logits[:, 1]))
    torch.testing.assert_close(torch.sigmoid(either(logits)), wanted)


def test_fusion_turns_an_empty_expert_down() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    experts = np.stack([rng.normal(0, 2, 400), rng.normal(labels * 4 - 2, 1)], 1)
    fusion = fit_fusion(experts, labels, np.ones(400))
    assert fusion.scale[0] < fusion.scale[1]
    assert fusion.offset[0] < 0
    plain = Fusion().joint(experts)
    np.testing.assert_allclose(plain, either(torch.from_numpy(experts)).numpy())


def test_folded_network_takes_any_batch() -> None:
    network = build(None).eval()
    assert network(torch.zeros(3, 3, 64, 64)).shape == (3, 2)


def test_autoencoder_keeps_size() -> None:
    torch.manual_seed(0)
    autoencoder = torch.nn.Sequential(encoder(), decoder()).eval()
    picture = draw_face(np.random.default_rng(0), 64)
    assert resynthesize(picture, autoencoder).shape == picture.shape
    with pytest.raises(ValueError, match="multiples"):
        resynthesize(picture[:60], autoencoder)
