"""Where sound belongs on the file's timeline."""

from __future__ import annotations

from sg_decoder.packets import BACKWARD_SECONDS, FORWARD_SECONDS, LONGEST_GAP_SECONDS

SHORTEST_GAP_SECONDS = 0.25
"""Containers round times and recorders' timestamps tremble: what is shorter is no gap."""
STEP_SECONDS = 0.02
"""A sound card's clock that is slower than the recorder's opens no gap between two frames that is this long."""


class Clock:
    """Compares frames' times with the sound before them. A jump of the clock, as at a splice, is no gap.

    Args:
        start: where the timeline begins on the container's clock, seconds.
        jumps: whether that clock may jump forward.
    """

    def __init__(self, start: float, *, jumps: bool) -> None:
        self._next = start
        self._missing = 0.0
        self._longest = LONGEST_GAP_SECONDS
        self._longest_later = FORWARD_SECONDS if jumps else LONGEST_GAP_SECONDS

    def silence_before(self, time: float | None, seconds: float) -> float:
        """Seconds without sound before a frame.

        Args:
            time: of the frame on the container's clock; None where it has none.
            seconds: its length.
        """
        if time is None:
            self._next += seconds
            return 0.0
        step = time - self._next
        self._next = time + seconds
        longest, self._longest = self._longest, self._longest_later
        if step < -BACKWARD_SECONDS or step > longest:
            return 0.0
        self._missing += step
        if self._missing < SHORTEST_GAP_SECONDS or step < STEP_SECONDS:
            return 0.0
        gap, self._missing = self._missing, 0.0
        return gap
