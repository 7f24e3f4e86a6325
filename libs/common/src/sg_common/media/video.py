"""The frames of a video that are worth decoding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sg_decoder import protocol
from sg_decoder.limits import DecodeLimits, FrameBudget

from sg_common.analysis import Job
from sg_common.errors import Undecodable
from sg_common.media.process import BROKEN, DecoderProcess, read_as


@dataclass(frozen=True)
class VideoInfo:
    """The stream that is read, as a viewer sees it (rotation and pixel shape applied).

    Attributes:
        codec: FFmpeg's name of the decoder.
        width, height: displayed pixels of the first frame; later ones may differ.
        fps: frames per second, the average over the clip.
        total_frames: frames that the file holds.
        duration: seconds from the timeline's beginning to the end of the last frame.
        palette: whether the picture has no more than some hundred colours.
    """

    codec: str
    width: int
    height: int
    fps: float
    total_frames: int
    duration: float
    palette: bool = False


@dataclass(frozen=True)
class Frame:
    """One decoded frame.

    Attributes:
        number: its place in presentation order, 0 for the clip's first frame.
        time: seconds on the file's timeline, which begins with the first of its streams, the sound too.
        rgb: (height, width, 3), full range.
        scale: pixels of `rgb` per pixel of the frame as displayed (1 or less).
    """

    number: int
    time: float
    rgb: npt.NDArray[np.uint8]
    scale: float


class VideoReader:
    """Iterate once over the chosen frames, in presentation order.

    Attributes:
        info: known from the start.
        claims: what the file says of its own making, for `read_provenance`.
        cut_off: whether the file ends before its header says; known once the last frame is there.

    Iterating raises:
        Undecodable: the file breaks the decoder or exceeds the child's memory or processor time.
        LimitExceeded: a frame turns out larger than the pixel limit.
        Cancelled, DeadlineExceeded: from the job.
    """

    def __init__(self, child: DecoderProcess) -> None:
        self._child = child
        self.cut_off = False
        header, _ = child.receive()
        self.info = read_as(VideoInfo, header)
        self.claims = child.claims

    def __iter__(self) -> Iterator[Frame]:
        while True:
            header, payload = self._child.receive()
            if header["type"] != protocol.FRAME:
                self.cut_off = bool(header.get("cut_off"))
                return
            yield _frame(header, payload)


def _frame(header: dict[str, Any], payload: bytearray) -> Frame:
    try:
        shape = (int(header["height"]), int(header["width"]), 3)
        return Frame(
            number=int(header["number"]),
            time=float(header["time"]),
            rgb=np.frombuffer(payload, dtype=np.uint8).reshape(shape),
            scale=float(header["scale"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Undecodable(BROKEN) from error


@contextmanager
def open_video(
    path: Path, *, sample_rate: int | None, budget: FrameBudget, limits: DecodeLimits, job: Job
) -> Iterator[VideoReader]:
    """Choose frames of the best video stream of a file and decode only what they need, in a child process.

    One pass over the packets, without decoding, finds the frames' order, times and key frames; a second decodes. With
    `sample_rate` N exactly the frames 0, N, 2N, … are given, otherwise those that `budget` allows. Colours follow the
    stream's matrix and range, and the picture its rotation and pixel shape. Memory does not grow with the file's length
    beyond a few bytes per frame.

    Args:
        path: a local file in any container and codec that FFmpeg reads.
        sample_rate: give exactly one frame in N; None to choose within the budget.
        budget: how many frames to choose, and their largest size.
        limits: what the child may use.
        job: its deadline and cancellation stop the child.

    Raises:
        NotMedia: the file is empty, a still picture, or neither audio nor video.
        MissingStream: it has no video stream (a cover picture is none).
        Undecodable: no frame can be decoded, or the file breaks the decoder.
        LimitExceeded: it is longer or larger than the limits.
        Cancelled, DeadlineExceeded: from the job.
    """
    request = {"kind": "video", "sample_rate": sample_rate, "budget": asdict(budget)}
    max_payload = 3 * budget.max_side**2
    with DecoderProcess(path, request, limits=limits, job=job, max_payload=max_payload) as child:
        yield VideoReader(child)
