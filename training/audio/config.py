"""The configuration file of the audio trainer, checked and typed."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from training.audio.augment import Chain
from training.audio.frontend import VIEWS

DEFAULT = Path(__file__).parent / "configs" / "default.toml"
T = TypeVar("T")


@dataclass(frozen=True)
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


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Gate:
    """The network that hears which condition a clip met."""

    shares: tuple[float, float, float, float]
    epochs: int


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Calibrate:
    """Rates on held-out folds at which the decision thresholds are set."""

    false_alarm_rate: float
    miss_rate: float


@dataclass(frozen=True)
class Config:
    """Everything that decides what is trained."""

    seed: int
    prepare: Prepare
    left_out_families: tuple[str, ...]
    modspec: Modspec
    calibrate: Calibrate


def _make(kind: type[T], table: dict[str, Any], where: str) -> T:
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    if unknown := set(table) - known:
        raise ValueError(f"unknown settings in [{where}]: {', '.join(sorted(unknown))}")
    if missing := known - set(table) - ({f.name for f in fields(Chain)} if kind is Chain else set()):
        raise ValueError(f"missing settings in [{where}]: {', '.join(sorted(missing))}")
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in table.items()})


def load(path: Path = DEFAULT) -> Config:
    """Read a configuration file; raises ValueError naming an unknown or a missing setting."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    prepare = dict(document["prepare"])
    for chain in (f.name for f in fields(Prepare) if f.name.endswith("chain")):
        prepare[chain] = _make(Chain, prepare.get(chain, {}), f"prepare.{chain}")
    train = document["train"]
    modspec = dict(train["modspec"])
    modspec["gate"] = _make(Gate, modspec["gate"], "train.modspec.gate")
    modspec["experts"] = {
        name: _make(Expert, table, f"train.modspec.experts.{name}") for name, table in modspec["experts"].items()
    }
    if unknown := {view for expert in modspec["experts"].values() for view in expert.views} - set(VIEWS):
        raise ValueError(f"unknown views of experts: {', '.join(sorted(unknown))}")
    return Config(
        seed=int(document["seed"]),
        prepare=_make(Prepare, prepare, "prepare"),
        left_out_families=tuple(train.get("left_out_families", ())),
        modspec=_make(Modspec, modspec, "train.modspec"),
        calibrate=_make(Calibrate, document["calibrate"], "calibrate"),
    )
