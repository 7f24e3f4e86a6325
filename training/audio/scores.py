"""Held-out logits of the clips of a corpus, each by the members that never saw its fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.audio.conditions import treat
from training.audio.pool import CLIP_SECONDS
from training.audio.waveforms import read, repeat_to
from training.common.bundle import session
from training.common.content import digest, files_key, kept, key_of
from training.common.manifest import Sample
from training.common.scores import Scores

BATCH = 8


@dataclass(frozen=True)
class FoldScores(Scores):
    """Scores with every fold's logits (N, folds); `logits` are those of the samples' own folds."""

    fold_logits: NDArray[np.float32]


def fold_scores(samples: Sequence[Sample], fold_logits: NDArray[np.float32]) -> FoldScores:
    """Scores of samples by the members that never saw their fold, and by all where no member saw it."""
    folds = np.asarray([s.fold for s in samples], np.int64)
    own = fold_logits[np.arange(len(folds)), np.maximum(folds, 0)]
    logits = np.where(folds < 0, fold_logits.mean(axis=1), own).astype(np.float64)
    return FoldScores(tuple(samples), logits, fold_logits)


def score(model: Path, samples: Sequence[Sample], condition: str, *, folder: Path, seed: int) -> FoldScores:
    """Run a bundle's graph on samples under a condition, or read what an earlier run kept in `folder`."""

    def run() -> NDArray[np.float32]:
        graph, parts = session(model), []
        others = [s.path for s in samples if not s.label]
        for start in range(0, len(samples), BATCH):
            batch = [
                repeat_to(treat(read(s.path, CLIP_SECONDS), condition, seed, s.fields["path"], others))
                for s in samples[start : start + BATCH]
            ]
            parts.append(graph.run(["fold_logits"], {"waveform": np.stack(batch)})[0])
        return np.concatenate(parts).astype(np.float32)

    key = key_of(digest(model), files_key(samples), condition, seed)
    return fold_scores(samples, kept(folder / f"{key}.npy", run))
