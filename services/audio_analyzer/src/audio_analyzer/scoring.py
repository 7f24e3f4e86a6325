"""From the windows' logits to calibrated probabilities and a verdict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sg_common.analysis import Verdict
from sg_common.bundle import Bundle
from sg_common.errors import BundleError

from audio_analyzer.report import Segment
from audio_analyzer.spec import SAMPLE_RATE, Aggregation, Calibration, DetectorInput, Thresholds, read_part
from audio_analyzer.windows import Window

Logits = npt.NDArray[np.float64]

LEAST_PROBABILITY = 1e-6
"""Probabilities of a graph that answers them are clipped to this distance from 0 and 1 before they become logits."""


class Detector:
    """The audio-deepfake bundle. Shared by all analyses.

    Raises:
        BundleError: `model.json` lacks something, or the graph refuses its windows.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.input = read_part(bundle, "input", DetectorInput)
        self.calibration = read_part(bundle, "calibration", Calibration)
        try:
            self.logits([np.zeros(self.input.window, dtype=np.float32)])
        except Exception as error:  # the binding raises many unrelated types
            raise BundleError(
                f"{bundle.directory}: input.window_seconds: the graph refuses {self.input.window} samples: {error}"
            ) from error

    def logits(self, windows: list[npt.NDArray[np.float32]]) -> Logits:
        """One fake logit per window: (N,)."""
        scores = self.bundle.scores(np.stack(windows)).astype(np.float64)
        if self.bundle.spec.output.kind == "probability":
            probability = np.clip(scores, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
            return np.asarray(np.log(probability / (1 - probability)))
        return scores


@dataclass(frozen=True)
class ScoredWindow:
    """A judged window. `number`: its place among the windows of the file; `start`, `end`: samples of the file."""

    number: int
    start: int
    end: int
    logit: float


class WindowScorer:
    """Scores the windows of one file in batches and keeps only their logits.

    Work and memory are bounded: when more than `limit` windows were judged, every second one is dropped, and from
    there on only every second window is judged (then every fourth, and so on). So the judged windows are always
    evenly spread over the speech, whatever its length, which need not be known beforehand.
    """

    def __init__(self, detector: Detector, batch_size: int, limit: int) -> None:
        self._detector = detector
        self._batch_size = batch_size
        self._limit = limit
        self._stride = 1
        self._seen = 0
        self._waiting: list[tuple[int, Window]] = []
        self._scored: list[ScoredWindow] = []

    def add(self, window: Window) -> bool:
        """Take the next window; returns whether a batch was scored."""
        if self._seen % self._stride == 0:
            self._waiting.append((self._seen, window))
        self._seen += 1
        if len(self._waiting) < self._batch_size:
            return False
        self._score()
        return True

    def finish(self) -> list[ScoredWindow]:
        """All judged windows, in order."""
        self._score()
        return self._scored

    def _score(self) -> None:
        if not self._waiting:
            return
        logits = self._detector.logits([window.samples for _, window in self._waiting])
        self._scored += [
            ScoredWindow(number, window.start, window.end, float(logit))
            for (number, window), logit in zip(self._waiting, logits, strict=True)
        ]
        self._waiting = []
        while len(self._scored) > self._limit:
            self._stride *= 2
            self._scored = [window for window in self._scored if window.number % self._stride == 0]


def aggregate(logits: Logits, rule: Aggregation) -> float:
    """The clip's logit from its windows' (N,), N ≥ 1.

    `mean`; `trimmed_mean`: without `fraction` of the windows at each end; `top_mean`: of the highest `fraction`
    (at least one window).
    """
    ordered = np.sort(logits)
    if rule.kind == "trimmed_mean":
        cut = int(len(ordered) * (rule.fraction or 0))
        ordered = ordered[cut : len(ordered) - cut]
    elif rule.kind == "top_mean":
        ordered = ordered[-max(1, round(len(ordered) * (rule.fraction or 1))) :]
    return float(ordered.mean())


def probability(logit: float, calibration: Calibration) -> float:
    """Calibrated probability, 0..1."""
    scaled = np.clip(logit / calibration.temperature + calibration.bias, -50, 50)
    return float(1 / (1 + np.exp(-scaled)))


def verdict(value: float, thresholds: Thresholds) -> Verdict:
    """What a probability means by the bundle's thresholds."""
    if value < thresholds.likely_authentic:
        return Verdict.LIKELY_AUTHENTIC
    return Verdict.LIKELY_DEEPFAKE if value >= thresholds.likely_deepfake else Verdict.UNCERTAIN


def segments(windows: list[ScoredWindow], calibration: Calibration, limit: int) -> list[Segment]:
    """The evidence along the timeline: a segment per window, or per run of neighbours where they are over `limit`."""
    size = -(-len(windows) // limit) or 1
    runs = [windows[first : first + size] for first in range(0, len(windows), size)]
    return [
        Segment(
            start=round(run[0].start / SAMPLE_RATE, 3),
            end=round(run[-1].end / SAMPLE_RATE, 3),
            deepfake_probability=round(probability(float(np.mean([w.logit for w in run])), calibration), 4),
        )
        for run in runs
    ]
