"""Speech cut into the detector's windows, as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from audio_analyzer.speech import Piece, Samples

LONGEST_PAUSE_SECONDS = 2.0
"""Speech after a longer pause starts a new stretch, unless the one before is too short to be judged by itself."""


@dataclass(frozen=True)
class Window:
    """What the detector judges at a time. `start`, `end`: samples of the file; longer than the window over a pause."""

    start: int
    end: int
    samples: Samples


class Windower:
    """Gathers speech into stretches and slides overlapping windows over each.

    The detector learned from clips of one or two seconds whose edges are trimmed and whose pauses are short. So pauses
    shrink to the padding that the speech gate leaves, speech after a long pause starts a new stretch, a stretch ends
    with a window at its very end, and one that is shorter than a window is repeated to its length (zeros would tell
    the length, and silence is not speech). Less than half a window is not judged by itself: it is joined with the
    speech that follows, however far, and dropped at the end of the file unless it is all there is.

    Args:
        window: samples of a window.
        hop: samples from one window's start to the next's.
        longest_pause: samples.
    """

    def __init__(self, window: int, hop: int, longest_pause: int) -> None:
        self._window = window
        self._hop = hop
        self._longest_pause = longest_pause
        self._samples = np.zeros(0, dtype=np.float32)
        self._marks: list[tuple[int, int]] = []  # (offset in _samples, index in the file) where speech was joined
        self._end = 0
        self._next = 0  # offset in _samples of the next window; _samples begins with the last window of the stretch
        self._any = False

    def feed(self, piece: Piece) -> Iterator[Window]:
        """Take the next speech; yields the windows that it completes."""
        pause = piece.start - self._end
        if self._marks and pause > self._longest_pause and len(self._samples) >= self._window // 2:
            yield from self._finish_stretch()
        if not self._marks or pause > 0:
            self._marks.append((len(self._samples), piece.start))
        self._samples = np.concatenate([self._samples, piece.samples])
        self._end = piece.end
        while len(self._samples) >= self._next + self._window:
            yield self._at(self._next)
            self._drop(self._next)
            self._next = self._hop

    def finish(self) -> Iterator[Window]:
        """The last windows."""
        if len(self._samples) >= self._window // 2 or not self._any:
            yield from self._finish_stretch()

    def _finish_stretch(self) -> Iterator[Window]:
        judged = self._window if self._next else 0
        left = len(self._samples) - judged
        if judged and left >= self._hop // 4:
            yield self._at(len(self._samples) - self._window)
        elif not judged and left:
            yield self._at(0)
        self._samples, self._marks, self._next = self._samples[:0], [], 0

    def _at(self, offset: int) -> Window:
        self._any = True
        samples = self._samples[offset : offset + self._window]
        start, end = self._in_file(offset), self._in_file(offset + len(samples) - 1) + 1
        return Window(start, end, np.resize(samples, self._window))

    def _in_file(self, offset: int) -> int:
        mark = max((mark for mark in self._marks if mark[0] <= offset), key=lambda mark: mark[0])
        return mark[1] + offset - mark[0]

    def _drop(self, count: int) -> None:
        if not count:
            return
        first = self._in_file(count)
        self._marks = [(0, first), *((offset - count, index) for offset, index in self._marks if offset > count)]
        self._samples = self._samples[count:]
