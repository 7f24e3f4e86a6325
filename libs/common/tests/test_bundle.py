from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from sg_common.bundle import load_bundle
from sg_common.errors import BundleError
from sg_common.runtime import Runtime


def write_graph(path: Path, gain: float) -> None:
    """A graph that answers `gain` times the mean of each row."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["waveform"], ["mean"], axes=[1], keepdims=0),
            helper.make_node("Mul", ["mean", "gain"], ["logit"]),
        ],
        "mean",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["n", 8])],
        [helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor("gain", TensorProto.FLOAT, [], [gain])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=10)
    onnx.save(model, path)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A small, valid bundle with two variants."""
    write_graph(tmp_path / "fp32.onnx", 2.0)
    write_graph(tmp_path / "int8.onnx", 2.01)
    batch = np.arange(16, dtype=np.float32).reshape(2, 8)
    np.savez(tmp_path / "golden.npz", input=batch, output=batch.mean(1) * 2)
    spec = {
        "schema": 1,
        "name": "mean",
        "version": "1.0.0",
        "task": "audio-deepfake",
        "license": "test",
        "input": {"name": "waveform", "layout": "NT", "dtype": "float32", "sample_rate": 16000},
        "output": {"name": "logit", "kind": "logit"},
        "variants": {
            "fp32": {"file": "fp32.onnx", "sha256": sha256(tmp_path / "fp32.onnx")},
            "int8": {"file": "int8.onnx", "sha256": sha256(tmp_path / "int8.onnx"), "auc_loss": 0.002},
        },
        "golden": {
            "file": "golden.npz",
            "sha256": sha256(tmp_path / "golden.npz"),
            "tolerance": {"fp32": 1e-4, "int8": 0.2},
        },
        "card": "MODEL_CARD.md",
    }
    (tmp_path / "model.json").write_text(json.dumps(spec))
    return tmp_path


def change(bundle: Path, **changes: Any) -> None:
    """Set fields of `model.json`; `a__b` reaches into `a`."""
    spec = json.loads((bundle / "model.json").read_text())
    for name, value in changes.items():
        *outer, last = name.split("__")
        place = spec
        for part in outer:
            place = place[part]
        place[last] = value
    (bundle / "model.json").write_text(json.dumps(spec))


def load(bundle: Path, **options: Any) -> Any:
    return load_bundle(bundle, task="audio-deepfake", runtime=Runtime(threads=1), **options)


def test_a_valid_bundle_answers(bundle: Path) -> None:
    loaded = load(bundle, variant="fp32")
    loaded.self_test()
    assert loaded.model.model_dump() == {"name": "mean", "version": "1.0.0", "variant": "fp32"}
    np.testing.assert_allclose(loaded.scores(np.ones((3, 8), np.float32)), [2, 2, 2])
    assert loaded.spec.input.sample_rate == 16000


def test_auto_chooses_among_variants_within_the_accuracy_budget(bundle: Path) -> None:
    assert load(bundle).variant in {"fp32", "int8"}
    assert load(bundle, accuracy_budget=0.001).variant == "fp32"


def test_variants_that_need_missing_instructions_are_no_candidates(bundle: Path) -> None:
    change(bundle, variants__int8__requires=["an_instruction_set_of_2090"])
    assert load(bundle).variant == "fp32"
    with pytest.raises(BundleError, match="an_instruction_set_of_2090"):
        load(bundle, variant="int8")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"schema": 2}, "schema"),
        ({"task": "face-manipulation"}, "task is face-manipulation"),
        ({"surprise": 1}, "surprise"),
        ({"variants": {}}, "variants"),
        ({"variants__fp32__file": "../fp32.onnx"}, "own folder"),
        ({"variants__fp32__file": "missing.onnx"}, "cannot be read"),
        ({"variants__fp32__sha256": "0" * 64}, "SHA-256"),
        ({"golden__sha256": "0" * 64}, "SHA-256"),
        ({"golden__tolerance": {}}, "tolerance"),
        ({"input__name": "sound"}, "no input 'sound'"),
        ({"input__dtype": "uint8"}, "uint8"),
        ({"input__layout": "NCHW"}, "NCHW"),
        ({"output__name": "probability"}, "no output"),
    ],
)
def test_what_does_not_match_is_refused_with_a_sentence(bundle: Path, changes: dict[str, Any], sentence: str) -> None:
    change(bundle, **changes)
    with pytest.raises(BundleError, match=sentence):
        load(bundle)


def test_a_model_that_answers_differently_is_refused(bundle: Path) -> None:
    write_graph(bundle / "fp32.onnx", 3.0)
    change(bundle, variants__fp32__sha256=sha256(bundle / "fp32.onnx"))
    with pytest.raises(BundleError, match="golden test of fp32"):
        load(bundle, variant="fp32")


def test_a_file_that_is_no_graph_is_refused(bundle: Path) -> None:
    (bundle / "fp32.onnx").write_bytes(b"not a graph")
    change(bundle, variants__fp32__sha256=sha256(bundle / "fp32.onnx"))
    with pytest.raises(BundleError, match="ONNX Runtime refuses"):
        load(bundle, variant="fp32")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="SG_MODEL_DIR"):
        load(tmp_path / "nowhere")


def test_an_unknown_variant_is_refused(bundle: Path) -> None:
    with pytest.raises(BundleError, match="fp32, int8"):
        load(bundle, variant="bf16")
