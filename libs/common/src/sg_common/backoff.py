"""Waiting before another try, so that many workers do not all come back at once."""

from __future__ import annotations

import random


def jittered(seconds: float) -> float:
    """Between half of `seconds` and all of it."""
    return seconds * random.uniform(0.5, 1.0)  # noqa: S311 - jitter


def doubled(first: float, longest: float, times: int) -> float:
    """`first` doubled `times` times, at most `longest`, with jitter; seconds."""
    return jittered(min(longest, first * float(2 ** min(times, 30))))


class Pace:
    """How long to wait before going on, while something fails."""

    def __init__(self, first: float, longest: float) -> None:
        self._first, self._longest = first, longest
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1

    def succeeded(self) -> None:
        self._failures = 0

    @property
    def seconds(self) -> float:
        return doubled(self._first, self._longest, self._failures - 1) if self._failures else 0.0
