"""Audio frames of any kind to one or two channels of samples at one rate."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import cast

import av.error
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.filter.graph import Graph

LOUDEST = 1e3  # float audio may hold anything, infinities too
MAX_CHANNELS = 64  # of FFmpeg's `pan`; the channels beyond stay unheard


class Resampler:
    """One or two channels as they are, or the mean of more, resampled by libswresample. A stream may change its format
    at any frame.

    The mean ignores channel layouts on purpose: remuxing loses and invents them, and a voice may be on any channel.

    Args:
        rate: Hz of the samples wanted.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._kind: tuple[str, str, int] | None = None
        self._graph: Graph | None = None
        self._waiting = 0

    def feed(self, frame: AudioFrame) -> Iterator[npt.NDArray[np.float32]]:
        """The samples that one more frame completes, arrays of shape (channels, samples)."""
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if not (frame.samples and frame.sample_rate and frame.layout.nb_channels):
            return
        if kind != self._kind:
            yield from self.flush()
            self._kind, self._graph = kind, _graph(frame, self._rate)
        if self._graph is None:
            return
        frame.pts = None  # samples follow each other, whatever the container's timestamps say
        self._waiting += frame.samples
        self._graph.push(frame)
        if self._waiting >= frame.sample_rate:
            self._waiting = 0
            yield from self._done(self._graph)

    def flush(self) -> Iterator[npt.NDArray[np.float32]]:
        """The samples still held back."""
        if self._graph is not None:
            self._graph.push(None)
            yield from self._done(self._graph)
        self._kind = self._graph = None
        self._waiting = 0

    def _done(self, graph: Graph) -> Iterator[npt.NDArray[np.float32]]:
        while True:
            try:
                frame = cast(AudioFrame, graph.pull())
            except av.error.EOFError:
                return
            except av.error.FFmpegError as error:
                if error.errno == errno.EAGAIN:
                    return
                raise
            samples = np.clip(np.nan_to_num(frame.to_ndarray()), -LOUDEST, LOUDEST)
            yield samples.astype(np.float32, copy=False)


def _graph(frame: AudioFrame, rate: int) -> Graph:
    """To float planes at `rate`."""
    graph = Graph()
    nodes = [
        graph.add(
            "abuffer",
            sample_rate=str(frame.sample_rate),
            sample_fmt=frame.format.name,
            channel_layout=frame.layout.name,
            time_base=f"1/{frame.sample_rate}",
        ),
        graph.add("aformat", sample_fmts="fltp"),
        graph.add("pan", _mix(min(frame.layout.nb_channels, MAX_CHANNELS))),
        graph.add("aresample", str(rate)),
        graph.add("aformat", sample_fmts="fltp"),
        graph.add("abuffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    graph.set_audio_frame_size(rate // 4)  # large frames: each costs a call or two
    return graph


def _mix(channels: int) -> str:
    """Two channels as they are, or the mean of any others."""
    if channels == 2:
        return "stereo|c0=c0|c1=c1"
    return "mono|c0=" + "+".join(f"{1 / channels:.9f}*c{channel}" for channel in range(channels))
