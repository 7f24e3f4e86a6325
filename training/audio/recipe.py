"""The recipe of an audio detector, checked and typed."""

from __future__ import annotations

from pathlib import Path

from pydantic.dataclasses import dataclass

from training.audio.augment import Chain
from training.audio.frontend import VIEWS
from training.common.recipe import STRICT, Release, read_recipe

DEFAULT = Path(__file__).parent / "recipes" / "fold-bag.toml"


@dataclass(frozen=True, config=STRICT)
class Prepare:
    """Varied copies of every clip: so many by the chain that keeps them clean, by the one that degrades, and so on."""

    clean_copies: int
    copies: int
    mobile_copies: int
    landline_copies: int
    codec_copies: int
    clean_chain: Chain
    chain: Chain
    mobile_chain: Chain
    landline_chain: Chain
    codec_chain: Chain

    @property
    def counts(self) -> tuple[int, int, int, int, int]:
        """How many copies are clean, degraded, mobile, landline and codec copies, in their order."""
        return self.clean_copies, self.copies, self.mobile_copies, self.landline_copies, self.codec_copies

    @property
    def chains(self) -> list[Chain]:
        """The chain of every copy, in order."""
        chains = (self.clean_chain, self.chain, self.mobile_chain, self.landline_chain, self.codec_chain)
        return [chain for chain, count in zip(chains, self.counts, strict=True) for _ in range(count)]


@dataclass(frozen=True, config=STRICT)
class Expert:
    """A bag on each of its `views` (`frontend.VIEWS`) for some conditions; fours are for clean, degraded, mobile and
    landline clips.

    `shares` of such clips in its batches, `weights` of its logit where the gate hears such a clip,
    `nuisance` how strongly differences between genuine sources are damped, and whether it hears only
    what a telephone leaves.
    """

    views: tuple[str, ...]
    shares: tuple[float, float, float, float]
    weights: tuple[float, float, float, float]
    nuisance: float
    telephone_band: bool

    def __post_init__(self) -> None:
        if unknown := set(self.views) - set(VIEWS):
            raise ValueError(f"unknown views: {', '.join(sorted(unknown))}")


@dataclass(frozen=True, config=STRICT)
class Gate:
    """The network that hears which condition a clip met."""

    shares: tuple[float, float, float, float]
    epochs: int


@dataclass(frozen=True, config=STRICT)
class Modspec:
    """Bags of small networks on modulation-spectrum features, by name, and their gate."""

    seeds: int
    hidden: int
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    dropout: float
    label_smoothing: float
    experts: dict[str, Expert]
    gate: Gate


@dataclass(frozen=True, config=STRICT)
class Stretches:
    """Rates of held-out genuine recordings at which stretches are calibrated, and what a place more costs.

    `named_rate`: with a stretch that counts; `false_alarm_rate`: called by it or as a whole; `chances`: see
    `StretchCalibration`.
    """

    named_rate: float
    false_alarm_rate: float
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
    modspec: Modspec
    calibrate: Calibrate


def load(path: Path = DEFAULT) -> Recipe:
    """Read a recipe (raises ValueError, see `read_recipe`)."""
    return read_recipe(Recipe, path)
