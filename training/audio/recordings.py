"""Recordings of some length: as found, with a synthetic voice put in, and longer ones by drawing windows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import soundfile
from audio_analyzer.sound import Sounds
from numpy.typing import NDArray
from sg_decoder.channels import Channels

from training.audio.listen import Heard
from training.audio.pool import random_for
from training.audio.waveforms import HOP_SECONDS, SAMPLE_RATE, WINDOW_SECONDS, Waveform, resample
from training.common.manifest import Sample

BLOCK = 10 * SAMPLE_RATE
"""Samples that are compared at a time, as the decoder does."""
HOST_SECONDS = 30
LONG_ENOUGH = 9.0
"""Seconds of a synthetic voice that is put in: those of up to 15 s are cut to what is asked for."""
PAUSE_SECONDS = 0.4
"""Silence on either side of a turn."""
BLOCK_WINDOWS = 8
"""Windows that are drawn together, a quarter of a minute: their logits depend on each other (0.2 a window apart)."""
FEWEST, MOST = 8, 33
"""Clips of a source that make a recording of their own, and the most that are used: a minute."""

How = Literal["in turns", "overlapping", "other channel"]
Logits = NDArray[np.float64]


@dataclass(frozen=True)
class Voice:
    """A channel's windows: times (N, 2) in seconds, logits (N,) of members that never saw its fold, and sounds
    (N, BANDS); and its seconds of speech."""

    times: NDArray[np.float64]
    logits: Logits
    sounds: Sounds
    speech: float


@dataclass(frozen=True)
class Recording:
    """`place`: the channel, start and end in seconds of the synthetic voice; None for a genuine recording."""

    source: str
    fold: int
    voices: tuple[Voice, ...]
    place: tuple[int, float, float] | None = None

    @property
    def windows(self) -> int:
        """Windows of all channels."""
        return sum(len(voice.logits) for voice in self.voices)


def channels_of(sample: Sample) -> list[Waveform]:
    """A file's channels (T,) at 16 kHz as the decoder hands them on: one, or two that differ."""
    data, rate = soundfile.read(str(sample.path), dtype="float32", always_2d=True)
    both = np.stack([resample(data[:, min(n, data.shape[1] - 1)], rate, SAMPLE_RATE) for n in range(2)])
    channels = Channels(SAMPLE_RATE)
    blocks = [channels.sort(both[:, start : start + BLOCK]) for start in range(0, both.shape[1], BLOCK)]
    count = max(len(block) for block in blocks)
    return [np.concatenate([block[min(n, len(block) - 1)] for block in blocks]) for n in range(count)]


def voice_of(heard: Heard, fold: int) -> Voice:
    """A channel by the members that never saw a fold."""
    return Voice(
        heard.times.astype(np.float64), heard.fold_logits[:, fold].astype(np.float64), heard.sounds, heard.speech
    )


def of_clips(samples: Sequence[Sample], clips: Sequence[Heard], min_speech: float) -> list[Recording]:
    """The genuine clips of one source one after the other, of `min_speech` seconds of speech each; their speakers may
    differ, or be the same again."""
    sources: dict[tuple[str, int], list[Heard]] = defaultdict(list)
    for sample, heard in zip(samples, clips, strict=True):
        if not sample.label and heard.speech >= min_speech and len(heard.times):
            sources[sample.source, sample.fold].append(heard)
    made = []
    for (source, fold), found in sources.items():
        if len(found) >= FEWEST:
            logits = [float(heard.fold_logits[0, fold]) for heard in found[:MOST]]
            sounds = np.stack([heard.sounds[0] for heard in found[:MOST]])
            made.append(Recording(source, fold, (spaced(np.asarray(logits), sounds),)))
    return made


def spaced(logits: Logits, sounds: Sounds, stride: int = 1) -> Voice:
    """Windows of continuous speech, every `stride`th of it."""
    starts = HOP_SECONDS * stride * np.arange(len(logits))
    times = np.stack([starts, starts + WINDOW_SECONDS], axis=1)
    return Voice(times, logits, sounds, float(HOP_SECONDS * stride * len(logits)))


