"""The audio of a media file as blocks of samples."""

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
class AudioInfo:
    """The stream that is read. `duration`: seconds as the container states it, None where it does not."""

    codec: str
    sample_rate: int
    channels: int
    duration: float | None


class AudioReader(Protocol):
    info: AudioInfo

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]: ...


def open_audio(path: Path, *, sample_rate: int, limits: DecodeLimits, job: Job) -> AbstractContextManager[AudioReader]:
    raise NotImplementedError
