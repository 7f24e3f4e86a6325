"""The whole way on a drawn corpus: prepare, train, export."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sg_common.bundle.load import load_bundle
from sg_common.bundle.spec import FaceSpec
from sg_common.runtime import Runtime

from training.video import recipe
from training.video.export import alone, export, run, unseen
from training.video.kernel import LandmarkKernel, load_members
from training.video.prepare import FRAMES, Prepared, Preparer, golden_views, prepare
from training.video.regions import ZOOMS, RegionStatistics, Zoom, blur_matrix, region_weights, residual_of
from training.video.train import Likenesses, landmark_clips, may_see, source_evened, train_members

DETECTOR = Path(__file__).resolve().parents[3] / "models/face_detector"
SHIPPED = recipe.load()
SMALL = replace(SHIPPED, held_out=((2, 4), (0, 3)), copies=1, kernel=replace(SHIPPED.kernel, landmarks=8))


@pytest.fixture(scope="module")
def preparer(tmp_path_factory: pytest.TempPathFactory) -> Preparer:
    torch.manual_seed(0)
    return Preparer(RegionStatistics(None), tmp_path_factory.mktemp("statistics"), DETECTOR)


@pytest.fixture(scope="module")
def prepared(corpus: Path, preparer: Preparer) -> Prepared:
    return prepare([corpus], SMALL.copies, preparer)


@pytest.fixture(scope="module")
def trained(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trained") / "members.pt"
    train_members(prepared, SMALL.held_out, SMALL.kernel, path)
    return path


@pytest.fixture(scope="module")
def bundle(prepared: Prepared, trained: Path, preparer: Preparer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundle")
    members, held_out = load_members(trained, preparer.statistics)
    views = golden_views(prepared.samples, DETECTOR)
    export(members, held_out, views, recipe=SMALL, work=tmp_path_factory.mktemp("work"), out=out)
    return out


def test_every_clip_is_read_as_found_and_recompressed(prepared: Prepared, preparer: Preparer) -> None:
    assert len(prepared.samples) == 10
    assert prepared.statistics.shape[1] == len(ZOOMS) * preparer.statistics.size
    assert np.bincount(prepared.owner).max() == FRAMES * (1 + SMALL.copies)
    assert prepared.found > 8 * FRAMES
    rows = prepared.as_found(3)
    assert len(rows) == FRAMES
    assert max(rows) < prepared.found


def test_what_was_read_is_kept_by_content(corpus: Path, preparer: Preparer, tmp_path: Path) -> None:
    first = preparer.read(corpus / "real_0.mp4", 0)
    other = tmp_path / "real_0.mp4"
    shutil.copy(corpus / "fake_0.mp4", other)
    assert (preparer.read(other, 0) != first).any()
    copy = preparer.read(corpus / "real_0.mp4", 1)
    assert (copy != first).any()
    np.testing.assert_array_equal(preparer.read(corpus / "real_0.mp4", 1), copy)
    torch.manual_seed(1)
    assert Preparer(RegionStatistics(None), tmp_path, DETECTOR).key != preparer.key


def test_a_member_never_sees_its_held_out_folds(prepared: Prepared) -> None:
    sample = prepared.samples[0]
    assert not may_see(sample, [sample.fold])
    assert not may_see(replace(sample, also_held_out=frozenset({7})), [7])
    assert not may_see(replace(sample, fold=-1), [])
    hidden = {i for i, s in enumerate(prepared.samples) if s.fold in (2, 4)}
    flipped = [replace(s, label=1 - s.label) if i in hidden else s for i, s in enumerate(prepared.samples)]
    weights, bias = Likenesses(prepared, SMALL.kernel).member((2, 4), 0.3)
    likenesses = Likenesses(replace(prepared, samples=flipped), SMALL.kernel)
    again, same = likenesses.member((2, 4), 0.3)
    torch.testing.assert_close(weights, again)
    assert bias == pytest.approx(same)
    assert (weights[[i for i, clip in enumerate(likenesses.clips) if clip in hidden]] == 0).all()


def test_sources_count_alike(prepared: Prepared) -> None:
    samples = [replace(s, source="one" if s.fold < 3 else s.source) for s in prepared.samples if not s.label]
    samples += [s for s in prepared.samples if s.label]
    owner = np.repeat(np.arange(10), 2)
    weights = source_evened(samples, owner).numpy().reshape(10, 2).sum(1)
    assert weights.sum() == pytest.approx(10)
    sums = [sum(w for w, s in zip(weights, samples, strict=True) if s.source == name) for name in ("one", "real3")]
    assert sums[0] == pytest.approx(sums[1])
    assert len(landmark_clips(samples, 6)) == 6


def test_members_learn_their_own_clips(prepared: Prepared, trained: Path) -> None:
    likenesses = Likenesses(prepared, SMALL.kernel)
    weights, bias = likenesses.member((2, 4), SMALL.kernel.ridge)
    logits = (likenesses.of_frames @ weights + bias).numpy()
    labels = np.array([prepared.samples[i].label for i in prepared.owner])
    seen = np.isin([prepared.samples[i].fold for i in prepared.owner], (0, 1, 3))
    assert logits[seen & (labels == 1)].mean() > logits[seen & (labels == 0)].mean() + 0.3


def test_a_kernel_is_one_at_its_landmarks_and_less_elsewhere() -> None:
    marks = torch.randn(5, 3 * len(ZOOMS), generator=torch.Generator().manual_seed(0))
    kernel = LandmarkKernel(5, marks.shape[1])
    kernel.fit(marks, 0.7)
    alike = kernel(marks)
    torch.testing.assert_close(alike.diagonal(), torch.ones(5))
    assert ((alike > 0) & (alike <= 1)).all()
    assert alike.sum() < 20


def test_the_bundle_is_the_mean_of_its_members(bundle: Path, trained: Path, preparer: Preparer) -> None:
    document = json.loads((bundle / "model.json").read_text())
    assert document["calibration"]["held_out_folds"] == [[2, 4], [0, 3]]
    with np.load(bundle / "golden.npz") as golden:
        views = golden["input"]
    logit, each = run(bundle / "video.fp32.onnx", views)
    np.testing.assert_allclose(logit, each.mean(1), atol=1e-5)
    exact = load_members(trained, preparer.statistics)[0](torch.from_numpy(views))[1].detach().numpy()
    np.testing.assert_allclose(each, exact, atol=0.02)
    assert (each[:, 0] != each[:, 1]).all()


def test_each_fold_has_a_bundle_that_never_saw_it(bundle: Path, tmp_path: Path) -> None:
    bundles = unseen(bundle, tmp_path)
    assert sorted(bundles) == [0, 2, 3, 4]
    assert bundles[2] == bundles[4] != bundles[0]
    with np.load(bundle / "golden.npz") as golden:
        views = golden["input"]
    own = run(bundle / "video.fp32.onnx", views)[1]
    loaded = load_bundle(bundles[0], FaceSpec, Runtime(threads=1))
    np.testing.assert_allclose(loaded.logits(views), own[:, 1], atol=1e-4)
    assert run(alone(bundle, 0, tmp_path / "again") / "video.fp32.onnx", views)[0] == pytest.approx(own[:, 0], abs=1e-4)


def test_regions_hold_the_face_and_what_surrounds_it() -> None:
    inside, outside = region_weights(Zoom(112, 176), 11).T.reshape(2, 11, 11)
    assert inside.sum() == pytest.approx(1)
    assert inside[5, 5] > 0
    assert outside[5, 5] == 0
    assert inside[0, 0] == 0
    assert outside[0, 0] > 0


def test_a_residual_tells_neither_light_nor_colour() -> None:
    images = torch.full((1, 3, 40, 40), 90.0)
    images[:, :, 20, 20] += 20
    blur = blur_matrix(40)
    torch.testing.assert_close(blur.sum(1), torch.ones(40))
    residual = residual_of(images, blur)
    assert residual[0, 0, 20, 20] > 180
    torch.testing.assert_close(residual[0, 0, :8], torch.full((8, 40), 127.0))
    torch.testing.assert_close(residual_of(images + torch.tensor([30.0, -10, 5])[:, None, None], blur), residual)
    assert residual_of(images * 2, blur).max() == 255
