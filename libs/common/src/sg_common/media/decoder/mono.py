"""Audio frames of any kind to mono samples at one rate."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import av.error
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.filter.graph import Graph

MAX_CHANNELS = 64  # of FFmpeg's `pan`; the channels beyond stay unheard


class MonoResampler:
    """The mean of the channels, resampled by libswresample. A stream may change its format at any frame.

    The mean ignores channel layouts on purpose: remuxing loses and invents them, and a voice may be on any channel.

    Args:
        rate: Hz of the samples wanted.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._kind: tuple[str, str, int] | None = None
        self._graph: Graph | None = None

    def feed(self, frame: AudioFrame) -> Iterator[npt.NDArray[np.float32]]:
        """The samples that one more frame completes, arrays of shape (samples,)."""
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if not (frame.samples and frame.sample_rate and frame.layout.nb_channels):
            return
        if kind != self._kind:
            yield from self.flush()
            self._kind, self._graph = kind, _graph(frame, self._rate)
        frame.pts = None  # samples follow each other, whatever the container's timestamps say
        if self._graph is not None:
            yield from _pass(self._graph, frame)

    def flush(self) -> Iterator[npt.NDArray[np.float32]]:
        """The samples still held back by the resampling filter."""
        if self._graph is not None:
            yield from _pass(self._graph, None)
        self._kind = self._graph = None


def _graph(frame: AudioFrame, rate: int) -> Graph:
    channels = min(frame.layout.nb_channels, MAX_CHANNELS)
    mean = "+".join(f"{1 / channels:.9f}*c{channel}" for channel in range(channels))
    graph = Graph()
    graph.link_nodes(
        graph.add(
            "abuffer",
            sample_rate=str(frame.sample_rate),
            sample_fmt=frame.format.name,
            channel_layout=frame.layout.name,
            time_base=f"1/{frame.sample_rate}",
        ),
        graph.add("aformat", sample_fmts="fltp"),
        graph.add("pan", f"mono|c0={mean}"),
        graph.add("aresample", str(rate)),
        graph.add("aformat", sample_fmts="flt"),
        graph.add("abuffersink"),
    ).configure()
    return graph


def _pass(graph: Graph, frame: AudioFrame | None) -> Iterator[npt.NDArray[np.float32]]:
    graph.push(frame)
    while True:
        try:
            done = graph.pull()
        except av.error.EOFError:
            return
        except av.error.FFmpegError as error:
            if error.errno == errno.EAGAIN:
                return
            raise
        # Broken float audio may hold anything.
        yield np.clip(np.nan_to_num(done.to_ndarray().reshape(-1)), -1e3, 1e3).astype(np.float32, copy=False)
