"""Recordings of every length, with and without a synthetic voice, by the members that never saw their fold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.audio.conditions import CLEAN, TELEPHONE, treat
from training.audio.listen import Heard, Listener, heard
from training.audio.pool import CLIP_SECONDS, random_for
from training.audio.recordings import (
    How,
    Recording,
    assemblies,
    channels_of,
    drawn,
    of_clips,
    voice_of,
)
from training.audio.waveforms import SAMPLE_RATE, Waveform, read
from training.common.content import files_key
from training.common.manifest import Sample
from training.common.scores import Scores

CONDITIONS = (CLEAN, TELEPHONE)
INSERTS = (3.0, 6.0, 12.0)
"""Seconds of the synthetic voice."""
CASES: tuple[tuple[float, How], ...] = (
    *((seconds, "in turns") for seconds in INSERTS),
    *((seconds, "other channel") for seconds in INSERTS),
    (12.0, "overlapping"),
)
"""For how long it speaks, and how."""
LENGTHS: Mapping[float, int] = {5: 1, 20: 1, 60: 4}
"""Minutes of speech, and which windows of it a service judges: every one, or every fourth of an hour."""
CLIP_SPEECH = 2.0
"""Seconds of speech from which on a clip stands for any part of its voice."""
CROPS = (1.0, 2.2)
"""Seconds that clips are cut to, so that there is short speech of every source."""


@dataclass(frozen=True)
class Material:
    """What was heard under one condition.

    Attributes:
        clips: as they are, and again cut short.
        speech, whole: of each clip its seconds of speech, and whether it is as it was, (N,).
        genuine: recordings as found and of one source's clips, by their length in minutes; 0 for those as they are.
        calls: recordings with a synthetic voice, by its seconds and by how it was put in.
    """

    clips: Scores
    speech: NDArray[np.float64]
    whole: NDArray[np.bool_]
    genuine: Mapping[float, Sequence[Recording]]
    calls: Mapping[tuple[float, How], Sequence[Recording]]


@dataclass(frozen=True)
class Hearing:
    """Hears corpora through the service's chain; what was heard before is read from `folder`."""

    clips: Sequence[Sample]
    recordings: Sequence[Sample]
    listener: Listener
    seed: int
    folder: Path

    def under(self, condition: str) -> Material:
        """Everything under a condition."""
        whole, crops = self._clips(condition, cut=False), self._clips(condition, cut=True)
        as_found = [*self._genuine(condition), *of_clips(self.clips, whole, CLIP_SPEECH)]
        return Material(
            *_scores(self.clips, whole, crops),
            genuine={0: as_found, **{m: self._drawn(as_found, m, s) for m, s in LENGTHS.items()}},
            calls={case: self._calls(*case, condition) for case in CASES},
        )

    def _clips(self, condition: str, *, cut: bool) -> list[Heard]:
        def channels() -> Iterator[Waveform]:
            for sample in self.clips:
                name = sample.fields["path"]
                x = read(sample.path, CLIP_SECONDS)
                yield treat(_cut(x, random_for(self.seed, "short", name)) if cut else x, condition, self.seed, name)

        return heard(self.listener, (files_key(self.clips), condition, self.seed, cut), self.folder, channels)

    def _genuine(self, condition: str) -> list[Recording]:
        decoded = [(sample, channels_of(sample)) for sample in self.recordings if not sample.label]

        def channels() -> Iterator[Waveform]:
            for sample, waveforms in decoded:
                for waveform in waveforms:
                    yield treat(waveform, condition, self.seed, sample.fields["path"])

        key = (files_key(self.recordings), condition, self.seed, "genuine")
        found = iter(heard(self.listener, key, self.folder, channels))
        made = []
        for sample, waveforms in decoded:
            voices = [voice_of(next(found), sample.fold) for _ in waveforms]
            if spoken := tuple(voice for voice in voices if len(voice.logits)):
                made.append(Recording(sample.source, sample.fold, spoken))
        return made

    def _drawn(self, recordings: Sequence[Recording], minutes: float, stride: int) -> list[Recording]:
        return [drawn(r, minutes, stride, random_for(self.seed, "drawn", minutes, r.source)) for r in recordings]

    def _calls(self, seconds: float, how: How, condition: str) -> list[Recording]:
        calls = list(assemblies(self.recordings, seconds, how, self.seed))

        def channels() -> Iterator[Waveform]:
            for call in calls:
                for waveform in call.channels:
                    yield treat(waveform, condition, self.seed, call.made.fields["path"])

        key = (files_key(self.recordings), condition, self.seed, seconds, how)
        found = iter(heard(self.listener, key, self.folder, channels))
        return [
            Recording(
                call.made.source,
                call.made.fold,
                tuple(voice_of(next(found), call.made.fold) for _ in call.channels),
                call.place,
            )
            for call in calls
        ]


def _cut(x: Waveform, rng: np.random.Generator) -> Waveform:
    length = int(rng.uniform(*CROPS) * SAMPLE_RATE)
    if len(x) <= length:
        return x
    start = int(rng.integers(len(x) - length))
    return x[start : start + length]


def _scores(
    samples: Sequence[Sample], whole: Sequence[Heard], crops: Sequence[Heard]
) -> tuple[Scores, NDArray[np.float64], NDArray[np.bool_]]:
    """Clips that hold any window, each by its own fold's members; their seconds of speech; whether they are whole."""
    rows = [
        (sample, one, uncut)
        for found, uncut in ((whole, True), (crops, False))
        for sample, one in zip(samples, found, strict=True)
        if len(one.times)
    ]
    logits = [float(one.fold_logits[:, sample.fold].mean()) for sample, one, _ in rows]
    scores = Scores(tuple(sample for sample, _, _ in rows), np.asarray(logits))
    return scores, np.asarray([one.speech for _, one, _ in rows]), np.asarray([uncut for _, _, uncut in rows])
