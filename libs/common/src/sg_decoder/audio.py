"""Decoding one audio stream to mono blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec.context import Flags2
from av.container import InputContainer
from av.packet import Packet

from sg_decoder import protocol
from sg_decoder.container import (
    Send,
    by_preference,
    check_duration,
    check_stated_duration,
    open_container,
    packets,
    tolerate_damage,
)
from sg_decoder.errors import MissingStream, Undecodable
from sg_decoder.limits import DecodeLimits
from sg_decoder.mono import MonoResampler

# Edit lists and encoder delay are container matters: honouring them would make the samples depend on the container.
UNTRIMMED = {"ignore_editlist": "1"}


def decode(descriptor: int, request: dict[str, Any], limits: DecodeLimits, send: Send) -> None:
    """Send the info and then the blocks of the best audio stream that yields samples.

    Raises:
        MissingStream, Undecodable, NotMedia, LimitExceeded: as `open_audio` says.
    """
    with open_container(descriptor, **UNTRIMMED) as container:
        streams = by_preference(container.streams.audio)
        if not streams:
            raise MissingStream("the file has no audio stream; send one with sound")
        check_stated_duration(container, limits)
        candidates = [stream.index for stream in streams if stream.codec_context is not None]
    for index in candidates:
        with open_container(descriptor, **UNTRIMMED) as container:
            stream = next(stream for stream in container.streams.audio if stream.index == index)
            if _send_blocks(_Packets(container, stream), request, limits, send):
                return
    raise Undecodable("nothing of the file's audio can be decoded; re-encode it and try again")


class _Packets:
    """A stream's packets, to iterate over once, and the bytes in them so far."""

    def __init__(self, container: InputContainer, stream: AudioStream) -> None:
        self.container, self.stream, self.bytes = container, stream, 0

    def __iter__(self) -> Iterator[Packet[AudioStream]]:
        for packet in packets(self.container, self.stream):
            self.bytes += packet.size
            yield packet


def _send_blocks(read: _Packets, request: dict[str, Any], limits: DecodeLimits, send: Send) -> bool:
    rate, size = request["sample_rate"], request["block_samples"]
    block, filled, sent = np.empty(size, dtype="<f4"), 0, 0
    for samples in _resampled(read, rate, limits):
        if sent == filled == 0:
            send(protocol.INFO, **_info(read.container, read.stream))
        start = 0
        while start < samples.size:
            count = min(size - filled, samples.size - start)
            block[filled : filled + count] = samples[start : start + count]
            filled, start = filled + count, start + count
            if filled == size:
                sent += filled
                check_duration(sent / rate, limits)
                send(protocol.BLOCK, block.data.cast("B"), packet_bytes=read.bytes)
                filled = 0
    if filled:
        check_duration((sent + filled) / rate, limits)
        send(protocol.BLOCK, block[:filled].data.cast("B"), packet_bytes=read.bytes)
    return sent + filled > 0


def _resampled(read: _Packets, rate: int, limits: DecodeLimits) -> Iterator[npt.NDArray[np.float32]]:
    resampler = MonoResampler(rate)
    for frame in _frames(read, limits):
        yield from resampler.feed(frame)
    yield from resampler.flush()


def _frames(read: _Packets, limits: DecodeLimits) -> Iterator[AudioFrame]:
    context = read.stream.codec_context
    _forget_channel_order(context)
    context.flags2 |= Flags2.skip_manual
    context.thread_count = limits.threads
    for packet in read:
        with tolerate_damage():
            yield from context.decode(packet)
    with tolerate_damage():
        yield from context.decode(None)


def _forget_channel_order(context: AudioCodecContext) -> None:
    """Replace a container's own order of channels by their bare number: the mix needs no more, and PyAV 18 frees the
    memory of such a layout twice."""
    layout = context.layout
    name, channels = layout.name, layout.nb_channels
    if "+" in name:
        context.layout = f"{channels} channels"


def _info(container: InputContainer, stream: AudioStream) -> dict[str, Any]:
    duration = None
    if stream.duration and stream.time_base:
        duration = float(stream.duration * stream.time_base)
    elif container.duration:
        duration = container.duration / av.time_base
    context = stream.codec_context
    return {
        "codec": context.name,
        "sample_rate": context.sample_rate,
        "channels": context.layout.nb_channels,
        "duration": duration,
    }
