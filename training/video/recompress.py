"""What happens to a video on its way: real codecs, as found in `CONDITIONS`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np

UNKNOWN_RATE = Fraction(25)
Codec = Literal["libx264", "libx265", "libvpx-vp9"]
OPTIONS: Mapping[Codec, Mapping[str, str]] = {
    "libx264": {},
    "libx265": {"preset": "veryfast", "x265-params": "log-level=none:pools=none:frame-threads=1"},
    "libvpx-vp9": {"b": "0", "deadline": "realtime", "cpu-used": "6"},
}


@dataclass(frozen=True)
class Condition:
    """One way in which clips are encoded again. `crf`: of the codec's own scale; `scale`: of both sides."""

    crf: int
    scale: float = 1.0
    codec: Codec = "libx264"


AS_FOUND = "as found"
SHRUNK = "three quarters of the size"
CONDITIONS: dict[str, Condition | None] = {
    AS_FOUND: None,
    "H.264 crf 28": Condition(28),
    "H.264 crf 34": Condition(34),
    SHRUNK: Condition(18, 0.75),
    "messenger (three quarters, crf 30)": Condition(30, 0.75),
}
CODECS: tuple[Codec, ...] = ("libx264", "libx264", "libx265", "libvpx-vp9")
VP9_CRF = 6
"""VP9's scale of qualities, which ends at 63, looks alike this much higher."""


def drawn(rng: np.random.Generator) -> Condition:
    """A condition for training: any codec, quality and size that a video may have gone through."""
    codec = CODECS[rng.integers(len(CODECS))]
    crf = int(rng.integers(20, 39)) + VP9_CRF * (codec == "libvpx-vp9")
    return Condition(crf, float(rng.uniform(0.5, 1.0)) if rng.random() < 0.6 else 1.0, codec)


def recompress(source: Path, target: Path, condition: Condition) -> None:
    """Write the video stream of `source` to an MP4 as `condition` says; times stay as they are.

    Raises:
        av.FFmpegError: the source cannot be decoded.
    """
    with av.open(str(source)) as read, av.open(str(target), "w") as write:
        given = read.streams.video[0]
        width, height = (max(2, round(side * condition.scale / 2) * 2) for side in (given.width, given.height))
        options = {"crf": str(condition.crf), **OPTIONS[condition.codec]}
        made = write.add_stream(condition.codec, rate=given.average_rate or UNKNOWN_RATE, options=options)
        made.width, made.height = width, height
        made.pix_fmt = "yuv420p"
        made.thread_count = 1
        if given.time_base is not None:
            made.codec_context.time_base = given.time_base
        for frame in read.decode(given):
            scaled = frame.reformat(width, height, format="yuv420p", interpolation="BICUBIC")
            scaled.pict_type = av.video.frame.PictureType.NONE
            write.mux(made.encode(scaled))
        write.mux(made.encode())
