"""The stretches of a voice that are more suspicious than chance explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sg_common.bundle.calibration import Logits, StretchCalibration

NAMED = 0.5
"""Probability from which a stretch is named: as likely made as not."""
MOST = 10
"""Stretches of a voice that are named."""
CONTRAST = 3.0
"""Standard deviations by which a stretch must stand out from the rest of its voice; else the whole voice is named."""


@dataclass(frozen=True)
class Stretch:
    """Consecutive windows of a voice: the first one's index and their number."""

    first: int
    count: int
    probability: float


def strongest(logits: Logits, of: int, calibration: StretchCalibration) -> float:
    """The highest evidence of any run of windows with `logits` (N,), of `of` windows in the file."""
    sums = np.concatenate([[0.0], np.cumsum(logits)])
    return max(
        float(calibration.evidence((sums[count:] - sums[:-count]).max() / count, count, of))
        for count in range(1, len(logits) + 1)
    )


def strength(logits: Logits, of: int, calibration: StretchCalibration) -> float:
    """The probability of the strongest run of windows, whether it is named or not; arguments as of `strongest`."""
    return float(calibration.probability(strongest(logits, of, calibration)))


def find_stretches(logits: Logits, of: int, calibration: StretchCalibration) -> list[Stretch]:
    """The stretches of a voice that are named, strongest first.

    Args:
        logits: of the voice's judged windows in order, (N,), as the common calibration reads them.
        of: the number of judged windows in the file, on all channels.
        calibration: what a stretch is worth.
    """
    found: list[Stretch] = []
    waiting = [(0, len(logits))]
    while waiting and len(found) < MOST:
        start, end = waiting.pop()
        part = logits[start:end]
        probability = strength(part, of, calibration)
        if probability < NAMED:
            continue
        first, count = _place(part, calibration.within)
        found.append(Stretch(start + first, count, probability))
        rests = [(start, start + first), (start + first + count, end)]
        waiting += [(a, b) for a, b in rests if a < b]
    return sorted(found, key=lambda stretch: (-stretch.probability, stretch.first))


def span(times: npt.ArrayLike, stretch: Stretch) -> tuple[float, float]:
    """Where a stretch begins and ends.

    Windows overlap, and the outermost ones of a stretch may hear its neighbours as well: it ends half way between the
    middles of its last window and the next, but never outside its own windows.

    Args:
        times: start and end of each of the voice's windows, (N, 2).
        stretch: some of these windows.
    """
    windows = np.asarray(times, np.float64)
    last, middles = stretch.first + stretch.count - 1, windows.mean(1)
    start, end = windows[stretch.first, 0], windows[last, 1]
    if stretch.first > 0:
        start = max(start, middles[stretch.first - 1 : stretch.first + 1].mean())
    if last + 1 < len(windows):
        end = min(end, middles[last : last + 2].mean())
    return float(start), float(end)


def _place(logits: Logits, variance: float) -> tuple[int, int]:
    """The run (first, count) whose mean stands out most from the rest (the likelihood ratio of one raised segment, as
    in circular binary segmentation, Olshen et al. 2004), or all where none does."""
    best, place, total = CONTRAST * np.sqrt(variance), (0, len(logits)), len(logits)
    sums = np.concatenate([[0.0], np.cumsum(logits - logits.mean())])
    for count in range(1, total):
        raised: npt.NDArray[np.float64] = sums[count:] - sums[:-count]
        first = int(raised.argmax())
        contrast = raised[first] * np.sqrt(total / (count * (total - count)))
        if contrast > best:
            best, place = contrast, (first, count)
    return place
