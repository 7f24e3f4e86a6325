"""The second pass over a video stream: feed the decoder the packets that the chosen frames need, and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from sg_decoder.container import packets, tolerate_damage
from sg_decoder.limits import DecodeLimits
from sg_decoder.packets import PacketIndex
from sg_decoder.selection import Run, plan_runs

HUGE_PIXELS = 4096 * 2304
HUGE_THREADS = 2  # each thread holds frames of its own
# Decoders that read `skip_frame` at every packet; others keep the first or leave out frames that are shown.
SKIPPING = frozenset({"h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "vp8", "vp9"})


def decode_chosen(
    container: InputContainer,
    stream: VideoStream,
    index: PacketIndex,
    chosen: npt.NDArray[np.int64],
    *,
    limits: DecodeLimits,
    working: Callable[[], None],
) -> Iterator[tuple[int, VideoFrame]]:
    """Number and picture of each chosen frame that can be decoded, ascending. `working` is called at every packet."""
    wanted, last = set(chosen.tolist()), -1
    context = stream.codec_context
    context.options = {"max_pixels": str(limits.pixels)}
    huge = context.width * context.height > HUGE_PIXELS
    context.thread_count = min(limits.threads, HUGE_THREADS) if huge else limits.threads
    context.thread_type = "AUTO"
    for run, run_packets in _by_run(packets(container, stream), plan_runs(index, chosen), working):
        place = int(next(rank for rank in index.rank[run.start :] if rank >= 0))
        for frame in _decoded(stream, index, run_packets, wanted):
            if index.stamped:
                number = _number(index, frame)
            else:
                number, place = place, place + 1
            if number in wanted and number > last:  # damaged data decodes in any order
                last = number
                yield number, frame
        context.flush_buffers()


def can_start(stream: VideoStream, packet: Packet[VideoStream]) -> bool:
    """Whether a packet decodes to its frame without any before it."""
    context = stream.codec_context
    found = False
    for part in (packet, None):
        with tolerate_damage():
            found = bool(context.decode(part)) or found
    context.flush_buffers()
    return found


def _by_run(
    source: Iterator[Packet[VideoStream]], runs: list[Run], working: Callable[[], None]
) -> Iterator[tuple[Run, Iterator[tuple[int, Packet[VideoStream]]]]]:
    """Each run with its numbered packets, which must be consumed before the next."""
    numbered = enumerate(source)

    def until(stop: int) -> Iterator[tuple[int, Packet[VideoStream]]]:
        for number, packet in numbered:
            working()
            yield number, packet
            if number == stop:
                return

    for run in runs:
        yield run, (pair for pair in until(run.stop) if pair[0] >= run.start)


def _decoded(
    stream: VideoStream,
    index: PacketIndex,
    numbered: Iterator[tuple[int, Packet[VideoStream]]],
    wanted: set[int],
) -> Iterator[VideoFrame]:
    """All that a run decodes to. Frames that are neither chosen nor referred to are left out where numbers allow it."""
    context = stream.codec_context
    skips = index.stamped and context.name in SKIPPING
    for number, packet in numbered:
        if index.stamped:
            # Decoders carry this along: each frame then names its packet, whatever the container's timestamps were.
            packet.pts = number
        if skips:
            context.skip_frame = "DEFAULT" if int(index.rank[number]) in wanted else "NONREF"
        with tolerate_damage():
            yield from context.decode(packet)
    with tolerate_damage():
        yield from context.decode(None)


def _number(index: PacketIndex, frame: VideoFrame) -> int:
    packet = frame.pts
    return int(index.rank[packet]) if packet is not None and 0 <= packet < index.rank.size else -1
