"""The members of the detector: for every fold, networks that never saw it."""

from __future__ import annotations

from collections.abc import Sequence

from numpy import float16
from numpy.typing import NDArray

from training.audio import experts
from training.audio.experts import Checkpoints
from training.audio.pool import Pool
from training.audio.recipe import Recipe
from training.audio.weigh import judge, weights_of_folds
from training.common.command import log
from training.common.perceptrons import Mixture


def folds_of(pool: Pool) -> list[int]:
    """The folds that hold clips out."""
    return sorted({s.fold for s in pool.samples if s.fold >= 0})


def train(
    pool: Pool, features: NDArray[float16], recipe: Recipe, checkpoints: Checkpoints, folds: Sequence[int] = ()
) -> None:
    """Train what is not there yet of some folds' members, or of all folds'."""
    for fold in folds or folds_of(pool):
        experts.train(pool, features, fold, recipe, checkpoints)
        log(f"fold {fold}: done")


def join(pool: Pool, features: NDArray[float16], recipe: Recipe, checkpoints: Checkpoints) -> list[Mixture]:
    """The folds' mixtures, each with weights from clips of the others.

    Raises:
        FileNotFoundError: a fold's members are not trained.
    """
    members = {fold: experts.load(fold, recipe, checkpoints) for fold in folds_of(pool)}
    judged = {fold: judge(pool, features, fold, own, recipe) for fold, own in members.items()}
    weights = weights_of_folds(judged, recipe)
    return [Mixture([*own.experts.values()], own.gate, weights[fold]) for fold, own in members.items()]
