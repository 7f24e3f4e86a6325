from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from training.audio import recipe
from training.audio.pool import CLIP, Corpus, Pool
from training.common.manifest import Sample

SETTINGS = recipe.load().prepare
CLEAN, TELEPHONE, MUSIC = 1, SETTINGS.conditions.index("mobile"), SETTINGS.conditions.index("music")


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    samples = []
    for i in range(4):
        t = np.arange(16000 * 2) / 16000
        path = tmp_path / f"{i}.flac"
        soundfile.write(path, 0.1 * np.sin(2 * np.pi * (200 + 50 * i) * t), 16000)
        samples.append(Sample(path, i % 2, 0, "family", "source", fields={"path": path.name}))
    return Corpus(samples, SETTINGS, seed=1)


def test_a_copy_does_not_depend_on_what_was_made_before(corpus: Corpus) -> None:
    first = corpus.clip(2, TELEPHONE)
    corpus.clip(0, TELEPHONE)
    assert np.array_equal(corpus.clip(2, TELEPHONE), first)
    assert not np.array_equal(corpus.clip(2, TELEPHONE + 1)[:1000], first[:1000])


def test_clean_copies_differ_in_piece_and_speed_alone(corpus: Corpus) -> None:
    whole, copy = corpus.clip(0, 0), corpus.clip(0, CLEAN)
    assert np.abs(whole).max() == pytest.approx(0.7, abs=1e-3)
    assert whole.size * 0.5 / 1.18 - 2 < copy.size <= min(CLIP, whole.size / 0.85 + 2)
    spectrum = np.abs(np.fft.rfft(copy * np.hanning(copy.size)))
    assert 200 * 0.84 < spectrum.argmax() * 16000 / copy.size < 200 * 1.19


def test_features_are_measured_anew_when_their_clips_change(corpus: Corpus) -> None:
    keys = {corpus.key(copy) for copy in range(4)}
    assert len(keys) == 4
    assert replace(corpus, seed=2).key(1) not in keys
    clean = SETTINGS.copies["clean"]
    noisy = replace(clean, chain=replace(clean.chain, noise=0.5))
    louder = replace(corpus, settings=replace(SETTINGS, copies={**SETTINGS.copies, "clean": noisy}))
    assert louder.key(1) not in keys
    assert louder.key(TELEPHONE) == corpus.key(TELEPHONE)


def test_a_clip_with_another_content_is_measured_anew(corpus: Corpus) -> None:
    before = corpus.key(1), Pool([corpus]).key
    soundfile.write(corpus.samples[2].path, 0.1 * np.ones(16000), 16000)
    assert replace(corpus).key(1) != before[0]
    assert Pool([corpus]).key != before[1]


def test_another_label_or_fold_is_another_training(corpus: Corpus) -> None:
    for change in ({"label": 1}, {"fold": 3}, {"source": "other"}, {"also_held_out": frozenset({1})}):
        other = replace(corpus, samples=[replace(corpus.samples[0], **change), *corpus.samples[1:]])
        assert Pool([other]).key != Pool([corpus]).key
        assert other.key(1) == corpus.key(1), "features do not depend on it"


def test_a_corpus_that_was_moved_is_not_measured_anew(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    moved = []
    for s in corpus.samples:
        moved.append(replace(s, path=Path(shutil.copy(s.path, tmp_path / "other"))))
    assert replace(corpus, samples=moved).key(1) == corpus.key(1)


def test_music_from_files_is_heard_where_music_is(corpus: Corpus, tmp_path: Path) -> None:
    tune = tmp_path / "tune.wav"
    soundfile.write(tune, 0.1 * np.sin(2 * np.pi * 3000 * np.arange(44100 * 5) / 44100), 44100)
    band = replace(corpus, music=[tune])
    assert band.key(MUSIC) != corpus.key(MUSIC)
    assert band.key(TELEPHONE) == corpus.key(TELEPHONE)
    assert Pool([band]).key != Pool([corpus]).key

    def share(of: Corpus, i: int) -> float:
        x = of.clip(i, MUSIC)
        spectrum = np.square(np.abs(np.fft.rfft(x)))
        frequencies = np.fft.rfftfreq(x.size, 1 / 16000)
        return float(spectrum[np.abs(frequencies - 3000) < 2].sum() / spectrum.sum())

    assert max(share(band, i) for i in range(4)) > 10 * max(share(corpus, i) for i in range(4))


def test_a_pool_counts_through_its_corpora(corpus: Corpus) -> None:
    other = replace(corpus, samples=corpus.samples[:1])
    pool = Pool([other, corpus])
    assert len(pool.samples) == 5
    assert np.array_equal(pool.clip(3, CLEAN), corpus.clip(2, CLEAN))
