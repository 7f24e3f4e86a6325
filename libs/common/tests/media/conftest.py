"""Decoding in tests, and the promise that it leaves nothing behind."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from sg_common.analysis import Job
from sg_common.media import AudioInfo, DecodeLimits, Frame, FrameBudget, VideoInfo, open_audio, open_video

from tests.support.media import Samples


class DecodeAudio(Protocol):
    def __call__(self, path: Path, rate: int = 16000, **limits: float) -> tuple[AudioInfo, Samples]: ...


class DecodeVideo(Protocol):
    def __call__(
        self, path: Path, sample_rate: int | None = None, budget: FrameBudget | None = None, **limits: float
    ) -> tuple[VideoInfo, list[Frame]]: ...


def children() -> set[int]:
    """Decoder processes of this process, ended ones that nobody waited for included; servers of other tests are not."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found |= {int(child) for child in (task / "children").read_text().split()}
    return {child for child in found if _is_decoder(child)}


def _is_decoder(process: int) -> bool:
    try:
        command = Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return not command or b"sg_common.media.decoder" in command


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    before, descriptors = children(), open_descriptors()
    yield
    assert children() <= before
    assert open_descriptors() <= descriptors


@pytest.fixture
def decode_audio() -> DecodeAudio:
    def decode(path: Path, rate: int = 16000, **limits: float) -> tuple[AudioInfo, Samples]:
        limit = DecodeLimits(**limits)  # type: ignore[arg-type]
        with open_audio(path, sample_rate=rate, limits=limit, job=Job(60)) as reader:
            samples = np.concatenate([np.empty(0, np.float32), *reader])
            decode.cut_off = reader.cut_off  # type: ignore[attr-defined]
            return reader.info, samples

    return decode


@pytest.fixture
def decode_video() -> DecodeVideo:
    def decode(
        path: Path, sample_rate: int | None = None, budget: FrameBudget | None = None, **limits: float
    ) -> tuple[VideoInfo, list[Frame]]:
        limit = DecodeLimits(**limits)  # type: ignore[arg-type]
        with open_video(
            path, sample_rate=sample_rate, budget=budget or FrameBudget(), limits=limit, job=Job(60)
        ) as reader:
            frames = list(reader)
            decode.cut_off = reader.cut_off  # type: ignore[attr-defined]
            return reader.info, frames

    return decode
