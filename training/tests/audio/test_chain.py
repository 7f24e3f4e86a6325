"""The whole chain, from a manifest to a calibrated bundle, on a tiny corpus made here."""

from __future__ import annotations

import json
import re
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from sg_common.bundle.spec import VoiceSpec, read_task

from training.audio import export, recipe
from training.audio.__main__ import commands
from training.audio.conditions import STREAMS
from training.audio.front import Front
from training.audio.models import Detector
from training.audio.waveforms import WINDOW
from training.common.bundle import session
from training.common.cards import END, START
from training.common.perceptrons import Gate, Mixture, Perceptron
from training.tests.audio.test_speaker import checkpoint

COPIES = re.compile(r"^count = \d+$", re.MULTILINE)


def speak(rng: np.random.Generator, fake: bool) -> np.ndarray:
    """A buzz with syllables; the fake one is smoother, and there are no people in it."""
    t = np.arange(int(rng.uniform(1.3, 2.7) * 16000)) / 16000
    pitch = rng.uniform(90, 220) * (1 + 0.05 * np.sin(2 * np.pi * rng.uniform(1, 4) * t))
    phase = 2 * np.pi * np.cumsum(pitch) / 16000
    x = sum(np.sin(k * phase) / k for k in range(1, 20)) * np.clip(np.sin(2 * np.pi * 3 * t), 0, 1)
    return np.asarray(0.2 * x + (0.0005 if fake else 0.02) * rng.standard_normal(t.size), dtype=np.float32)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    lines = ["path\tlabel\tfamily\tfold\tgenerator_or_source\tlanguage\tsrc_sr\tgroup\tlicense"]
    for i in range(20):
        label = "fake" if i % 2 else "real"
        fold = i // 2 % 5
        soundfile.write(folder / f"{i}.flac", speak(rng, bool(i % 2)), 16000)
        group = f"{i - 1}.flac" if i % 2 else ""
        lines.append(f"{i}.flac\t{label}\t{label}{fold}\t{fold}\t{label}-source{fold}\ten\t16000\t{group}\tCC0-1.0")
    (folder / "manifest.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    text, counts = COPIES.subn("count = 1", recipe.DEFAULT.read_text(encoding="utf-8"))
    assert counts == len(recipe.load().prepare.copies)
    text, seeds = re.subn(r"^seeds = \d+", "seeds = 2", text, flags=re.MULTILINE)
    assert seeds == 1
    assert "int8 = false" in text, "the path of a quantized variant is tried here alone"
    text = text.replace("int8 = false", "int8 = true")
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def speaker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("speaker") / "weights.pt"
    torch.save(checkpoint(0), path)
    return path


def command(name: str, *arguments: object) -> None:
    commands().main([name, *map(str, arguments)])


def test_from_manifest_to_calibrated_bundle(
    corpus: Path,
    settings: Path,
    speaker: Path,
    work: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    common = ("--data", corpus, "--recipe", settings, "--work", work)
    heard = (*common, "--speaker", speaker)
    with pytest.raises(FileNotFoundError, match="prepare"):
        command("train", *heard)
    command("prepare", *heard, "--workers", 1)
    command("prepare", *heard)
    assert "0 copies of corpora to measure" in capsys.readouterr().out
    command("train", *heard)
    bundle = tmp_path / "bundle"
    other = tmp_path / "other.toml"
    other.write_text(re.sub(r"^epochs = .*$", "epochs = 7", settings.read_text(), flags=re.MULTILINE))
    with pytest.raises(FileNotFoundError, match="run train with this recipe"):
        command("export", *heard, "--recipe", other, "--bundle", bundle)
    command("export", *heard, "--bundle", bundle)
    (bundle / "MODEL_CARD.md").write_text(f"# Card\n{START}\n{END}\n", encoding="utf-8")
    document = json.loads((bundle / "model.json").read_text())
    assert set(document["variants"]) == {"fp32", "int8"}
    assert document["input"]["padding"] == "repeat"
    with np.load(bundle / "golden.npz") as golden:
        graph = session(bundle / "model.fp32.onnx")
        logit, folds = graph.run(["logit", "fold_logits"], {"waveform": golden["input"]})
        assert np.abs(logit - golden["output"]).max() < document["golden"]["tolerance"]["fp32"]
        assert np.allclose(folds.mean(axis=1), logit, atol=1e-4)
        quiet = graph.run(["logit"], {"waveform": golden["input"] * np.float32(0.05)})[0]
        assert np.abs(quiet - logit).max() < 0.05, "level must not decide"
    command("calibrate", *common, "--bundle", bundle)
    calibration = json.loads((bundle / "model.json").read_text())["calibration"]
    thresholds = calibration["thresholds"]
    assert 0 <= thresholds["likely_authentic"] <= thresholds["likely_deepfake"] <= 1
    assert [(c["codec"], c["bit_rate"]) for c in calibration["codecs"]] == [astuple(s) for s in STREAMS.values()]
    spec = read_task(bundle, VoiceSpec)
    assert {"auc_loss", "probability_difference"} <= spec.variants["int8"].model_fields_set
    capsys.readouterr()
    command("evaluate", *common, "--bundle", bundle, "--per-source", 1, "--write")
    card = (bundle / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "### Held-out folds" in card
    assert "random chain" in card
    assert "Genuine sources most often called fake" in card
    assert "copy above its original" in card
    assert (bundle / "sources.tsv").read_text(encoding="utf-8").count("\n") == 11


def test_an_all_zero_window_has_a_finite_logit(tmp_path: Path) -> None:
    front = Front()
    mixture = Mixture([Perceptron(front.size, 8)], Gate(front.size, 3), torch.ones(3, 2))
    detector = Detector(front, [mixture]).eval()
    export.write_onnx(detector, tmp_path / "m.onnx")
    out = session(tmp_path / "m.onnx").run(["logit"], {"waveform": np.zeros((3, WINDOW), np.float32)})[0]
    assert out.shape == (3,)
    assert np.isfinite(out).all()
