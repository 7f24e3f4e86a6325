"""Decoding in tests, and the promise that it leaves nothing behind."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from sg_common.analysis import Job
from sg_common.errors import MissingStream
from sg_common.media import (
    AudioInfo,
    DecodeLimits,
    Decoders,
    Frame,
    FrameBudget,
    VideoInfo,
    open_audio,
    open_video,
    read_provenance,
)
from sg_common.provenance import CredentialChecks, Provenance

from testbed.media import Samples
from testbed.processes import decoders as decoder_processes


class NewJob(Protocol):
    def __call__(self, seconds: float) -> Job: ...


class DecodeAudio(Protocol):
    def __call__(self, path: Path, rate: int = 16000, **limits: float) -> tuple[AudioInfo, Samples]: ...


class DecodeVideo(Protocol):
    def __call__(
        self, path: Path, sample_rate: int | None = None, budget: FrameBudget | None = None, **limits: float
    ) -> tuple[VideoInfo, list[Frame]]: ...


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture(scope="session")
def warm() -> Iterator[Decoders]:
    """What a service has: decoder processes are forked."""
    with contextlib.closing(Decoders(1_000_000)) as decoders:
        decoders.prepare()
        yield decoders


@pytest.fixture
def decoders(warm: Decoders) -> Decoders:
    return warm


@pytest.fixture
def new_job(decoders: Decoders) -> NewJob:
    return lambda seconds: Job(seconds, decoders=decoders)


@pytest.fixture(autouse=True)
def nothing_is_left_behind(warm: Decoders) -> Iterator[None]:
    before, descriptors = decoder_processes(), open_descriptors()
    yield
    assert decoder_processes() <= before
    assert open_descriptors() <= descriptors


@pytest.fixture
def decode_audio(new_job: NewJob) -> DecodeAudio:
    def decode(path: Path, rate: int = 16000, **limits: float) -> tuple[AudioInfo, Samples]:
        limit = DecodeLimits(**limits)  # type: ignore[arg-type]
        with open_audio(path, sample_rate=rate, limits=limit, job=new_job(60)) as reader:
            blocks = list(reader)
            assert len({len(block) for block in blocks}) < 2, "the channels part on the way"
            samples = np.concatenate(blocks, axis=1) if blocks else np.empty((1, 0), np.float32)
            decode.cut_off = reader.cut_off  # type: ignore[attr-defined]
            return reader.info, samples[0] if len(samples) == 1 else samples

    return decode


@pytest.fixture
def decode_video(new_job: NewJob) -> DecodeVideo:
    def decode(
        path: Path, sample_rate: int | None = None, budget: FrameBudget | None = None, **limits: float
    ) -> tuple[VideoInfo, list[Frame]]:
        limit = DecodeLimits(**limits)  # type: ignore[arg-type]
        with open_video(
            path, sample_rate=sample_rate, budget=budget or FrameBudget(), limits=limit, job=new_job(60)
        ) as reader:
            frames = list(reader)
            decode.cut_off = reader.cut_off  # type: ignore[attr-defined]
            return reader.info, frames

    return decode


class Claimed(Protocol):
    def __call__(self, path: Path, anchors: Path | None = None, **checks: int) -> Provenance: ...


@pytest.fixture
def claimed(new_job: NewJob) -> Claimed:
    """What a file claims of its own making."""

    def read(path: Path, anchors: Path | None = None, **checks: int) -> Provenance:
        job, limits = new_job(60), DecodeLimits()
        try:
            with open_video(path, sample_rate=None, budget=FrameBudget(), limits=limits, job=job) as film:
                claims = film.claims
        except MissingStream:
            with open_audio(path, sample_rate=16000, limits=limits, job=job) as sound:
                claims = sound.claims
        found = read_provenance(path, claims, checks=CredentialChecks(anchors, **checks), limits=limits, job=job)
        assert found is not None
        return found

    return read
