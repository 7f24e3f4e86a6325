"""Fine-tune one member of a detector; stops and goes on where it was."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training.common.command import log
from training.common.content import digest, key_of, samples_key
from training.video.backbone import as_images
from training.video.batches import BLENDED, GENUINE, RESYNTHESIZED, Batch, Batches, Reconstructions
from training.video.network import Detector, build, either
from training.video.prepare import Prepared
from training.video.recipe import Member
from training.video.synthesize import reconstructions_path


def learning_rate(config: Member, step: int) -> float:
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

    def __init__(self, config: Member, batches: Batches, weights: Path | None) -> None:
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


def checkpoint_path(config: Member, prepared: Prepared, work: Path, weights: Path | None) -> Path:
    """Where a member's checkpoint lies: another file for another recipe, other crops or labels, other first weights."""
    pseudo = reconstructions_path(work, prepared)
    files = [digest(path) if path is not None and path.is_file() else None for path in (weights, pseudo)]
    return work / f"member_{key_of(config, prepared.key, samples_key(prepared.samples), files)}.pt"


def train(config: Member, prepared: Prepared, work: Path, weights: Path | None) -> Path:
    """Train a member to the end of its steps; returns its checkpoint."""
    checkpoint = checkpoint_path(config, prepared, work, weights)
    batches = Batches(
        prepared,
        training_rows(prepared, config.held_out),
        Reconstructions(reconstructions_path(work, prepared)),
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
            log(f"{checkpoint.stem} step {trainer.step} loss {trainer.losses[-1]:.4f} {seconds:.2f} s/step")
    return checkpoint
