"""Train the spectrogram CNN for one held-out fold; interrupted training goes on from its last checkpoint."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from training.audio.batches import Batches, NoiseBank, mask_patches, mask_spectra, smoothed, training_indices
from training.audio.config import Config
from training.audio.frontend import log_magnitude, unit_rms
from training.audio.models import CenteredSpectrogram, TextureCnn
from training.audio.pool import Pool, random_for

SAVE_EVERY = 100


def train(
    pool: Pool,
    fold: int | None,
    config: Config,
    checkpoint: Path,
    progress: Callable[[str], None] = print,
) -> TextureCnn:
    """Train to the configured number of steps, saving on the way; returns the averaged network."""
    s = config.cnn
    torch.manual_seed(config.seed)
    net = TextureCnn(s.channels, s.dropout).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average: TextureCnn = copy.deepcopy(net)
    optimizer = torch.optim.AdamW(net.parameters(), lr=s.learning_rate, weight_decay=s.weight_decay)
    step = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
    batches = Batches(
        pool,
        training_indices(pool.samples, fold, config.left_out_families),
        s,
        NoiseBank(random_for(config.seed, "noise")),
    )
    front = CenteredSpectrogram()
    loss_function = nn.BCEWithLogitsLoss()
    net.train()
    running, started = 0.0, time.perf_counter()
    while step < s.steps:
        rng = random_for(config.seed, "cnn", fold, step)
        waveforms, labels = batches.draw(rng)
        with torch.no_grad():
            magnitude = mask_spectra(front.spectrogram(unit_rms(waveforms)), rng)
            floor = torch.from_numpy(np.exp(rng.uniform(np.log(0.001), np.log(0.006), (len(labels), 1, 1))))
            spectrogram = mask_patches(front.center(log_magnitude(magnitude, floor.float())), rng)
        optimizer.param_groups[0]["lr"] = s.learning_rate * learning_rate_factor(step / s.steps)
        optimizer.zero_grad()
        logits = net(spectrogram.contiguous(memory_format=torch.channels_last))
        loss = loss_function(logits, smoothed(labels, s.label_smoothing))
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimizer.step()
        step += 1
        _update_average(average, net, min(s.ema, (1 + step) / (10 + step)))
        running += loss.item()
        if step % SAVE_EVERY == 0 or step == s.steps:
            partial = checkpoint.with_suffix(".part")
            torch.save(
                {
                    "net": net.state_dict(),
                    "average": average.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "step": step,
                },
                partial,
            )
            partial.rename(checkpoint)
            pace = (time.perf_counter() - started) / SAVE_EVERY
            progress(f"cnn fold {fold}: step {step} of {s.steps}, loss {running / SAVE_EVERY:.4f}, {pace:.3f} s a step")
            running, started = 0.0, time.perf_counter()
    average.eval()
    return average


def learning_rate_factor(progress: float, warm_up: float = 0.1) -> float:
    """A linear rise, then half a cosine down to nothing, for progress from 0 to 1."""
    if progress < warm_up:
        return 0.05 + 0.95 * progress / warm_up
    return 0.5 + 0.5 * math.cos(math.pi * (progress - warm_up) / (1 - warm_up))


def _update_average(average: nn.Module, net: nn.Module, decay: float) -> None:
    with torch.no_grad():
        for a, b in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
            if a.dtype.is_floating_point:
                a.lerp_(b, 1 - decay)
            else:
                a.copy_(b)
