"""One pass over a video stream's packets: which frames there are, when they show and where decoding can start."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from av.packet import Packet
from av.video.stream import VideoStream

from sg_decoder.errors import LimitExceeded, Undecodable

MISSING = -(2**63)
KEY, HIDDEN = 1, 2
MAX_PACKETS = 16_000_000  # 4 hours at 1000 frames/s; the index takes some tens of bytes of each
BACKWARD_SECONDS = 0.5
FORWARD_SECONDS = 10.0
VP8_SHOW_FRAME = 0x10
KEYS_TRIED = 3
FALLBACK_RATE = 25


@dataclass(frozen=True)
class PacketIndex:
    """The frames of a stream.

    Attributes:
        order: (frames,) packet number of each frame, in presentation order.
        rank: (packets,) frame number of each packet, -1 for packets that show nothing.
        times: (frames,) seconds from the first frame.
        keys: (keys,) packet numbers where decoding can start; 0 is always among them.
        stamped: whether timestamps gave that order. Otherwise it is the packets' own, and the decoder's output order
            tells which frame is which.
        duration: seconds from the first frame's start to the last one's end.
        fps: average frames per second, 0 where a single frame leaves it open.
    """

    order: npt.NDArray[np.int64]
    rank: npt.NDArray[np.int64]
    times: npt.NDArray[np.float64]
    keys: npt.NDArray[np.int64]
    stamped: bool
    duration: float
    fps: float

    @property
    def frames(self) -> int:
        return int(self.order.size)


def index_packets(
    packets: Iterable[Packet[VideoStream]],
    *,
    codec: str,
    time_base: Fraction,
    rate: Fraction | None,
    jumps: bool,
    can_start: Callable[[Packet[VideoStream]], bool],
    working: Callable[[], None],
) -> PacketIndex:
    """Read all packets, keeping 17 bytes of each.

    Args:
        packets: those of one video stream.
        codec: FFmpeg's name of the decoder.
        time_base: seconds per timestamp unit.
        rate: frames per second as the container states it; places frames that have no timestamps.
        jumps: whether the container's timestamps may jump forward where streams were spliced (MPEG-TS).
        can_start: whether a key packet decodes to its frame alone. A few are asked: in a stream with gradual refresh
            none but the first does.
        working: called at every packet.

    Raises:
        Undecodable: no packet shows a frame.
        LimitExceeded: more packets than any sane video has.
    """
    pts, dts, flags, last_duration = array("q"), array("q"), bytearray(), 0
    starts: list[bool] = []
    for packet in packets:
        pts.append(MISSING if packet.pts is None else packet.pts)
        dts.append(MISSING if packet.dts is None else packet.dts)
        last_duration = packet.duration or last_duration
        hidden = _shows_nothing(packet, codec)
        if packet.is_keyframe and flags and not hidden and len(starts) < KEYS_TRIED and True not in starts:
            starts.append(can_start(packet))
        flags.append((KEY if packet.is_keyframe else 0) | (HIDDEN if hidden else 0))
        working()
        if len(flags) > MAX_PACKETS:
            raise LimitExceeded("the video has too many frames; send a shorter part of it")
    marks = np.frombuffer(flags, dtype=np.uint8)
    visible = np.flatnonzero((marks & HIDDEN) == 0)
    if not visible.size:
        raise Undecodable("the video stream holds no frames; export or upload the file again")
    keys = np.flatnonzero(marks & KEY) if True in starts else np.empty(0, dtype=np.int64)
    shown, decoded = np.frombuffer(pts, dtype=np.int64), np.frombuffer(dts, dtype=np.int64)
    stamped = bool(np.all(shown[visible] != MISSING))
    if stamped:
        parts = _parts(decoded, float(time_base), jumps)
        order = visible[np.lexsort((shown[visible], parts[visible]))]
        times = _times(shown[order].astype(np.float64) * float(time_base), parts[order])
    else:
        order = visible
        times = _even_times(decoded[order], float(time_base), float(rate or FALLBACK_RATE))
    rank = np.full(marks.size, -1, dtype=np.int64)
    rank[order] = np.arange(order.size)
    span = float(times[-1])
    fps = (order.size - 1) / span if span > 0 else float(rate or 0)
    last = float(last_duration * time_base) if stamped else 0.0
    return PacketIndex(
        order=order,
        rank=rank,
        times=times,
        keys=np.union1d([0], keys),
        stamped=stamped,
        duration=span + (last or (1 / fps if fps else 0.0)),
        fps=fps,
    )


def _shows_nothing(packet: Packet[VideoStream], codec: str) -> bool:
    """Frames that an edit list hides, and VP8's alternative reference frames."""
    return packet.is_discard or (codec == "vp8" and not memoryview(packet)[0] & VP8_SHOW_FRAME)


def _parts(dts: npt.NDArray[np.int64], time_base: float, jumps: bool) -> npt.NDArray[np.int64]:
    """(packets,) numbers the parts between timestamp jumps: within a part, presentation order is timestamp order."""
    known = dts[dts != MISSING]
    if not known.size:
        return np.zeros(dts.size, dtype=np.int64)
    last = np.cumsum(dts != MISSING) - 1
    known = known[np.maximum(last, 0)]
    steps = np.diff(known.astype(np.float64)) * time_base
    broken = steps < -BACKWARD_SECONDS
    if jumps:
        broken |= steps > FORWARD_SECONDS
    return np.concatenate([[0], np.cumsum(broken)])


def _times(seconds: npt.NDArray[np.float64], parts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Seconds from the first frame, each part following the one before by a usual frame's length."""
    steps = np.diff(seconds)
    seams = np.diff(parts) > 0
    if seams.any():
        inner = steps[~seams]
        steps[seams] = np.median(inner) if inner.size else 0.0
    return np.concatenate([[0.0], np.cumsum(steps)])


def _even_times(dts: npt.NDArray[np.int64], time_base: float, rate: float) -> npt.NDArray[np.float64]:
    """Seconds from the first frame of a stream without presentation timestamps: its decoding timestamps where it has
    them, as AVI does, else even steps."""
    if np.all(dts != MISSING) and np.all(np.diff(dts) > 0):
        return np.asarray((dts - dts[0]) * time_base)
    return np.arange(dts.size) / rate
