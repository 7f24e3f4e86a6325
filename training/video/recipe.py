"""The recipe of a face detector, checked and typed."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path

from pydantic.dataclasses import dataclass
from sg_common.bundle.calibration import Aggregation

from training.common.recipe import STRICT, Release, read_recipe
from training.video.batches import Mixture
from training.video.prepare import CROP_SIZE

DEFAULT = Path(__file__).parent / "recipes" / "lite0-regions.toml"


@dataclass(frozen=True, config=STRICT)
class Experts:
    """How the experts and the gate on frozen statistics are trained.

    Copy 0 is every view as the service cuts it; ``moved`` copies follow that are shifted, turned and mirrored, then as
    many as ``retouched`` and ``degraded`` say that are changed besides. The clean expert learns from all but the last
    kind, the degraded one from all. ``clean_odds`` say how much more the gate expects a crop to be undegraded than its
    examples are.
    """

    moved: int
    retouched: int
    degraded: int
    seeds: int
    hidden: int
    dropout: float
    learning_rate: float
    weight_decay: float
    epochs: int
    batch: int
    gate_penalty: float
    clean_odds: float

    @property
    def copies(self) -> int:
        return self.clean + self.degraded

    @property
    def clean(self) -> int:
        """How many copies are not degraded."""
        return 1 + self.moved + self.retouched


@dataclass(frozen=True, config=STRICT)
class Member:
    """How a member's backbone is fine-tuned.

    The learning rate warms up, stays, and falls linearly to zero over the last ``decay_share`` of the
    steps. ``frozen_layers`` counts the network's first layers that keep their ImageNet weights.
    """

    held_out: tuple[int, ...] = ()
    seed: int = 1
    steps: int = 2500
    learning_rate: float = 3e-4
    weight_decay: float = 0.02
    warmup: int = 100
    decay_share: float = 0.3
    ema: float = 0.998
    dropout: float = 0.2
    frozen_layers: int = 2
    checkpoint_every: int = 50
    size: int = CROP_SIZE
    mixture: Mixture = field(default_factory=Mixture)


@dataclass(frozen=True, config=STRICT)
class Recipe:
    """Everything that decides what is made: `experts` with the folds that each member holds out, or else the files of
    fine-tuned `members`."""

    release: Release
    int8: bool
    aggregation: Aggregation
    held_out: tuple[tuple[int, ...], ...] = ()
    experts: Experts | None = None
    members: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.experts is None) != bool(self.members) or (self.experts is None) == bool(self.held_out):
            raise ValueError("a recipe has experts and held_out, or members")


def load(path: Path = DEFAULT) -> Recipe:
    """Read a recipe (raises ValueError, see `read_recipe`)."""
    return read_recipe(Recipe, path)


def load_members(path: Path) -> list[Member]:
    """The members of a fine-tuned detector's recipe, each in a file beside it (raises ValueError)."""
    return [read_recipe(Member, path.parent / name) for name in load(path).members]
