"""What happens to a video on its way: real codecs, as found in `CONDITIONS`."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

UNKNOWN_RATE = Fraction(25)


@dataclass(frozen=True)
class Condition:
    """One way in which clips are encoded again. `scale`: of both sides; `crf`: of H.264."""

    crf: int
    scale: float = 1.0


AS_FOUND = "as found"
CONDITIONS: dict[str, Condition | None] = {
    AS_FOUND: None,
    "H.264 crf 28": Condition(28),
    "H.264 crf 34": Condition(34),
    "three quarters of the size": Condition(18, 0.75),
    "messenger (three quarters, crf 30)": Condition(30, 0.75),
}


def recompress(source: Path, target: Path, condition: Condition) -> None:
    """Write the video stream of `source` to an MP4 as `condition` says; times stay as they are.

    Raises:
        av.FFmpegError: the source cannot be decoded.
    """
    with av.open(str(source)) as read, av.open(str(target), "w") as write:
        given = read.streams.video[0]
        width, height = (max(2, round(side * condition.scale / 2) * 2) for side in (given.width, given.height))
        made = write.add_stream("libx264", rate=given.average_rate or UNKNOWN_RATE, options={"crf": str(condition.crf)})
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
