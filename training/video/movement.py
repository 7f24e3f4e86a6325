"""How much a clip moves, in the middle and at its edge: whether it is still or talking says nothing of how it was made,
so a detector should not listen to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from training.common.content import digest, kept, key_of
from training.common.manifest import Sample

PAIRS = 8
EDGE = 8
"""The edge of a clip whose face is in its middle: this part of its height and width on every side."""
MEASURED = ("movement of the face", "movement of the background")


def movement_of(clip: Path) -> npt.NDArray[np.float64]:
    """Mean difference in brightness, 0..255, of neighbouring frames in the middle half of a clip and at its edge, [2].

    Of up to `PAIRS` pairs of frames, evenly spread; zeros where the clip has but one frame.

    Raises:
        av.FFmpegError: it cannot be decoded.
    """
    with av.open(str(clip)) as container:
        frames = [frame.to_ndarray(format="gray").astype(np.int16) for frame in container.decode(video=0)]
    if len(frames) < 2:
        return np.zeros(2)
    height, width = frames[0].shape
    middle, edge = np.zeros((height, width), np.bool_), np.ones((height, width), np.bool_)
    middle[height // 4 : -(height // 4), width // 4 : -(width // 4)] = True
    edge[height // EDGE : -(height // EDGE), width // EDGE : -(width // EDGE)] = False
    firsts = np.unique(np.linspace(0, len(frames) - 2, PAIRS).astype(int)).tolist()
    steps = np.array([np.abs(frames[i + 1] - frames[i]) for i in firsts])
    return np.array([steps[:, middle].mean(), steps[:, edge].mean()])


def movements(samples: Sequence[Sample], folder: Path) -> dict[str, Mapping[Path, float]]:
    """Each of `MEASURED` of every sample; what was measured before is read from `folder`."""
    each = {
        s.path: kept(folder / f"{key_of(digest(s.path), PAIRS, EDGE)}.npy", lambda s=s: movement_of(s.path))  # type: ignore[misc]
        for s in samples
    }
    return {name: {path: float(values[i]) for path, values in each.items()} for i, name in enumerate(MEASURED)}
