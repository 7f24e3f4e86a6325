"""The recipe of a face detector, checked and typed."""

from __future__ import annotations

from pathlib import Path

from pydantic.dataclasses import dataclass
from sg_common.bundle.calibration import Aggregation

from training.common.recipe import STRICT, Release, read_recipe

DEFAULT = Path(__file__).parent / "recipes" / "lite0-clips.toml"


@dataclass(frozen=True, config=STRICT)
class Ridge:
    """How members learn from frozen statistics: so many ``landmarks``, kernels of this ``sharpness``, and the ``ridge``
    that keeps weights small."""

    landmarks: int
    sharpness: float
    ridge: float


@dataclass(frozen=True, config=STRICT)
class Recipe:
    """Everything that decides what is made. ``copies``: how often every clip is recompressed besides; ``held_out``: the
    folds that each member never sees."""

    release: Release
    aggregation: Aggregation
    held_out: tuple[tuple[int, ...], ...]
    copies: int
    kernel: Ridge


def load(path: Path = DEFAULT) -> Recipe:
    """Read a recipe (raises ValueError, see `read_recipe`)."""
    return read_recipe(Recipe, path)
