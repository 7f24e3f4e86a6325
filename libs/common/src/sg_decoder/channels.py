"""Whether the two channels of a recording are one sound or two, block by block."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

FRAME_SECONDS = 0.05
LOUD_DB = 20.0
"""A frame this far below its channel's loudest ones (95th percentile) still counts as heard there."""
APART_DB = 10.0
"""Two microphones in one room, or one voice at another level or in antiphase, keep their distance within this; of two
people on a channel each, only one speaks at a time."""
APART_SHARE = 0.1
"""Share of the heard frames in which the channels' levels must part."""
CANCELLED = 0.01
"""Share of two channels' power under which their mean is no mixture but what is left of one voice in opposite phases;
where only one is heard it is a half."""
RESTORED = 0.1
"""Share from which they are mixed again."""


class Channels:
    """Makes one channel of two while both carry the same, and leaves them apart from the first block on in which one is
    heard without the other.

    Levels are compared, not samples: a delay, another gain and the opposite sign make no difference. Two channels of
    one sound are averaged; where they cancel each other (right = -left, as from a balanced line on a stereo plug) the
    louder one stands in.

    Args:
        rate: samples a second.
    """

    def __init__(self, rate: int) -> None:
        self._frame = max(1, round(FRAME_SECONDS * rate))
        self._apart = False
        self._cancels = False

    def sort(self, block: Samples) -> Samples:
        """A block of two channels (2, samples) as one sound (1, samples), or both."""
        self._apart = self._apart or differ(block, self._frame)
        return block if self._apart else self._mixed(block)[np.newaxis]

    def _mixed(self, block: Samples) -> Samples:
        mean = block.mean(axis=0, dtype=np.float32)
        powers = np.einsum("ij,ij->i", block, block)
        share = float(mean @ mean) / max(float(powers.mean()), 1e-12)
        self._cancels = share < (RESTORED if self._cancels else CANCELLED) and bool(powers.any())
        return np.asarray(block[int(powers.argmax())] if self._cancels else mean)


def differ(block: Samples, frame: int) -> bool:
    """Whether one channel of (2, samples) is heard without the other, by the levels of frames of `frame` samples."""
    if np.array_equal(block[0], block[1]):
        return False
    whole = block[:, : block.shape[1] // frame * frame].reshape(2, -1, frame)
    if not whole.shape[1]:
        return False
    levels = 10 * np.log10(np.einsum("ijk,ijk->ij", whole, whole, dtype=np.float64) / frame + 1e-12)
    loudest = np.quantile(levels, 0.95, axis=1, keepdims=True)
    below = loudest - levels
    heard = (below < LOUD_DB).any(axis=0)
    parted = np.abs(below[0] - below[1])[heard] > APART_DB
    return bool(parted.mean() > APART_SHARE)
