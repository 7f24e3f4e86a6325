"""The configuration file of the audio trainer, checked and typed."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from training.audio.augment import Chain

DEFAULT = Path(__file__).parent / "configs" / "default.toml"
T = TypeVar("T")


@dataclass(frozen=True)
class Prepare:
    """Degraded copies made once and kept."""

    copies: int
    chain: Chain


@dataclass(frozen=True)
class Modspec:
    """Bag of small networks on modulation-spectrum features."""

    seeds: int
    hidden: int
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    dropout: float
    label_smoothing: float
    clean_share: float


@dataclass(frozen=True)
class Cnn:
    """Convolutional network on the log spectrogram."""

    steps: int
    batch_size: int
    crop_seconds: float
    learning_rate: float
    weight_decay: float
    dropout: float
    label_smoothing: float
    ema: float
    clean_share: float
    noise_share: float
    channels: tuple[int, ...]


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
    fusion: tuple[float, float]
    modspec: Modspec
    cnn: Cnn
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
    prepare["chain"] = _make(Chain, prepare.get("chain", {}), "prepare.chain")
    train = document["train"]
    return Config(
        seed=int(document["seed"]),
        prepare=_make(Prepare, prepare, "prepare"),
        left_out_families=tuple(train.get("left_out_families", ())),
        fusion=(float(train["fusion"][0]), float(train["fusion"][1])),
        modspec=_make(Modspec, train["modspec"], "train.modspec"),
        cnn=_make(Cnn, train["cnn"], "train.cnn"),
        calibrate=_make(Calibrate, document["calibrate"], "calibrate"),
    )
