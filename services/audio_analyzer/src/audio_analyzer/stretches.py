"""The stretches of a voice that are more suspicious than chance explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sg_common.bundle.calibration import Logits, StretchCalibration

from audio_analyzer.sound import Sounds

NAMED = 0.5
"""Probability from which a stretch is named, unless less is called a deepfake: as likely made as not."""
MOST = 10
"""Stretches of a voice that are named."""
DEVIATION = 2.2
"""Standard deviation of a band's level between windows of one genuine voice, dB (the model card, "Sound")."""
INDEPENDENT = 5
"""Bands of a sound that vary independently, by the same measure."""
STANDS_OUT = 22.5
"""Twice the log likelihood ratio by which a stretch must stand out from the rest of its voice, else the whole voice is
named: one place of a thousand reaches it by chance (chi-square, 1 + INDEPENDENT degrees of freedom)."""


@dataclass(frozen=True)
class Stretch:
    """Consecutive windows of a voice: the first one's index and their number."""

    first: int
    count: int
    probability: float


@dataclass(frozen=True)
class Run:
    """Consecutive windows, as in `Stretch`, and their evidence."""

    first: int
    count: int
    evidence: float


def strongest(logits: Logits, of: int, calibration: StretchCalibration) -> Run:
    """The run of windows with `logits` (N,), of `of` windows in the file, that has the highest evidence."""
    sums = np.concatenate([[0.0], np.cumsum(logits)])
    runs = []
    for count in range(1, len(logits) + 1):
        raised = sums[count:] - sums[:-count]
        first = int(raised.argmax())
        runs.append(Run(first, count, float(calibration.evidence(raised[first] / count, count, of))))
    return max(runs, key=lambda run: run.evidence)


def strength(logits: Logits, of: int, calibration: StretchCalibration) -> float:
    """The probability of the strongest run of windows, whether it is named or not; arguments as of `strongest`."""
    return float(calibration.probability(strongest(logits, of, calibration).evidence))


def find_stretches(
    logits: Logits, sounds: Sounds, of: int, calibration: StretchCalibration, named: float = NAMED
) -> list[Stretch]:
    """The stretches of a voice that are named, strongest first.

    Args:
        logits: of the voice's judged windows in order, (N,), as the common calibration reads them.
        sounds: how these windows sound, (N, BANDS).
        of: the number of judged windows in the file, on all channels.
        calibration: what a stretch is worth.
        named: probability from which one is.
    """
    found: list[Stretch] = []
    waiting = [(0, len(logits))]
    while waiting and len(found) < MOST:
        start, end = waiting.pop()
        run = strongest(logits[start:end], of, calibration)
        probability = float(calibration.probability(run.evidence))
        if probability < named:
            continue
        first, count = _place(logits[start:end], sounds[start:end], calibration.within, run)
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


def _place(logits: Logits, sounds: Sounds, variance: float, run: Run) -> tuple[int, int]:
    """The windows (first, count) that stand out most from the rest, or all where none do.

    Their logits are higher and they sound different: the likelihood ratio of one segment with means of its own, as in
    circular binary segmentation (Olshen et al. 2004), over logits of this variance and over bands. Sound alone accuses
    nobody: the segment lies mostly in the suspicious run, or the run in it.
    """
    best, place, total = STANDS_OUT, (0, len(logits)), len(logits)
    sums = np.concatenate([[0.0], np.cumsum(logits - logits.mean())])
    heard = np.concatenate([np.zeros((1, sounds.shape[1])), np.cumsum(sounds - sounds.mean(axis=0), axis=0)])
    for count in range(1, total):
        firsts = np.arange(total - count + 1)
        raised: npt.NDArray[np.float64] = sums[count:] - sums[:-count]
        changed = np.square(heard[count:] - heard[:-count]).mean(axis=1)
        shared = np.minimum(firsts + count, run.first + run.count) - np.maximum(firsts, run.first)
        ratio = np.square(raised) / variance + INDEPENDENT * changed / DEVIATION**2
        ratio *= total / (count * (total - count))
        ratio[(raised <= 0) | (2 * shared < min(count, run.count))] = 0.0
        first = int(ratio.argmax())
        if ratio[first] > best:
            best, place = ratio[first], (first, count)
    return place
