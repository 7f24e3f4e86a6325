"""The whole way on a drawn corpus: prepare, train, go on, export."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from training.video import experts, export, recipe
from training.video.batches import BLENDED, FAKE, GENUINE, Batches, Mixture, Reconstructions
from training.video.fusion import ALONE, Fusion
from training.video.prepare import CROP_SIZE, Prepared, load_prepared, prepare
from training.video.quantization import correct_bias, quantize
from training.video.regions import (
    ZOOMS,
    RegionStatistics,
    Zoom,
    blur_matrix,
    load_members,
    region_weights,
    residual_of,
)
from training.video.train import Trainer, checkpoint_path, learning_rate, train, training_rows

DETECTOR = Path(__file__).resolve().parents[3] / "models/face_detector"
SHIPPED = recipe.load()
assert SHIPPED.experts is not None
SHIPPED_EXPERTS = SHIPPED.experts
MIXTURE = Mixture(genuine=2, blended=1, resynthesized=1, fake=1)


@pytest.fixture(scope="module")
def prepared(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("prepared")
    prepare([corpus], folder, DETECTOR)
    return load_prepared([corpus], folder, DETECTOR)


def config(*folds: int) -> recipe.Member:
    return recipe.Member(held_out=folds, steps=2, checkpoint_every=1, size=CROP_SIZE, mixture=MIXTURE)


@pytest.fixture(scope="module")
def bundle(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work, out = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("bundle")
    pair = [config(2, 4), config(0, 3)]
    for member in pair:
        train(member, prepared, work, None)
    members, held_out = export.fine_tuned(pair, prepared, work, None)
    export.export(prepared, members, held_out, recipe=replace(SHIPPED, int8=True), work=work, out=out)
    return out


def test_finds_the_drawn_faces(prepared: Prepared) -> None:
    assert prepared.detected.mean() > 0.8
    assert prepared.crops.shape == (30, CROP_SIZE, CROP_SIZE, 3)
    assert ((prepared.face_pixels > 60) & (prepared.face_pixels < 150)).all()


def test_refuses_crops_of_other_pictures(corpus: Path, prepared: Prepared, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="prepare"):
        load_prepared([corpus], tmp_path, DETECTOR)
    copied = tmp_path / "corpus"
    shutil.copytree(corpus, copied)
    (tmp_path / "key").write_text(prepared.key)
    picture = next(copied.glob("real*.jpg"))
    shutil.copy(next(copied.glob("fake*.jpg")), picture)  # as many pictures as before
    with pytest.raises(FileNotFoundError, match="prepare"):
        load_prepared([copied], tmp_path, DETECTOR)


def test_a_second_corpus_is_added_in_the_same_way(corpus: Path, tmp_path: Path) -> None:
    both = prepare([corpus, corpus], tmp_path, DETECTOR)
    assert len(both.samples) == 60
    assert load_prepared([corpus, corpus], tmp_path, DETECTOR).key == both.key


def test_checkpoints_go_by_recipe_crops_and_labels(prepared: Prepared, tmp_path: Path) -> None:
    member = config(0)
    path = checkpoint_path(member, prepared, tmp_path, None)
    flipped = [replace(prepared.samples[0], label=1 - prepared.samples[0].label), *prepared.samples[1:]]
    others = [
        checkpoint_path(replace(member, steps=3), prepared, tmp_path, None),
        checkpoint_path(member, replace(prepared, key="other"), tmp_path, None),
        checkpoint_path(member, replace(prepared, samples=flipped), tmp_path, None),
        checkpoint_path(member, prepared, tmp_path, DETECTOR / "model.json"),
    ]
    assert len({path, *others}) == 5


def test_training_never_sees_held_out_folds(prepared: Prepared) -> None:
    rows = training_rows(prepared, (2, 4))
    assert {prepared.samples[i].fold for i in rows} == {0, 1, 3}


def batches(prepared: Prepared) -> Batches:
    rows = training_rows(prepared, (0,))
    nothing = Reconstructions(Path("missing.npz"))
    return Batches(prepared, rows, nothing, Mixture(3, 2, 1, 4), size=CROP_SIZE, seed=3)


def test_batches_depend_on_seed_and_step_alone(prepared: Prepared) -> None:
    first, again = batches(prepared).draw(7), batches(prepared).draw(7)
    np.testing.assert_array_equal(first.images, again.images)
    assert (first.images != batches(prepared).draw(8).images).any()
    assert np.bincount(first.kinds).tolist() == [3, 2, 0, 4]
    assert {GENUINE, BLENDED, FAKE} == set(first.kinds.tolist())


def test_training_goes_on_where_it_stopped(prepared: Prepared, tmp_path: Path) -> None:
    whole = Trainer(config(0), batches(prepared), None)
    for _ in range(3):
        whole.advance()
    part = Trainer(config(0), batches(prepared), None)
    part.advance()
    part.save(tmp_path / "x.pt")
    rest = Trainer(config(0), batches(prepared), None)
    rest.resume(tmp_path / "x.pt")
    rest.advance()
    rest.advance()
    for a, b in zip(whole.average.values(), rest.average.values(), strict=True):
        torch.testing.assert_close(a, b)


def test_experts_weigh_the_statistics_of_regions(prepared: Prepared, tmp_path: Path) -> None:
    torch.manual_seed(0)
    statistics = RegionStatistics(None)
    recipe = replace(SHIPPED_EXPERTS, moved=1, retouched=1, degraded=1, seeds=2, hidden=4, epochs=2)
    measured = experts.measured(prepared, recipe, statistics, tmp_path / "statistics")
    assert measured.shape == (4, 30, len(ZOOMS) * statistics.size)
    assert len(list((tmp_path / "statistics").iterdir())) == 4
    experts.train_members(prepared, measured, [[2, 4], [0, 3]], recipe, tmp_path / "experts.pt")
    members, held_out = load_members(tmp_path / "experts.pt", statistics)
    assert held_out == [[2, 4], [0, 3]]
    export.to_onnx(export.Ensemble(members, ALONE), tmp_path / "experts.onnx")
    logit, each = export.run(tmp_path / "experts.onnx", prepared.views[:5])
    views = torch.from_numpy(export.as_input(prepared.views[:5])).float()
    np.testing.assert_allclose(each, members(views).detach().numpy(), atol=0.01)
    np.testing.assert_allclose(logit, each[..., 0].mean(1), atol=0.01)
    assert (each[:, 0, 0] != each[:, 1, 0]).all()
    inputs = export.as_input(prepared.views[:4])
    quantize(tmp_path / "experts.onnx", tmp_path / "int8.onnx", inputs, members.precise)
    graph = onnx.load(tmp_path / "int8.onnx").graph
    quantized = {name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    in_float = [node.name for node in graph.node if node.op_type == "Conv" and node.input[0] not in quantized]
    assert in_float
    assert all(members.precise.search(name) for name in in_float)
    exact, rough = each[:4], export.run(tmp_path / "int8.onnx", prepared.views[:4])[1]
    correct_bias(tmp_path / "int8.onnx", tmp_path / "experts.onnx", inputs)
    corrected = export.run(tmp_path / "int8.onnx", prepared.views[:4])[1]
    assert np.abs(corrected - exact).mean() < np.abs(rough - exact).mean()


def test_what_was_measured_is_read_again(prepared: Prepared, tmp_path: Path) -> None:
    recipe = replace(SHIPPED_EXPERTS, moved=0, retouched=0, degraded=0)
    statistics = RegionStatistics(None)
    first = experts.measured(prepared, recipe, statistics, tmp_path)
    np.testing.assert_array_equal(experts.measured(prepared, recipe, statistics, tmp_path), first)
    other = replace(prepared, views=255 - np.asarray(prepared.views), key="other")
    assert (experts.measured(other, recipe, statistics, tmp_path) != first).any()
    another_backbone = RegionStatistics(None)
    assert (experts.measured(prepared, recipe, another_backbone, tmp_path) != first).any()
    assert len(list(tmp_path.iterdir())) == 3


def test_copies_are_the_view_itself_then_moved_then_retouched_then_degraded_ones(prepared: Prepared) -> None:
    recipe = replace(SHIPPED_EXPERTS, moved=1, retouched=3, degraded=6)
    own, moved, *changed = (experts.copy_of(prepared, 3, copy, recipe) for copy in range(recipe.copies))
    np.testing.assert_array_equal(own, prepared.views[3])
    assert (moved != own).any()
    np.testing.assert_array_equal(moved, experts.copy_of(prepared, 3, 1, recipe))
    assert len({copy.tobytes() for copy in changed}) == 9
    assert all(copy.shape == own.shape for copy in changed)


def test_the_gate_tells_degraded_crops_and_expects_clean_ones(prepared: Prepared) -> None:
    recipe = replace(SHIPPED_EXPERTS, moved=1, retouched=0, degraded=1, clean_odds=1.0)
    random = np.random.default_rng(0)
    statistics = random.normal(size=(3, 30, 9)).astype(np.float32)
    statistics[2, :, -1] += 3
    training = experts.Training(prepared, statistics, (0,))
    chances = training.gate(recipe)(torch.from_numpy(statistics.reshape(-1, 9))).detach().numpy()[:, 1].reshape(3, 30)
    assert chances[:2].mean() < 0.2
    assert chances[2].mean() > 0.8
    expecting = training.gate(replace(recipe, clean_odds=10.0))(torch.from_numpy(statistics.reshape(-1, 9)))
    assert expecting.detach()[:, 1].mean() < chances.mean()


def test_what_tells_the_faces_size_is_taken_out() -> None:
    sizes = torch.linspace(70, 300, 50)
    features = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    features[:, 1] += 5 * sizes.log()
    direction = experts.size_direction(features, sizes)
    rest = features - torch.outer(features @ direction, direction)
    assert abs(np.corrcoef(rest[:, 1].numpy(), np.log(sizes.numpy()))[0, 1]) < 0.3
    assert abs(direction[1]) > 0.9


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


def test_learning_rate_warms_up_and_decays() -> None:
    recipe = replace(config(), steps=100, warmup=10, decay_share=0.5, learning_rate=1.0)
    assert learning_rate(recipe, 0) == pytest.approx(0.1)
    assert learning_rate(recipe, 30) == 1.0
    assert learning_rate(recipe, 99) == pytest.approx(0.02)


def test_bundle_carries_each_members_held_out_logits(bundle: Path, prepared: Prepared) -> None:
    document = json.loads((bundle / "model.json").read_text())
    assert document["calibration"]["held_out_folds"] == [[2, 4], [0, 3]]
    logit, each = export.run(bundle / "video.fp32.onnx", prepared.views[:5])
    stored = document["calibration"]["fusion"]
    fusion = Fusion(tuple(stored["scale"]), tuple(stored["offset"]))
    np.testing.assert_allclose(logit, fusion.joint(each).mean(1), atol=1e-3)
