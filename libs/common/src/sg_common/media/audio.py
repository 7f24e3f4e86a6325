"""The audio of a media file as blocks of samples."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sg_decoder import protocol
from sg_decoder.limits import DecodeLimits

from sg_common.analysis import Job
from sg_common.errors import Undecodable
from sg_common.media.process import BROKEN, DecoderProcess, read_as

BLOCK_SECONDS = 10


@dataclass(frozen=True)
class AudioInfo:
    """The stream that is read. `duration`: seconds as the container states it, None where it does not."""

    codec: str
    sample_rate: int
    channels: int
    duration: float | None


class AudioReader:
    """Iterate once over float32 blocks of shape (channels, samples) at the asked rate, nominally in -1..1.

    There is one channel, the mean, while all carry the same sound, and two from the first block on in which one of two
    is heard without the other (`sg_decoder.channels`); more than two are always averaged. Every block but the last is
    `BLOCK_SECONDS` long. Sample 0 is where the file's timeline begins, which the first of
    its streams does, the picture too; where the stream has no sound for a quarter of a second or more there is silence,
    in place of corrupt packets too. An encoder's delay is not trimmed, so that a stream gives the same samples in every
    container. There is no block where the stream is empty.

    Attributes:
        info: known from the start.
        bit_rate: bits per second of the stream's packets, exact once the last block is there; 0 before the first.
        claims: what the file says of its own making, for `read_provenance`.
        cut_off: whether the file ends before its header says; known once the last block is there.

    Iterating raises:
        Undecodable: the file breaks the decoder or exceeds the child's memory or processor time.
        LimitExceeded: the stream turns out longer than the duration limit.
        Cancelled, DeadlineExceeded: from the job.
    """

    def __init__(self, child: DecoderProcess, sample_rate: int) -> None:
        self._child = child
        self._sample_rate = sample_rate
        self._samples = 0
        header, _ = child.receive()
        self.info = read_as(AudioInfo, header)
        self.claims = child.claims
        self.bit_rate = 0.0
        self.cut_off = False

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        while True:
            header, payload = self._child.receive()
            if header["type"] != protocol.BLOCK:
                self.cut_off = bool(header.get("cut_off"))
                return
            channels = _count(header, "channels")
            if not channels or len(payload) % (4 * channels):
                raise Undecodable(BROKEN)
            block = np.frombuffer(payload, dtype="<f4").reshape(channels, -1)
            self._samples += block.shape[1]
            size, silence = (_count(header, name) for name in ("packet_bytes", "silence_samples"))
            self.bit_rate = 8 * size * self._sample_rate / max(self._samples - silence, 1)
            yield block


def _count(header: dict[str, Any], name: str) -> int:
    match header.get(name):
        case int(value) if value >= 0:
            return value
    raise Undecodable(BROKEN)


@contextmanager
def open_audio(path: Path, *, sample_rate: int, limits: DecodeLimits, job: Job) -> Iterator[AudioReader]:
    """Decode the best audio stream of a file in a child process.

    The default stream, else the longest, that holds any sound, resampled by libswresample.
    Memory does not grow with the file's length.

    Args:
        path: a local file in any container and codec that FFmpeg reads.
        sample_rate: Hz of the samples wanted.
        limits: what the child may use.
        job: its deadline and cancellation stop the child.

    Raises:
        NotMedia: the file is empty or neither audio nor video.
        MissingStream: it has no audio stream.
        Undecodable: nothing of the stream can be decoded, or the file breaks the decoder.
        LimitExceeded: it is longer than the duration limit.
        Cancelled, DeadlineExceeded: from the job.
    """
    request = {"kind": "audio", "sample_rate": sample_rate, "block_samples": sample_rate * BLOCK_SECONDS}
    max_payload = 2 * 4 * sample_rate * BLOCK_SECONDS
    with DecoderProcess(path, request, limits=limits, job=job, max_payload=max_payload) as child:
        yield AudioReader(child, sample_rate)
