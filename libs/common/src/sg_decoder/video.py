"""Decoding chosen frames of one video stream."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from sg_decoder import protocol
from sg_decoder.bitstream import marker
from sg_decoder.completeness import is_cut_off
from sg_decoder.container import (
    Send,
    by_preference,
    check_duration,
    check_moving,
    is_cover,
    jumps,
    open_container,
    packets,
    readable,
    timeline_start,
)
from sg_decoder.errors import LimitExceeded, MissingStream, Undecodable
from sg_decoder.frames import can_start, decode_chosen
from sg_decoder.limits import DecodeLimits, FrameBudget
from sg_decoder.packets import PacketIndex, index_packets
from sg_decoder.picture import Geometry, Painter, geometry
from sg_decoder.provenance import send_claims
from sg_decoder.selection import choose_frames

WORKING_SECONDS = 2.0
NOTHING = "no frame of the video can be decoded; re-encode it and try again"
MOSTLY_NOTHING = "most frames of the video cannot be decoded; the file is damaged. Export or upload it again"
ENOUGH = 0.5
"""Share of the chosen frames that must decode from the first one on that does."""
PALETTE_BITS = 8
"""A pixel of so few bits in all has no colours of its own."""


def decode(descriptor: int, request: dict[str, Any], limits: DecodeLimits, send: Send) -> None:
    """Send the info, the chosen frames and a summary of the best video stream that holds any.

    Raises:
        MissingStream, Undecodable, NotMedia, LimitExceeded: as `open_video` says.
    """
    working = _heartbeat(send)
    problem: Undecodable | None = None
    for place in count():
        with open_container(descriptor) as container:
            if place == 0:
                send_claims(descriptor, container, send)
            streams = _by_preference(container)
            if place == len(streams):
                raise problem or Undecodable(NOTHING)
            stream = streams[place]
            try:
                pictures = _Pictures(container, stream, request, limits, working)
            except Undecodable as error:
                problem = problem or error
                continue
        with open_container(descriptor) as container:
            stream = next(other for other in container.streams.video if other.index == pictures.stream)
            if pictures.send(container, stream, send):
                send(protocol.SUMMARY, cut_off=is_cut_off(descriptor))
                return


class _Pictures:
    """The chosen frames of one stream. Making it reads all packets."""

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        request: dict[str, Any],
        limits: DecodeLimits,
        working: Callable[[], None],
    ) -> None:
        self.stream = stream.index
        self._limits = limits
        self._working = working
        self._budget = FrameBudget(**request["budget"])
        self._start = timeline_start(container)
        pixels = stream.codec_context.width * stream.codec_context.height
        _check_pixels(pixels, limits)
        self._index = _index(container, stream, working)
        check_moving(container, self._index.frames)
        check_duration(self._index.duration, limits)
        self._chosen = choose_frames(
            self._index, sample_rate=request["sample_rate"], budget=self._budget, pixels=pixels
        )

    def send(self, container: InputContainer, stream: VideoStream, send: Send) -> bool:
        """Returns whether there was any frame to send.

        Raises:
            Undecodable: most of them cannot be decoded.
        """
        index, chosen = self._index, self._chosen
        late = max(0.0, index.start - self._start) if index.start is not None else 0.0
        painter, sent, first = Painter(), 0, 0
        for number, frame in decode_chosen(
            container, stream, index, chosen, limits=self._limits, working=self._working
        ):
            _check_pixels(frame.width * frame.height, self._limits)
            shape = geometry(frame, stream.sample_aspect_ratio, self._budget.max_side)
            if not sent:
                first = number
                send(protocol.INFO, **_info(stream, frame, index, shape, late))
            rgb = painter.paint(frame, shape)
            size = {"height": rgb.shape[0], "width": rgb.shape[1], "scale": shape.scale}
            place = {"number": number, "time": late + float(index.times[number])}
            send(protocol.FRAME, rgb.data.cast("B"), **size, **place)
            sent += 1
        if sent and sent < ENOUGH * np.count_nonzero(chosen >= first):
            raise Undecodable(MOSTLY_NOTHING)
        return sent > 0


def _by_preference(container: InputContainer) -> list[VideoStream]:
    streams = [stream for stream in container.streams.video if not is_cover(stream)]
    if not streams:
        raise MissingStream("the file has no video stream; send a video")
    return readable(container, by_preference(streams))


def _index(container: InputContainer, stream: VideoStream, working: Callable[[], None]) -> PacketIndex:
    if not stream.time_base:
        raise Undecodable(NOTHING)
    return index_packets(
        packets(container, stream),
        mark=marker(stream),
        time_base=stream.time_base,
        rate=stream.guessed_rate or stream.average_rate,
        jumps=jumps(container),
        can_start=lambda packet: can_start(stream, packet),
        working=working,
    )


def _info(stream: VideoStream, frame: VideoFrame, index: PacketIndex, shape: Geometry, late: float) -> dict[str, Any]:
    codec, colours = stream.codec_context.name, frame.format
    return {
        "codec": codec,
        "width": shape.width,
        "height": shape.height,
        "fps": index.fps,
        "total_frames": index.frames,
        "duration": late + index.duration,
        "palette": codec == "gif"  # FFmpeg looks its colours up
        or colours.has_palette
        or (colours.is_rgb and colours.bits_per_pixel <= PALETTE_BITS),
    }


def _check_pixels(pixels: int, limits: DecodeLimits) -> None:
    if pixels > limits.pixels:
        raise LimitExceeded(f"the picture has more than the limit of {limits.pixels} pixels; send a smaller version")


def _heartbeat(send: Send) -> Callable[[], None]:
    """Tells the parent now and then that work goes on while nothing else is sent."""
    last = time.monotonic()

    def working() -> None:
        nonlocal last
        if time.monotonic() - last > WORKING_SECONDS:
            send(protocol.WORKING)
            last = time.monotonic()

    return working
