"""The windows of one channel scored."""

from __future__ import annotations

from dataclasses import dataclass, field

from audio_analyzer.model import VoiceModel
from audio_analyzer.sound import Sound, sound_of
from audio_analyzer.windows import Window


@dataclass(frozen=True)
class ScoredWindow:
    """A judged window. `number`: its place among the windows of the channel; `start`, `end`: samples of the file."""

    number: int
    start: int
    end: int
    logit: float
    sound: Sound = field(compare=False, repr=False)


class WindowScorer:
    """Scores the windows of one channel in batches and keeps only their logits and how they sound.

    Work and memory are bounded: when more than `limit` windows were judged, every second one is dropped, and from
    there on only every second window is judged (then every fourth, and so on). So the judged windows are always
    evenly spread over the speech, whatever its length, which need not be known beforehand.
    """

    def __init__(self, model: VoiceModel, batch_size: int, limit: int) -> None:
        self._model = model
        self._batch_size = batch_size
        self.limit = limit
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
        logits = self._model.logits([window.samples for _, window in self._waiting])
        self._scored += [
            ScoredWindow(number, window.start, window.end, float(logit), sound_of(window.samples))
            for (number, window), logit in zip(self._waiting, logits, strict=True)
        ]
        self._waiting = []
        while len(self._scored) > self.limit:
            self._stride *= 2
            self._scored = [window for window in self._scored if window.number % self._stride == 0]
