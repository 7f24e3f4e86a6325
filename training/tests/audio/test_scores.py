"""What was judged once is read again, and nothing else is taken for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from onnx import TensorProto, helper, save

from training.audio import scores
from training.audio.conditions import CLEAN
from training.common.manifest import Sample


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Two folds' logits: the clip's mean and its negative."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["waveform"], ["mean"], axes=[1], keepdims=1),
            helper.make_node("Neg", ["mean"], ["less"]),
            helper.make_node("Concat", ["mean", "less"], ["fold_logits"], axis=1),
        ],
        "mean",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["N", 43200])],
        [helper.make_tensor_value_info("fold_logits", TensorProto.FLOAT, ["N", 2])],
    )
    path = tmp_path / "model.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=10), path)
    return path


def corpus(folder: Path, levels: Sequence[float]) -> list[Sample]:
    folder.mkdir()
    samples = []
    for i, level in enumerate(levels):
        path = folder / f"{i}.wav"
        soundfile.write(path, np.full(16000, level), 16000, subtype="FLOAT")
        samples.append(Sample(path, i % 2, i % 2, "family", "source", fields={"path": path.name}))
    return samples


def judged(model: Path, samples: Sequence[Sample]) -> list[float]:
    found = scores.score(model, samples, CLEAN, folder=model.parent / "scores", seed=1)
    return [round(float(value), 4) for value in found.logits]


def test_a_second_corpus_of_the_same_size_gets_its_own_logits(model: Path, tmp_path: Path) -> None:
    assert judged(model, corpus(tmp_path / "first", [0.1, 0.2])) == [0.1, -0.2]
    assert judged(model, corpus(tmp_path / "second", [0.3, 0.4])) == [0.3, -0.4]


def test_the_same_number_of_other_clips_is_judged_anew(model: Path, tmp_path: Path) -> None:
    samples = corpus(tmp_path / "first", [0.1, 0.2, 0.3])
    assert judged(model, samples[:2]) == [0.1, -0.2]
    assert judged(model, samples[1:]) == [-0.2, 0.3]


def test_what_was_judged_is_kept(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = corpus(tmp_path / "first", [0.1, 0.2])
    before = judged(model, samples)
    monkeypatch.setattr(scores, "session", lambda path: pytest.fail("judged again"))
    assert judged(model, samples) == before


def test_a_clip_that_no_member_saw_is_judged_by_all() -> None:
    sample = Sample(Path("x"), 0, 1, "family", "source")
    logits = np.array([[1.0, 3.0], [1.0, 3.0]], np.float32)
    assert scores.fold_scores([sample, replace(sample, fold=-1)], logits).logits.tolist() == [3.0, 2.0]
