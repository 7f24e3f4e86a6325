"""The members of the detector: for every fold, networks that never saw it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from numpy import float32
from numpy.typing import NDArray

from training.audio import train_modspec
from training.audio.pool import Pool
from training.audio.recipe import Recipe
from training.common.command import log
from training.common.content import key_of


def checkpoints(work: Path, pool: Pool, recipe: Recipe) -> Path:
    """The folder of the folds' members: another one for another recipe, other clips or other labels."""
    decisive = (recipe.seed, recipe.prepare, recipe.left_out_families, recipe.modspec)
    return work / "checkpoints" / key_of(decisive, pool.key)


def checkpoint_path(folder: Path, fold: int) -> Path:
    """Where the members of one held-out fold lie."""
    return folder / f"mixture_fold{fold}.pt"


def train(pool: Pool, features: NDArray[float32], recipe: Recipe, folder: Path, folds: Sequence[int] = ()) -> None:
    """Train the members of some folds, or of all, that `folder` does not hold yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for fold in folds or sorted({s.fold for s in pool.samples if s.fold >= 0}):
        train_modspec.train(pool, features, fold, recipe, checkpoint_path(folder, fold))
        log(f"fold {fold}: done")
