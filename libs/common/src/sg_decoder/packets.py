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

from sg_decoder.bitstream import HIDDEN, LEADING, SECOND_FIELD, Marker
from sg_decoder.errors import LimitExceeded, Undecodable

MISSING = -(2**63)
KEY = 1
MAX_PACKETS = 16_000_000  # 4 hours at 1000 frames/s; the index takes some tens of bytes of each
BACKWARD_SECONDS = 0.5
FORWARD_SECONDS = 10.0  # a longer step is a splice where clocks may jump (MPEG-TS, DVD), ...
LONGEST_GAP_SECONDS = 3600.0  # ... and this one anywhere
KEYS_TRIED = 3
FALLBACK_RATE = 25
NO_FRAMES = "the video stream holds no frames; export or upload the file again"


@dataclass(frozen=True)
class PacketIndex:
    """The frames of a stream.

    Attributes:
        order: (frames,) packet number of each frame, in presentation order.
        rank: (packets,) frame number of each packet, -1 for packets that show nothing. The two fields of a frame may
            come in two packets with one number.
        times: (frames,) seconds from the first frame.
        keys: (keys,) packet numbers where decoding can start; 0 is always among them.
        stamped: whether timestamps gave that order. Otherwise it is the packets' own, and the decoder's output order
            tells which frame is which.
        duration: seconds from the first frame's start to the last one's end.
        fps: average frames per second, 0 where a single frame leaves it open.
        start: time of the first frame on the container's clock, seconds; None where it has none.
    """

    order: npt.NDArray[np.int64]
    rank: npt.NDArray[np.int64]
    times: npt.NDArray[np.float64]
    keys: npt.NDArray[np.int64]
    stamped: bool
    duration: float
    fps: float
    start: float | None = None

    @property
    def frames(self) -> int:
        return int(self.order.size)


def index_packets(
    packets: Iterable[Packet[VideoStream]],
    *,
    mark: Marker,
    time_base: Fraction,
    rate: Fraction | None,
    jumps: bool,
    can_start: Callable[[Packet[VideoStream]], bool],
    working: Callable[[], None],
) -> PacketIndex:
    """Read all packets, keeping 17 bytes of each.

    Args:
        packets: those of one video stream.
        mark: tells fields, hidden frames and leading pictures; see `bitstream.marker`.
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
        seen = mark(packet) | (HIDDEN if packet.is_discard else 0)  # an edit list hides it
        key = packet.is_keyframe and not seen
        if key and flags and len(starts) < KEYS_TRIED and True not in starts:
            starts.append(can_start(packet))
        flags.append((KEY if key else 0) | seen)
        working()
        if len(flags) > MAX_PACKETS:
            raise LimitExceeded("the video has too many frames; send a shorter part of it")
    marks = np.frombuffer(flags, dtype=np.uint8)
    visible = np.flatnonzero((marks & (HIDDEN | SECOND_FIELD)) == 0)
    if not visible.size:
        raise Undecodable(NO_FRAMES)
    keys = np.flatnonzero(marks & KEY) if True in starts else np.empty(0, dtype=np.int64)
    shown, decoded = np.frombuffer(pts, dtype=np.int64), np.frombuffer(dts, dtype=np.int64)
    stamped = bool(np.all(shown[visible] != MISSING))
    if stamped:
        longest = FORWARD_SECONDS if jumps else LONGEST_GAP_SECONDS
        parts = _parts(decoded, float(time_base), longest)
        order = visible[np.lexsort((shown[visible], parts[visible]))]
        times = _times(shown[order].astype(np.float64) * float(time_base), parts[order], longest)
    else:
        order = _shown_order(visible, marks)
        times = _even_times(decoded[order], float(time_base), float(rate or FALLBACK_RATE))
    rank = np.full(marks.size, -1, dtype=np.int64)
    rank[order] = np.arange(order.size)
    second = np.flatnonzero(marks & SECOND_FIELD)
    rank[second] = rank[second - 1]
    span = float(times[-1])
    fps = (order.size - 1) / span if span > 0 else float(rate or 0)
    # of a frame in two packets the last packet's is half of it
    last = float(last_duration * time_base) if stamped and not second.size else 0.0
    return PacketIndex(
        order=order,
        rank=rank,
        times=times,
        keys=np.union1d([0], keys),
        stamped=stamped,
        duration=span + (last or (1 / fps if fps else 0.0)),
        fps=fps,
        start=float(int(shown[order[0]]) * time_base) if stamped else None,
    )


def _shown_order(visible: npt.NDArray[np.int64], marks: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """The packets' own order, each key frame behind the leading pictures that follow it and are shown before it."""
    order = visible.copy()
    leading = np.flatnonzero(np.diff((marks[visible] & LEADING) > 0, prepend=False, append=False))
    for first, end in leading.reshape(-1, 2).tolist():
        order[max(first - 1, 0) : end] = np.roll(visible[max(first - 1, 0) : end], -1)
    return order


def _parts(dts: npt.NDArray[np.int64], time_base: float, longest: float) -> npt.NDArray[np.int64]:
    """(packets,) numbers the parts between timestamp jumps: within a part, presentation order is timestamp order."""
    known = dts[dts != MISSING]
    if not known.size:
        return np.zeros(dts.size, dtype=np.int64)
    last = np.cumsum(dts != MISSING) - 1
    known = known[np.maximum(last, 0)]
    steps = np.diff(known.astype(np.float64)) * time_base
    broken = (steps < -BACKWARD_SECONDS) | (steps > longest)
    return np.concatenate([[0], np.cumsum(broken)])


def _times(seconds: npt.NDArray[np.float64], parts: npt.NDArray[np.int64], longest: float) -> npt.NDArray[np.float64]:
    """Seconds from the first frame, each part following the one before by a usual frame's length. The frame before a
    seam may have its time from behind it."""
    steps = np.diff(seconds)
    seams = (np.diff(parts) > 0) | (steps > longest)
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
