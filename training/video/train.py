"""Train one member of the detector; stops and goes on where it was.

python -m training.video.train --config training/video/config/member_a.toml
"""

from __future__ import annotations

import argparse
import time
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training.video.batches import BLENDED, GENUINE, RESYNTHESIZED, Batch, Batches, Mixture, Reconstructions
from training.video.network import Detector, as_images, build, either, required_imagenet_weights
from training.video.prepare import CROP_SIZE, Prepared, arguments, load_prepared


@dataclass(frozen=True)
class Config:
    """A member's recipe, as its TOML file says it.

    The learning rate warms up, stays, and falls linearly to zero over the last ``decay_share`` of the
    steps. ``frozen_layers`` counts the network's first layers that keep their ImageNet weights.
    """

    name: str
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


def read_config(path: Path) -> Config:
    """Read a recipe; the member's name is the file's.

    Raises:
        TypeError: the file holds a key that a recipe does not have.
    """
    values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    values["held_out"] = tuple(values.get("held_out", ()))
    values["mixture"] = Mixture(**values.get("mixture", {}))
    return Config(name=path.stem, **values)


def learning_rate(config: Config, step: int) -> float:
    """The learning rate of a step, counted from 0."""
    decay = max(1, round(config.steps * config.decay_share))
    return config.learning_rate * min(1.0, (step + 1) / max(1, config.warmup), (config.steps - step) / decay)


def loss_of(logits: Tensor, kinds: Tensor) -> Tensor:
    """Cross-entropy of the joint logit, and of the expert that should see a pseudo-fake.

    ``logits`` [N, 2] (blended, synthesized whole), ``kinds`` [N]. A genuine crop is genuine to both
    experts by way of the joint logit; of a real fake it is not known which trace it shows, so it counts
    there alone. Genuine and manipulated crops weigh the same.
    """
    target = (kinds != GENUINE).float()
    joint = functional.binary_cross_entropy_with_logits(either(logits), target, reduction="none")
    loss = (joint[target == 0].mean() + joint[target == 1].mean()) / 2
    for expert, kind in ((0, BLENDED), (1, RESYNTHESIZED)):
        mine = logits[kinds == kind, expert]
        if len(mine):
            loss = loss + 0.25 * functional.softplus(-mine).mean()
    return loss


def to_tensor(batch: Batch) -> tuple[Tensor, Tensor]:
    """Images as float32 [N, 3, S, S], channels last, and kinds [N]."""
    return as_images(batch.images), torch.from_numpy(batch.kinds)


class Trainer:
    """Optimizes a member and keeps an exponential average of its weights, which is what ships."""

    def __init__(self, config: Config, batches: Batches, weights: Path | None) -> None:
        torch.manual_seed(config.seed)
        self.config, self.batches = config, batches
        self.model = build(weights, config.dropout)
        for layer in list(self.model.backbone.layers)[: config.frozen_layers]:
            layer.requires_grad_(False)
        trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=config.learning_rate, weight_decay=config.weight_decay)
        self.average = {k: v.clone() for k, v in self.model.state_dict().items()}
        self.step = 0
        self.losses: list[float] = []

    def advance(self) -> float:
        """One step; returns its loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, self.step)
        images, kinds = to_tensor(self.batches.draw(self.step))
        loss = loss_of(self.model(images), kinds)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        keep = min(self.config.ema, (1 + self.step) / (10 + self.step))
        for key, value in self.model.state_dict().items():
            self.average[key].lerp_(value, 1 - keep)
        return float(loss.detach())

    def save(self, path: Path) -> None:
        """Write a checkpoint, replacing the one before in one move."""
        state = {
            "step": self.step,
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "losses": self.losses,
            "torch_rng": torch.get_rng_state(),
        }
        temporary = path.with_suffix(".part")
        torch.save(state, temporary)
        temporary.replace(path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint of the same recipe."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.step, self.losses = state["average"], state["step"], state["losses"]
        torch.set_rng_state(state["torch_rng"])


def load_average(path: Path) -> Detector:
    """The averaged weights of a checkpoint as a detector in evaluation mode."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    model = build(None)
    model.load_state_dict(state["average"])
    return model.eval()


def training_rows(prepared: Prepared, held_out: tuple[int, ...]) -> list[int]:
    """Samples whose fold, and the further folds that hide them, are not held out."""
    return [i for i, s in enumerate(prepared.samples) if s.fold not in held_out and not s.also_held_out & set(held_out)]


def train(config: Config, prepared: Prepared, work: Path, weights: Path | None) -> Path:
    """Train a member to the end of its steps; returns its checkpoint."""
    checkpoint = work / f"{config.name}.pt"
    batches = Batches(
        prepared,
        training_rows(prepared, config.held_out),
        Reconstructions(work / "reconstructions.npz"),
        config.mixture,
        size=config.size,
        seed=config.seed,
    )
    trainer = Trainer(config, batches, weights)
    if checkpoint.is_file():
        trainer.resume(checkpoint)
    start, first = time.monotonic(), trainer.step
    recent: list[float] = []
    while trainer.step < config.steps:
        recent.append(trainer.advance())
        if trainer.step % config.checkpoint_every == 0 or trainer.step == config.steps:
            trainer.losses.append(float(np.mean(recent)))
            recent.clear()
            trainer.save(checkpoint)
            seconds = (time.monotonic() - start) / (trainer.step - first)
            print(f"{config.name} step {trainer.step} loss {trainer.losses[-1]:.4f} {seconds:.2f} s/step", flush=True)
    return checkpoint


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--steps", type=int, help="train this many steps instead of the recipe's")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    config = read_config(options.config)
    if options.steps:
        config = replace(config, steps=options.steps)
    weights = required_imagenet_weights()
    print(train(config, load_prepared(options.corpus, options.work / "prepared"), options.work, weights))


if __name__ == "__main__":
    main()
