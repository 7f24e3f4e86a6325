"""The frames of a video that are worth decoding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sg_common.analysis import Job
from sg_common.media.limits import DecodeLimits


@dataclass(frozen=True)
class FrameBudget:
    """How many frames may be decoded and judged when the caller names no `sample_rate`.

    Attributes:
        whole_seconds: clips up to this long are decoded whole.
        whole_frames: spread frames judged of such a clip.
        long_frames: most frames judged of a longer clip.
        extra_frames: most frames of a longer clip decoded besides its key frames.
        max_side: frames are scaled down to this many pixels on the longer side before they leave the decoder.
    """

    whole_seconds: float = 15.0
    whole_frames: int = 32
    long_frames: int = 64
    extra_frames: int = 300
    max_side: int = 1920


@dataclass(frozen=True)
class VideoInfo:
    """The stream that is read, as a viewer sees it (rotation and pixel shape applied)."""

    codec: str
    width: int
    height: int
    fps: float
    total_frames: int
    duration: float


@dataclass(frozen=True)
class Frame:
    """One decoded frame. `scale`: pixels of `rgb` per pixel of the displayed video (1 or less)."""

    number: int
    time: float
    rgb: npt.NDArray[np.uint8]
    scale: float


class VideoReader(Protocol):
    info: VideoInfo

    def __iter__(self) -> Iterator[Frame]: ...


def open_video(
    path: Path, *, sample_rate: int | None, budget: FrameBudget, limits: DecodeLimits, job: Job
) -> AbstractContextManager[VideoReader]:
    raise NotImplementedError