def drawn(recording: Recording, minutes: float, stride: int, rng: np.random.Generator) -> Recording:
    """A longer genuine recording of `minutes` of speech in all, in blocks of the windows of a shorter one; every
    `stride`th window is judged."""
    count = round(60 * minutes / HOP_SECONDS / stride / len(recording.voices))

    def longer(voice: Voice) -> Voice:
        rows = _blocks(len(voice.logits), count, rng)
        return spaced(voice.logits[rows], voice.sounds[rows], stride)

    return replace(recording, voices=tuple(longer(voice) for voice in recording.voices))


def _blocks(windows: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` of so many windows, neighbours together."""
    size = min(BLOCK_WINDOWS, windows)
    starts = rng.integers(windows - size + 1, size=-(-count // size))
    return np.concatenate([np.arange(s, s + size) for s in starts])[:count]


def with_windows(host: Recording, made: Voice, source: str, stride: int, rng: np.random.Generator) -> Recording:
    """A drawn recording with a synthetic voice's windows at a random place of its first channel."""
    own = host.voices[0]
    place = int(rng.integers(len(own.logits) + 1))
    chosen = slice(int(rng.integers(min(stride, len(made.logits)))), None, stride)
    logits = np.insert(own.logits, place, made.logits[chosen])
    sounds = np.insert(own.sounds, place, made.sounds[chosen], axis=0)
    voice = spaced(logits, sounds, stride)
    step = HOP_SECONDS * stride
    span = (place * step, (place + len(logits) - len(own.logits) - 1) * step + WINDOW_SECONDS)
    return Recording(source, host.fold, (voice, *host.voices[1:]), (0, *span))


@dataclass(frozen=True)
class Assembly:
    """A synthetic voice in a genuine recording of the same fold: channels (T,), and where it is."""

    host: Sample
    made: Sample
    channels: tuple[Waveform, ...]
    place: tuple[int, float, float]


def assemblies(samples: Sequence[Sample], seconds: float, how: How, seed: int) -> Iterator[Assembly]:
    """One for a voice of every generator that speaks long enough, in a genuine recording drawn from its fold."""
    hosts = [s for s in samples if not s.label]
    generators: set[str] = set()
    for made in samples:
        own = [host for host in hosts if host.fold == made.fold]
        if not made.label or made.source in generators or not own or float(made.fields["seconds"]) < LONG_ENOUGH:
            continue
        generators.add(made.source)
        rng = random_for(seed, "call", made.fields["path"])
        host = own[int(rng.integers(len(own)))]
        genuine = channels_of(host)[0][: HOST_SECONDS * SAMPLE_RATE]
        voice = channels_of(made)[0][: round(seconds * SAMPLE_RATE)]
        voice = voice * np.float32(_level(genuine) / max(_level(voice), 1e-6))
        channels, place = _joined(genuine, voice, how, rng)
        yield Assembly(host, made, tuple(channels), place)


def _joined(
    genuine: Waveform, voice: Waveform, how: How, rng: np.random.Generator
) -> tuple[list[Waveform], tuple[int, float, float]]:
    pause = np.zeros(round(PAUSE_SECONDS * SAMPLE_RATE), np.float32)
    if how == "in turns":
        start = int(rng.integers(len(genuine)))
        joined = np.concatenate([genuine[:start], pause, voice, pause, genuine[start:]])
        first = start + len(pause)
        return [joined], (0, first / SAMPLE_RATE, (first + len(voice)) / SAMPLE_RATE)
    longer = np.pad(genuine, (0, max(0, len(voice) - len(genuine))))
    start = int(rng.integers(len(longer) - len(voice) + 1))
    alone = np.pad(voice, (start, len(longer) - len(voice) - start))
    span = (start / SAMPLE_RATE, (start + len(voice)) / SAMPLE_RATE)
    return ([longer + alone], (0, *span)) if how == "overlapping" else ([longer, alone], (1, *span))


def _level(samples: Waveform) -> float:
    """Root mean square of the loud half of frames of 20 ms."""
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    powers = np.sort(np.square(frames).mean(axis=1))
    return float(np.sqrt(powers[len(powers) // 2 :].mean())) if len(powers) else 0.0


HOWS: tuple[How, ...] = get_args(How)
