"""Pass genuine crops through a generator's decoder: each becomes its own whole-face fake."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from training.common.manifest import sampling_weights
from training.video.autoencoder import STRIDE
from training.video.backbone import weights_key
from training.video.corpus import Pixels, is_used
from training.video.prepare import STORED_SCALE, STORED_SIZE, Prepared

# the part of a stored crop that is resynthesized, and the sizes at which the decoder sees it
INNER_SIZE = 176
INNER_SCALE = STORED_SCALE * INNER_SIZE / STORED_SIZE
DECODER_SIZES = (96, 112, 128, 144)


def inner(stored: Pixels) -> Pixels:
    """The middle of a stored crop: uint8 [176, 176, 3]."""
    margin = (STORED_SIZE - INNER_SIZE) // 2
    return np.ascontiguousarray(stored[margin:-margin, margin:-margin])


def resized(picture: Pixels, size: int) -> Pixels:
    """A square picture at another size; shrinking averages areas."""
    interpolation = cv2.INTER_AREA if size < picture.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (size, size), interpolation=interpolation), np.uint8)


@torch.inference_mode()
def resynthesize(picture: Pixels, autoencoder: nn.Module) -> Pixels:
    """One picture through the autoencoder; sides must be multiples of 8. uint8 [S, S, 3] in and out."""
    if picture.shape[0] % STRIDE or picture.shape[1] % STRIDE:
        raise ValueError(f"sides {picture.shape[:2]} are not multiples of {STRIDE}")
    x = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    y = autoencoder(x.contiguous(memory_format=torch.channels_last))[0].clamp(0, 1).permute(1, 2, 0)
    return np.asarray((y * 255).round().to(torch.uint8).numpy(), np.uint8)


def reconstructions_path(work: Path, prepared: Prepared) -> Path:
    """Where the reconstructions of these crops lie."""
    return work / f"reconstructions_{prepared.key}.npz"


def synthesize(prepared: Prepared, autoencoder: nn.Module, count: int, seed: int, path: Path) -> int:
    """Write ``count`` reconstructions of genuine samples, drawn so that each source counts by the root of its size.

    The file holds ``rows`` (sample numbers), ``sizes`` (the decoder's picture size) and ``pictures`` uint8
    [count, 144, 144, 3], padded with zeros where the size is smaller. It is rewritten as work proceeds, and work
    goes on from what it holds. Returns how many there are.
    """
    genuine = [i for i, s in enumerate(prepared.samples) if s.label == 0 and is_used(s)]
    weights = np.array(sampling_weights([prepared.samples[i] for i in genuine]))
    rng = np.random.default_rng(seed)
    rows = rng.choice(genuine, min(count, len(genuine)), replace=False, p=weights / weights.sum())
    sizes = rng.choice(DECODER_SIZES, len(rows))
    pictures = np.zeros((len(rows), max(DECODER_SIZES), max(DECODER_SIZES), 3), np.uint8)
    done, decoder = 0, weights_key(autoencoder)
    if path.is_file():
        with np.load(path) as before:
            done = min(len(before["rows"]), len(rows))
            if str(before["decoder"]) == decoder and np.array_equal(before["rows"][:done], rows[:done]):
                pictures[:done] = before["pictures"][:done]
            else:
                done = 0
    for i in range(done, len(rows)):
        size = int(sizes[i])
        picture = resized(inner(prepared.stored[rows[i]]), size)
        pictures[i, :size, :size] = resynthesize(picture, autoencoder)
        if i % 50 == 49 or i == len(rows) - 1:
            temporary = path.with_suffix(".part.npz")
            np.savez(temporary, rows=rows[: i + 1], sizes=sizes[: i + 1], pictures=pictures[: i + 1], decoder=decoder)
            temporary.replace(path)
    return len(rows)
