"""The recipe of an audio detector, checked and typed."""

from __future__ import annotations

from pathlib import Path

from pydantic.dataclasses import dataclass

from training.audio.augment import Chain
from training.audio.front import VIEWS
from training.common.recipe import STRICT, Release, read_recipe

DEFAULT = Path(__file__).parent / "recipes" / "fold-bag.toml"


CLEAN = "clean"
"""The condition of the clips themselves."""


@dataclass(frozen=True, config=STRICT)
class Copies:
    """So many varied copies of every clip, each by the same chain."""

    count: int
    chain: Chain


@dataclass(frozen=True, config=STRICT)
class Prepare:
    """Varied copies of every clip, by the condition that they met."""

    copies: dict[str, Copies]

    def __post_init__(self) -> None:
        if next(iter(self.copies), None) != CLEAN:
            raise ValueError(f"the first copies are {CLEAN}")

    @property
    def conditions(self) -> list[str]:
        """The condition of the clip itself and of every copy, in order."""
        return [CLEAN, *(name for name, copies in self.copies.items() for _ in range(copies.count))]

    @property
    def chains(self) -> list[Chain]:
        """The chain of every copy, in order."""
        return [copies.chain for copies in self.copies.values() for _ in range(copies.count)]


@dataclass(frozen=True, config=STRICT)
class Expert:
    """A bag on each of its `views` (`front.VIEWS`), which `judges` clips of some conditions.

    `shares` of each condition's copies in its batches, `nuisance` how strongly differences between genuine sources are
    damped, and whether it hears only what a telephone leaves of the modulation spectrum.
    """

    judges: tuple[str, ...]
    views: tuple[str, ...]
    shares: dict[str, float]
    nuisance: float = 0.0
    telephone_band: bool = False

    def __post_init__(self) -> None:
        if unknown := set(self.views) - set(VIEWS):
            raise ValueError(f"unknown views: {', '.join(sorted(unknown))}")


@dataclass(frozen=True, config=STRICT)
class Gate:
    """The network that hears which condition a clip met: `shares` of each condition's copies in its batches."""

    shares: dict[str, float]
    epochs: int


@dataclass(frozen=True, config=STRICT)
class Mixture:
    """Bags of small networks on what the front end hears, by name, and their gate."""

    seeds: int
    hidden: int
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    dropout: float
    label_smoothing: float
    gate: Gate
    experts: dict[str, Expert]


@dataclass(frozen=True, config=STRICT)
class Stretches:
    """Rates of held-out genuine recordings at which stretches are calibrated, and what a place more costs.

    `named_rate`: with a stretch that is named; `false_alarm_rate`: called by it or as a whole; `doubtful_rate`: not
    cleared for a run alone; `chances`: see `StretchCalibration`.
    """

    named_rate: float
    false_alarm_rate: float
    doubtful_rate: float
    chances: float


@dataclass(frozen=True, config=STRICT)
class Calibrate:
    """Rates on held-out folds at which the decision thresholds are set."""

    false_alarm_rate: float
    miss_rate: float
    stretches: Stretches


@dataclass(frozen=True, config=STRICT)
class Recipe:
    """Everything that decides what is trained. `int8`: whether a quantized variant ships, too."""

    seed: int
    release: Release
    int8: bool
    left_out_families: tuple[str, ...]
    prepare: Prepare
    mixture: Mixture
    calibrate: Calibrate

    def __post_init__(self) -> None:
        made, experts = set(self.prepare.copies), self.mixture.experts
        shares = {name: expert.shares for name, expert in experts.items()}
        for name, wanted in {**shares, "the gate": self.mixture.gate.shares}.items():
            if unknown := set(wanted) - made:
                raise ValueError(f"{name} wants copies that are not made: {', '.join(sorted(unknown))}")
        judged = [condition for expert in experts.values() for condition in expert.judges]
        if sorted(judged) != sorted(made):
            raise ValueError(f"every condition needs one expert that judges it: {', '.join(sorted(made))}")


def load(path: Path = DEFAULT) -> Recipe:
    """Read a recipe (raises ValueError, see `read_recipe`)."""
    return read_recipe(Recipe, path)
