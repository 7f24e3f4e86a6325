"""Train the bag of perceptrons on modulation-spectrum features, for one held-out fold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.audio.batches import smoothed, training_indices
from training.audio.config import Config, Modspec
from training.audio.frontend import ModulationSpectrum
from training.audio.models import Perceptron
from training.audio.pool import Pool, Shard, random_for
from training.audio.waveforms import repeat_to
from training.common.manifest import sampling_weights


def pool_features(pool: Pool, folder: Path, progress: Callable[[str], None] = print) -> NDArray[np.float32]:
    """Features of every clip and copy, (copies + 1, N, size), kept in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    return np.stack(
        [
            np.concatenate([_shard_features(s, i, copy, folder, progress) for i, s in enumerate(pool.shards)])
            for copy in range(pool.copies + 1)
        ]
    )


def _shard_features(
    shard: Shard, number: int, copy: int, folder: Path, progress: Callable[[str], None]
) -> NDArray[np.float32]:
    path = folder / f"modspec_{number}_{len(shard.samples)}_{copy}.npy"
    if path.exists():
        return np.asarray(np.load(path), dtype=np.float32)
    front = ModulationSpectrum()
    parts = []
    for start in range(0, len(shard.samples), 16):
        rows = range(start, min(start + 16, len(shard.samples)))
        batch = np.stack([repeat_to(shard.clip(i, copy)) for i in rows])
        with torch.no_grad():
            parts.append(front(torch.from_numpy(batch)).numpy())
    features = np.concatenate(parts).astype(np.float32)
    np.save(path, features)
    progress(f"features of copy {copy}: {len(features)} clips")
    return features


def train(
    pool: Pool, features: NDArray[np.float32], fold: int | None, config: Config, checkpoint: Path
) -> list[Perceptron]:
    """Train the bag for a held-out fold, or read it from `checkpoint` when it is there."""
    s = config.modspec
    size = features.shape[2]
    bag = [Perceptron(size, s.hidden, s.dropout) for _ in range(s.seeds)]
    if checkpoint.exists():
        for net, state in zip(bag, torch.load(checkpoint, weights_only=True), strict=True):
            net.load_state_dict(state)
        return bag
    indices = training_indices(pool.samples, fold, config.left_out_families)
    labels = torch.tensor([float(pool.samples[i].label) for i in indices])
    chances = np.asarray(sampling_weights([pool.samples[i] for i in indices]))
    data = torch.from_numpy(features[:, indices])
    for seed, net in enumerate(bag):
        torch.manual_seed(config.seed + seed)
        _initialise(net)
        net.fit_scale(data.flatten(0, 1))
        _fit(net, data, labels, chances, s, rng=random_for(config.seed, "modspec", fold, seed))
    torch.save([net.state_dict() for net in bag], checkpoint)
    return bag


def _initialise(net: Perceptron) -> None:
    for layer in net.layers:
        if isinstance(layer, nn.Linear):
            layer.reset_parameters()


def _fit(
    net: Perceptron, data: Tensor, labels: Tensor, chances: NDArray[np.float64], s: Modspec, *, rng: np.random.Generator
) -> None:
    copies, clips, _ = data.shape
    steps = s.epochs * max(1, clips // s.batch_size)
    optimizer = torch.optim.AdamW(net.parameters(), lr=s.learning_rate, weight_decay=s.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, s.learning_rate, total_steps=steps)
    loss = nn.BCEWithLogitsLoss()
    net.train()
    for _ in range(steps):
        rows = torch.from_numpy(rng.choice(clips, s.batch_size, p=chances))
        clean = rng.random(s.batch_size) < s.clean_share
        copy = torch.from_numpy(np.where(clean, 0, rng.integers(min(1, copies - 1), copies, s.batch_size)))
        optimizer.zero_grad()
        loss(net(data[copy, rows]), smoothed(labels[rows], s.label_smoothing)).backward()
        optimizer.step()
        schedule.step()
    net.eval()
