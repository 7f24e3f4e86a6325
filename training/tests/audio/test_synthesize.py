from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import stft

from training.audio import synthesize
from training.common.manifest import Sample, read_manifest, split


def buzz(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(32000) / 16000
    tone = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 40)) * np.clip(np.sin(2 * np.pi * 3 * t), 0.05, 1)
    return np.asarray(0.1 * tone + 0.01 * rng.standard_normal(t.size), dtype=np.float32)


def roughness(x: np.ndarray, axis: int) -> float:
    """How much the log spectrogram moves from one step to the next."""
    log = np.log(np.abs(stft(x, nperseg=400, noverlap=300)[2]) + 1e-4)
    return float(np.abs(np.diff(log, axis=axis)).mean())


@pytest.mark.parametrize("axes", [(1,), (0,), (1, 0)])
def test_a_blurred_clip_is_its_original_without_texture(axes: tuple[int, ...]) -> None:
    x = buzz(1)
    for seed in range(6):
        y = synthesize.blurred(x, np.random.default_rng(seed), axes=axes)
        assert y.shape == x.shape
        assert np.isfinite(y).all()
        if np.random.default_rng(seed).choice([256, 400, 512, 1024]) == 400:
            assert all(roughness(y, axis) < roughness(x, axis) for axis in axes)
    levels = [np.abs(stft(z, nperseg=512)[2]).mean(axis=0) for z in (x, y)]
    assert np.corrcoef(*levels)[0, 1] > 0.9


def test_pseudo_fakes_are_held_out_with_their_voice(tmp_path: Path) -> None:
    corpus, out = tmp_path / "corpus", tmp_path / "made"
    corpus.mkdir()
    lines = ["path\tlabel\tfamily\tfold\tgenerator_or_source\tlanguage\tsrc_sr"]
    for i in range(10):
        soundfile.write(corpus / f"{i}.flac", buzz(i), 16000)
        lines.append(f"{i}.flac\treal\thuman\t{i % 5}\tsource{i % 5}\tko\t16000")
    (corpus / "manifest.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    engine = "blurred-both-local"
    for _ in range(2):
        synthesize.make_clips(read_manifest(corpus / "manifest.tsv"), out, [engine], 1)
    made = read_manifest(out / "manifest.tsv")
    assert 0 < len(made) < 10
    folds = {s.fields["path"]: s.fold for s in read_manifest(corpus / "manifest.tsv")}
    for s in made:
        assert s.label == 1
        assert s.fold == folds[s.group]
        assert made.index(s) not in split(made, s.fold)[0]
        assert soundfile.info(s.path).frames == 32000


def test_a_clip_that_changed_is_copied_anew(tmp_path: Path) -> None:
    sample = Sample(tmp_path / "0.flac", 0, 0, "human", "source", fields={"path": "0.flac", "language": "ko"})
    names = []
    for seed in range(2):
        soundfile.write(sample.path, buzz(seed), 16000)
        for try_ in range(20):  # which clips are copied is drawn
            if synthesize.make_clips([sample], tmp_path / "made", ["blurred-both-local"], try_):
                names.append(sorted(path.name for path in (tmp_path / "made").rglob("*.flac")))
                break
    assert len(names[1]) > len(names[0])
