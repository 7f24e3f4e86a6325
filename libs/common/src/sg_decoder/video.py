"""Decoding chosen frames of one video stream."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from av.container import InputContainer
from av.format import Flags
from av.video.stream import VideoStream

from sg_decoder import protocol
from sg_decoder.container import (
    Send,
    by_preference,
    check_duration,
    check_moving,
    check_stated_duration,
    is_cover,
    open_container,
    packets,
)
from sg_decoder.errors import LimitExceeded, MissingStream, Undecodable
from sg_decoder.frames import can_start, decode_chosen
from sg_decoder.limits import DecodeLimits, FrameBudget
from sg_decoder.packets import PacketIndex, index_packets
from sg_decoder.picture import Geometry, Painter, geometry
from sg_decoder.selection import choose_frames

WORKING_SECONDS = 2.0
NOTHING = "no frame of the video can be decoded; re-encode it and try again"


def decode(descriptor: int, request: dict[str, Any], limits: DecodeLimits, send: Send) -> None:
    """Send the info and then the chosen frames of the best video stream.

    Raises:
        MissingStream, Undecodable, NotMedia, LimitExceeded: as `open_video` says.
    """
    budget = FrameBudget(**request["budget"])
    working = _heartbeat(send)
    with open_container(descriptor) as container:
        stream = _best(container)
        check_stated_duration(container, limits)
        number, pixels = stream.index, stream.codec_context.width * stream.codec_context.height
        _check_pixels(pixels, limits)
        index = _index(container, stream, working)
        check_moving(container, index.frames)
    check_duration(index.duration, limits)
    chosen = choose_frames(index, sample_rate=request["sample_rate"], budget=budget, pixels=pixels)
    shape: Geometry | None = None
    with open_container(descriptor) as container:
        stream = next(stream for stream in container.streams.video if stream.index == number)
        for rank, frame in decode_chosen(container, stream, index, chosen, limits=limits, working=working):
            _check_pixels(frame.width * frame.height, limits)
            if shape is None:
                shape = geometry(frame, stream.sample_aspect_ratio, budget.max_side)
                painter = Painter(shape)
                send(protocol.INFO, **_info(stream, index, shape))
            rgb = painter.paint(frame)
            place = {"number": rank, "time": float(index.times[rank])}
            send(
                protocol.FRAME, rgb.data.cast("B"), height=rgb.shape[0], width=rgb.shape[1], scale=shape.scale, **place
            )
    if shape is None:
        raise Undecodable(NOTHING)


def _best(container: InputContainer) -> VideoStream:
    streams = [stream for stream in container.streams.video if not is_cover(stream)]
    if not streams:
        raise MissingStream("the file has no video stream; send a video")
    readable = [stream for stream in streams if stream.codec_context is not None]
    if not readable:
        raise Undecodable("the video's codec is not supported; re-encode it, for example as H.264")
    return by_preference(readable)[0]


def _index(container: InputContainer, stream: VideoStream, working: Callable[[], None]) -> PacketIndex:
    if not stream.time_base:
        raise Undecodable(NOTHING)
    return index_packets(
        packets(container, stream),
        codec=stream.codec_context.name,
        time_base=stream.time_base,
        rate=stream.guessed_rate or stream.average_rate,
        jumps=bool(Flags(container.format.flags) & Flags.ts_discont),
        can_start=lambda packet: can_start(stream, packet),
        working=working,
    )


def _info(stream: VideoStream, index: PacketIndex, shape: Geometry) -> dict[str, Any]:
    return {
        "codec": stream.codec_context.name,
        "width": shape.width,
        "height": shape.height,
        "fps": index.fps,
        "total_frames": index.frames,
        "duration": index.duration,
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
