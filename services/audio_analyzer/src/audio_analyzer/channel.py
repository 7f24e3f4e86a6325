"""One channel of one file on its way through speech detection, windows and model."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Iterable, Sequence

from sg_common.analysis import Job

from audio_analyzer.model import SAMPLE_RATE, VoiceModel
from audio_analyzer.quality import BandMeter, CrestMeter, Quality
from audio_analyzer.scoring import ScoredWindow, WindowScorer
from audio_analyzer.settings import AudioSettings
from audio_analyzer.speech import Piece, Samples, SpeechStream, VoiceActivity
from audio_analyzer.windows import LONGEST_PAUSE_SECONDS, Windower

log = logging.getLogger(__name__)

Span = tuple[int, int]
"""Samples of the file, the end excluded."""


class Channel:
    """Takes the channel's samples in order; keeps logits and where there is speech, and no samples that are judged.

    Attributes:
        spans: where there is speech.
    """

    def __init__(self, model: VoiceModel, voice_activity: VoiceActivity, settings: AudioSettings, job: Job) -> None:
        spec = model.input
        self._shared = (model, voice_activity, job)
        self._job = job
        self._speech = SpeechStream(voice_activity)
        self._windower = Windower(spec.window, spec.hop, round(LONGEST_PAUSE_SECONDS * SAMPLE_RATE))
        limit = max(1, round(settings.audio_full_speech_seconds / spec.hop_seconds))
        self._scorer = WindowScorer(model, settings.audio_batch_size, limit)
        self._crest = CrestMeter()
        self._band = BandMeter(SAMPLE_RATE)
        self.spans: list[Span] = []

    @property
    def samples(self) -> int:
        """Samples so far."""
        return self._speech.total

    def apart(self) -> tuple[Channel, Channel]:
        """This channel twice, to go on with different samples; the two share the work that one may cost."""
        self._scorer.limit = max(1, self._scorer.limit // 2)
        return self, copy.deepcopy(self, {id(shared): shared for shared in self._shared})

    def feed(self, block: Samples) -> None:
        """Take more samples (T,).

        Raises:
            Cancelled, DeadlineExceeded: from the job.
        """
        self._take(self._speech.feed(block))

    def finish(self) -> list[ScoredWindow]:
        """Every judged window with a finite logit, in order (raises as `feed`)."""
        self._take(self._speech.finish())
        for window in self._windower.finish():
            self._scorer.add(window)
        self._job.check()
        scored = self._scorer.finish()
        finite = [window for window in scored if math.isfinite(window.logit)]
        if len(finite) < len(scored):
            log.warning("the model gave no finite score", extra={"windows": len(scored) - len(finite)})
        return finite

    def quality(self, sample_rate: int) -> Quality:
        """What is known of it; `sample_rate` as the file states it."""
        return Quality(
            audio_seconds=self._speech.total / SAMPLE_RATE,
            speech_seconds=self._speech.speech / SAMPLE_RATE,
            peak=self._speech.peak,
            crest_db=self._crest.crest_db(),
            sample_rate=sample_rate,
            band_db=self._band.band_db(),
        )

    def _take(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            self._job.check()
            self._note(piece)
            self._crest.add(piece.samples)
            self._band.add(piece.samples)
            for window in self._windower.feed(piece):
                if self._scorer.add(window):
                    self._job.check()

    def _note(self, piece: Piece) -> None:
        if self.spans and self.spans[-1][1] == piece.start:
            self.spans[-1] = (self.spans[-1][0], piece.end)
        else:
            self.spans.append((piece.start, piece.end))


def union_seconds(channels: Sequence[Sequence[Span]]) -> float:
    """Seconds in which there is speech on any of the channels."""
    total = reached = 0
    for start, end in sorted(span for spans in channels for span in spans):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total / SAMPLE_RATE
