"""Decoding one audio stream to blocks of one or two channels on the file's timeline."""

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

from sg_decoder import protocol
from sg_decoder.channels import Channels
from sg_decoder.clock import Clock
from sg_decoder.completeness import is_cut_off
from sg_decoder.container import (
    CUT_OFF,
    Send,
    by_preference,
    check_duration,
    jumps,
    open_container,
    packets,
    readable,
    timeline_start,
    tolerate_damage,
)
from sg_decoder.errors import MissingStream, Undecodable
from sg_decoder.limits import DecodeLimits
from sg_decoder.provenance import send_claims
from sg_decoder.resample import Resampler

NOTHING = "nothing of the file's audio can be decoded; re-encode it and try again"
MOSTLY_NOTHING = "most of the file's audio cannot be decoded; the file is damaged. Export or upload it again"
ENOUGH = 0.5
"""Share of the packets' bytes that must decode."""
SILENCE_SECONDS = 1  # at a time
SHORTFALL_SECONDS = 0.5


def decode(descriptor: int, request: dict[str, Any], limits: DecodeLimits, send: Send) -> None:
    """Send the info, the blocks and a summary of the best audio stream that yields samples; only the info and the
    summary where none does for want of any.

    Raises:
        MissingStream, Undecodable, NotMedia, LimitExceeded: as `open_audio` says.
    """
    with open_container(descriptor) as container:
        send_claims(descriptor, container, send)
        streams = by_preference(container.streams.audio)
        if not streams:
            raise MissingStream("the file has no audio stream; send one with sound")
        candidates = [stream.index for stream in readable(container, streams)]
        stated = (container.duration or 0) / av.time_base
    cut_off = is_cut_off(descriptor)
    empty: dict[str, Any] | None = None
    for index in candidates:
        if stated > limits.duration_seconds:
            _check_length(descriptor, index, limits)
        with open_container(descriptor) as container:
            stream = _stream(container, index)
            read = _Packets(container, stream)
            sound = _Sound(read, request, limits, send)
            if sound.send():
                send(protocol.SUMMARY, cut_off=cut_off or sound.ends_early())
                return
            if not read.failed and empty is None:
                empty = _info(container, stream)
    if empty is None:
        raise Undecodable(NOTHING)
    if cut_off:
        raise Undecodable(CUT_OFF)
    send(protocol.INFO, **empty)
    send(protocol.SUMMARY, cut_off=False)


def _stream(container: InputContainer, index: int) -> AudioStream:
    return next(stream for stream in container.streams.audio if stream.index == index)


def _check_length(descriptor: int, index: int, limits: DecodeLimits) -> None:
    """Raise `LimitExceeded` before work starts where the packets are longer than allowed, not the clock's hours."""
    with open_container(descriptor) as container:
        stream = _stream(container, index)
        length = 0
        for packet in packets(container, stream):
            length += packet.duration or 0
            check_duration(float(length * (stream.time_base or 0)), limits)


class _Packets:
    """A stream's packets, to iterate over once.

    Attributes:
        bytes, failed: in the packets so far, and in those of them that did not decode.
        end: of the last packet on the container's clock, seconds; None where it has none.
    """

    def __init__(self, container: InputContainer, stream: AudioStream) -> None:
        self.container, self.stream, self.bytes, self.failed = container, stream, 0, 0
        self.end: float | None = None

    def frames(self, limits: DecodeLimits) -> Iterator[AudioFrame]:
        context = self.stream.codec_context
        _forget_channel_order(context)
        context.flags2 |= Flags2.skip_manual  # an encoder's delay is a container's matter, and not the same in all
        context.thread_count = limits.threads
        for packet in packets(self.container, self.stream):
            self.bytes += packet.size
            self.failed += packet.size
            if packet.pts is not None and packet.time_base:
                self.end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            with tolerate_damage():
                yield from context.decode(packet)
                self.failed -= packet.size
        with tolerate_damage():
            yield from context.decode(None)


class _Sound:
    """One stream's samples, cut into blocks."""

    def __init__(self, read: _Packets, request: dict[str, Any], limits: DecodeLimits, send: Send) -> None:
        self._read = read
        self._rate, self._size = request["sample_rate"], request["block_samples"]
        self._limits = limits
        self._send = send
        self._channels = Channels(self._rate)
        self._silence = 0
        self._sent = 0

    def send(self) -> bool:
        """Returns whether there was anything to send.

        Raises:
            Undecodable: most of it cannot be decoded.
        """
        block, filled = np.empty((2, self._size), dtype="<f4"), 0
        for samples in self._samples():
            if self._sent == filled == 0:
                self._send(protocol.INFO, **_info(self._read.container, self._read.stream))
            start, length = 0, samples.shape[1]
            while start < length:
                count = min(self._size - filled, length - start)
                block[:, filled : filled + count] = samples[:, start : start + count]  # one channel into both
                filled, start = filled + count, start + count
                if filled == self._size:
                    self._send_block(block)
                    filled = 0
        if filled:
            self._send_block(block[:, :filled])
        if self._sent and self._read.failed > ENOUGH * self._read.bytes:
            raise Undecodable(MOSTLY_NOTHING)
        return self._sent > 0

    def ends_early(self) -> bool:
        """Whether a FLAC stream holds fewer samples than its header states."""
        stream = self._read.stream
        if self._read.container.format.name != "flac" or not stream.duration or not stream.time_base:
            return False
        return bool(self._sent / self._rate < float(stream.duration * stream.time_base) - SHORTFALL_SECONDS)

    def _send_block(self, block: npt.NDArray[np.float32]) -> None:
        self._sent += block.shape[1]
        check_duration(self._sent / self._rate, self._limits)
        sorted_out = np.ascontiguousarray(self._channels.sort(block))
        counts = {"packet_bytes": self._read.bytes, "silence_samples": self._silence, "channels": len(sorted_out)}
        self._send(protocol.BLOCK, sorted_out.data.cast("B"), **counts)

    def _samples(self) -> Iterator[npt.NDArray[np.float32]]:
        """Arrays of shape (channels, samples), with silence where the timeline has no sound."""
        resampler = Resampler(self._rate)
        clock = Clock(timeline_start(self._read.container), jumps=jumps(self._read.container))
        for frame in self._read.frames(self._limits):
            gap = clock.silence_before(frame.time, frame.samples / max(frame.sample_rate, 1))
            if gap:
                yield from resampler.flush()
                yield from self._quiet(round(gap * self._rate))
            yield from resampler.feed(frame)
        yield from resampler.flush()
        yield from self._quiet(round(clock.silence_before(self._read.end, 0.0) * self._rate))

    def _quiet(self, samples: int) -> Iterator[npt.NDArray[np.float32]]:
        self._silence += samples
        while samples > 0:
            count = min(samples, SILENCE_SECONDS * self._rate)
            yield np.zeros((1, count), dtype=np.float32)
            samples -= count


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
