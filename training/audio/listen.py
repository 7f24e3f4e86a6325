"""What the service hears in a recording: the windows that it cuts, and every fold's logit of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from audio_analyzer.sound import BANDS, Sounds, sound_of
from audio_analyzer.speech import SpeechStream, VoiceActivity
from audio_analyzer.windows import LONGEST_PAUSE_SECONDS, Windower
from numpy.typing import NDArray
from sg_common.runtime import Runtime

from training.audio.waveforms import HOP_SECONDS, SAMPLE_RATE, WINDOW, Waveform
from training.common.bundle import session
from training.common.content import digest, kept, key_of

BATCH = 8


@dataclass(frozen=True)
class Heard:
    """One channel of a recording.

    Attributes:
        times: each window's start and end, seconds, (N, 2).
        fold_logits: of each window by the members that never saw a fold, (N, folds).
        sounds: how each window sounds, (N, BANDS).
        speech: seconds of speech.
    """

    times: NDArray[np.float32]
    fold_logits: NDArray[np.float32]
    sounds: Sounds
    speech: float


class Listener:
    """A detector's graph behind the service's own speech detection and windows.

    Attributes:
        key: a name that changes with the files of both models.
    """

    def __init__(self, model: Path, voice_activity: Path) -> None:
        self._graph = session(model)
        self._voice_activity = VoiceActivity.load(voice_activity, Runtime(threads=1))
        self.key = key_of(digest(model), digest(voice_activity / "model.json"), BANDS)
        self._heard: dict[str, Heard] = {}

    def hear(self, samples: Waveform) -> Heard:
        """The windows of one channel (T,) at 16 kHz; what was heard is not judged again."""
        name = key_of(samples.tobytes())
        if name not in self._heard:
            self._heard[name] = self._hear(samples)
        return self._heard[name]

    def _hear(self, samples: Waveform) -> Heard:
        stream = SpeechStream(self._voice_activity)
        windower = Windower(WINDOW, round(HOP_SECONDS * SAMPLE_RATE), round(LONGEST_PAUSE_SECONDS * SAMPLE_RATE))
        pieces = [*stream.feed(samples), *stream.finish()]
        windows = [window for piece in pieces for window in windower.feed(piece)] + [*windower.finish()]
        times = [(w.start / SAMPLE_RATE, w.end / SAMPLE_RATE) for w in windows]
        logits = [
            self._graph.run(["fold_logits"], {"waveform": np.stack([w.samples for w in windows[i : i + BATCH]])})[0]
            for i in range(0, len(windows), BATCH)
        ]
        return Heard(
            np.asarray(times, np.float32).reshape(-1, 2),
            np.concatenate(logits) if logits else np.zeros((0, 1), np.float32),
            np.asarray([sound_of(w.samples) for w in windows], np.float32).reshape(-1, BANDS),
            stream.speech / SAMPLE_RATE,
        )


def pack(channels: Sequence[Heard]) -> NDArray[np.float32]:
    """Channels as one array: a row a channel (its number, speech, windows), and a row a window (its channel's number,
    start, end, sound, logits)."""
    folds = max((one.fold_logits.shape[1] for one in channels), default=0)
    rows = []
    for number, one in enumerate(channels):
        rows.append([number, one.speech, len(one.times), *[0.0] * (BANDS + folds)])
        for (start, end), sound, logits in zip(one.times, one.sounds, one.fold_logits, strict=True):
            rows.append([number, start, end, *sound, *logits])
    return np.asarray(rows, np.float32).reshape(len(rows), -1)


def unpack(rows: NDArray[np.float32]) -> list[Heard]:
    """The channels that were packed."""
    made, place = [], 0
    while place < len(rows):
        count = int(rows[place, 2])
        windows = rows[place + 1 : place + 1 + count]
        made.append(Heard(windows[:, 1:3], windows[:, 3 + BANDS :], windows[:, 3 : 3 + BANDS], float(rows[place, 1])))
        place += 1 + count
    return made


def heard(
    listener: Listener, key: Sequence[object], folder: Path, channels: Callable[[], Iterable[Waveform]]
) -> list[Heard]:
    """What the listener hears in channels, or what an earlier run kept in `folder` under the key."""

    def run() -> NDArray[np.float32]:
        return pack([listener.hear(samples) for samples in channels()])

    rows = kept(folder / f"{key_of(listener.key, *key)}.npy", run)
    return unpack(rows)
