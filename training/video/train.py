"""Train the detector: kernel ridge regression on `regions`' statistics, a member for each group of held-out folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.common.command import log
from training.common.content import digest, key_of
from training.common.manifest import Sample, sampling_weights
from training.video.kernel import LandmarkKernel
from training.video.prepare import Prepared
from training.video.recipe import Ridge

BATCH = 256
JITTER = 1e-4


def may_see(sample: Sample, held_out: Sequence[int]) -> bool:
    """Whether a clip may be trained on while some folds are held out."""
    return sample.fold >= 0 and not {sample.fold, *sample.also_held_out} & set(held_out)


def source_evened(samples: Sequence[Sample], owner: npt.NDArray[np.int64]) -> Tensor:
    """Weights [R] of frames, of mean 1 over clips: both labels, every source of a label, every clip of a source and
    every frame of a clip count alike."""
    frames = Counter(owner.tolist())
    clips = sorted(frames)
    weights = sampling_weights([samples[i] for i in clips], damping=1.0)
    each = {clip: weight * len(clips) / frames[clip] for clip, weight in zip(clips, weights, strict=True)}
    return torch.tensor([each[i] for i in owner.tolist()], dtype=torch.float64)


def landmark_clips(samples: Sequence[Sample], count: int) -> list[int]:
    """So many clips, of every source about as many as of any other of its label."""
    usable = [i for i, sample in enumerate(samples) if sample.fold >= 0]
    chances = np.array(sampling_weights([samples[i] for i in usable], damping=1.0))
    order = np.random.default_rng(0).exponential(size=len(usable)) / chances
    return sorted(usable[i] for i in np.argsort(order)[:count])


class Likenesses:
    """All frames' likeness to landmarks: the mean statistics of some clips, as found."""

    def __init__(self, prepared: Prepared, recipe: Ridge) -> None:
        self.samples, self.owner = prepared.samples, prepared.owner
        statistics = torch.from_numpy(prepared.statistics)
        of_clip = {i: rows for i in landmark_clips(self.samples, recipe.landmarks) if (rows := prepared.as_found(i))}
        self.clips = list(of_clip)
        self.kernel = LandmarkKernel(len(of_clip), statistics.shape[1])
        marks = torch.stack([statistics[rows].float().mean(0) for rows in of_clip.values()])
        self.kernel.fit(marks, recipe.sharpness)
        self.of_frames = torch.cat(
            [self.kernel(statistics[i : i + BATCH].float()) for i in range(0, len(statistics), BATCH)]
        ).double()
        self.of_landmarks = self.kernel(marks).double()

    def member(self, held_out: Sequence[int], ridge: float) -> tuple[Tensor, float]:
        """Weights [L] and bias of a member.

        Kernel ridge regression in the span of landmarks (Rudi et al., "Less is More: Nystrom Computational
        Regularization", NIPS 2015) on the labels -1 and 1. Landmarks of clips that it must not see weigh nothing.
        """
        rows = np.flatnonzero([may_see(self.samples[i], held_out) for i in self.owner.tolist()])
        marks = torch.tensor([i for i, clip in enumerate(self.clips) if may_see(self.samples[clip], held_out)])
        weights = source_evened(self.samples, self.owner[rows])
        labels = torch.tensor([2.0 * self.samples[i].label - 1 for i in self.owner[rows].tolist()]).double()
        share = weights / weights.sum()
        alike = self.of_frames[rows][:, marks]
        centre, level = share @ alike, share @ labels
        alike = alike - centre
        weighted = (alike * weights[:, None]).T
        matrix = weighted @ alike + ridge * self.of_landmarks[marks][:, marks] + JITTER * torch.eye(len(marks))
        solved = torch.linalg.solve(matrix, weighted @ (labels - level))
        found = torch.zeros(len(self.clips), dtype=torch.float64)
        found[marks] = solved
        return found, float(level - centre @ solved)


def members_path(
    work: Path, prepared: Prepared, held_out: Sequence[Sequence[int]], recipe: Ridge, weights: Path
) -> Path:
    """Where the trained members lie: another file for other clips, labels, folds, backbones or recipes."""
    return work / f"members_{key_of(prepared.full_key, held_out, recipe, digest(weights))}.pt"


@torch.inference_mode()
def train_members(prepared: Prepared, held_out: Sequence[Sequence[int]], recipe: Ridge, path: Path) -> None:
    """Train a member for each group of held-out folds and write them all."""
    likenesses = Likenesses(prepared, recipe)
    heads = [likenesses.member(folds, recipe.ridge) for folds in held_out]
    log(f"{len(heads)} members on {len(likenesses.clips)} landmarks and {len(prepared.owner)} frames")
    state = {
        "held_out": [list(folds) for folds in held_out],
        "kernel": likenesses.kernel.state_dict(),
        "heads": {
            "weight": torch.stack([weights for weights, _ in heads]).float(),
            "bias": torch.tensor([bias for _, bias in heads]),
        },
    }
    torch.save(state, path)
