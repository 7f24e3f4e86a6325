"""Pass genuine crops through a generator's decoder: each becomes its own whole-face fake.

python -m training.video.synthesize --corpus ../shared/data/video --count 700
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from training.common.manifest import sampling_weights
from training.video.autoencoder import STRIDE, load_autoencoder
from training.video.corpus import Pixels, is_used
from training.video.prepare import STORED_SCALE, STORED_SIZE, Prepared, arguments, load_prepared

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
    done = 0
    if path.is_file():
        with np.load(path) as before:
            done = min(len(before["rows"]), len(rows))
            if np.array_equal(before["rows"][:done], rows[:done]):
                pictures[:done] = before["pictures"][:done]
            else:
                done = 0
    for i in range(done, len(rows)):
        size = int(sizes[i])
        picture = resized(inner(prepared.stored[rows[i]]), size)
        pictures[i, :size, :size] = resynthesize(picture, autoencoder)
        if i % 50 == 49 or i == len(rows) - 1:
            temporary = path.with_suffix(".part.npz")
            np.savez(temporary, rows=rows[: i + 1], sizes=sizes[: i + 1], pictures=pictures[: i + 1])
            temporary.replace(path)
    return len(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser)
    parser.add_argument("--autoencoder", type=Path, help="folder of the weights (default: CORPUS/autoencoders)")
    parser.add_argument("--count", type=int, default=700)
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    torch.set_num_threads(1)
    prepared = load_prepared(options.corpus, options.work / "prepared")
    autoencoder = load_autoencoder(options.autoencoder or options.corpus / "autoencoders")
    count = synthesize(prepared, autoencoder, options.count, options.seed, options.work / "reconstructions.npz")
    print(f"{count} reconstructions")


if __name__ == "__main__":
    main()
