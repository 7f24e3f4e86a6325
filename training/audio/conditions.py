"""The conditions under which a detector is judged: fixed, seeded, none of them drawn as in training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from training.audio import augment
from training.audio.codecs import BY_NAME, Codec, transcode
from training.audio.pool import CLIP_SECONDS, random_for
from training.audio.waveforms import Waveform, read

Treatment = Callable[[Waveform, np.random.Generator], Waveform]


@dataclass(frozen=True)
class Stream:
    """What a service knows of a lossy codec's stream: FFmpeg's name of the decoder, and that it has no more bits per
    second than these."""

    codec: str
    bit_rate: int


def _codec(codec: Codec) -> Treatment:
    return lambda x, rng: transcode(x, codec)


def _telephone(x: Waveform, rng: np.random.Generator) -> Waveform:
    return transcode(augment.telephone_band(x, rng), BY_NAME["mu-law"])


def _forwarded(x: Waveform, rng: np.random.Generator) -> Waveform:
    """A voice message in Opus that was converted to AAC before it was sent on."""
    del rng
    return transcode(transcode(x, BY_NAME["opus-16k"]), BY_NAME["aac-32k"])


def _speakerphone(x: Waveform, rng: np.random.Generator) -> Waveform:
    """A call by speakerphone: a larger room, noise at 20 dB, telephone band, AMR at 12.2 kbit/s."""
    x = augment.add_noise(augment.reverberate(x, rng, 0.5), rng, 20.0)
    return transcode(augment.telephone_band(x, rng), BY_NAME["amr-nb-12.2k"])


def _call(x: Waveform, rng: np.random.Generator) -> Waveform:
    """A mobile call from a room: reverberation, noise at 15 dB, telephone band, AMR at 7.4 kbit/s."""
    x = augment.add_noise(augment.reverberate(x, rng, 0.3), rng, 15.0)
    return transcode(augment.telephone_band(x, rng), BY_NAME["amr-nb-7.4k"])


CLEAN, TELEPHONE = "clean", "telephone (G.711)"
CONDITIONS: Mapping[str, Treatment] = {
    CLEAN: lambda x, rng: x,
    TELEPHONE: _telephone,
    "AMR 12.2 kbit/s": _codec(BY_NAME["amr-nb-12.2k"]),
    "call: room, noise, AMR 7.4": _call,
    "speakerphone: room, noise, AMR 12.2": _speakerphone,
    "Opus 12 kbit/s": _codec(replace(BY_NAME["opus-16k"], bit_rate=12_000)),
    "Opus 16 kbit/s": _codec(BY_NAME["opus-16k"]),
    "Opus 24 kbit/s": _codec(BY_NAME["opus-24k"]),
    "Opus 32 kbit/s": _codec(BY_NAME["opus-32k"]),
    "Opus 48 kbit/s": _codec(replace(BY_NAME["opus-32k"], bit_rate=48_000)),
    "Opus 16, then AAC 32 kbit/s": _forwarded,
    "MP3 32 kbit/s": _codec(BY_NAME["mp3-32k"]),
    "AAC 16 kbit/s": _codec(BY_NAME["aac-16k"]),
    "AAC 32 kbit/s": _codec(BY_NAME["aac-32k"]),
    "WMA 32 kbit/s (never trained)": _codec(Codec("wma-32k", "wmav2", "asf", 16000, 32000, "fltp")),
    "noise 20 dB": lambda x, rng: augment.add_noise(x, rng, 20.0),
    "noise 10 dB": lambda x, rng: augment.add_noise(x, rng, 10.0),
    "music 20 dB": lambda x, rng: augment.mix(x, augment.music(x.size, rng), 20.0),
    "music 10 dB": lambda x, rng: augment.mix(x, augment.music(x.size, rng), 10.0),
    "clipping": augment.clip,
    "reverberation 0.4 s": lambda x, rng: augment.reverberate(x, rng, 0.4),
    "low-pass 4 kHz": lambda x, rng: augment.low_pass(x, 4000.0),
    "random chain": lambda x, rng: augment.degrade(x, rng, augment.RANDOM),
}
BESIDE: Mapping[str, float] = {"other voices 20 dB": 20.0, "other voices 10 dB": 10.0}
"""Conditions in which others speak as well, and by how many dB less loud."""
# Where clean clips' calibration calls too many genuine clips fake, and the file itself tells.
STREAMS: Mapping[str, Stream] = {
    "Opus 12 kbit/s": Stream("opus", 14_000),
    "Opus 16 kbit/s": Stream("opus", 20_000),
    "Opus 24 kbit/s": Stream("opus", 28_000),
    "Opus 32 kbit/s": Stream("opus", 40_000),
    "Opus 48 kbit/s": Stream("opus", 56_000),
}


def treat(x: Waveform, condition: str, seed: int, name: str, others: Sequence[Path] = ()) -> Waveform:
    """One clip (T,) under a condition; the same clip gets the same treatment every time.

    Args:
        x: the clip.
        condition: one of `CONDITIONS` or `BESIDE`.
        seed: draws the treatment, with the condition and the name.
        name: the clip's.
        others: genuine clips, of which some are heard beside it.
    """
    rng = random_for(seed, "condition", condition, name)
    if condition not in BESIDE:
        return CONDITIONS[condition](x, rng)
    voices = augment.babble(x.size, rng, lambda rng: read(others[int(rng.integers(len(others)))], CLIP_SECONDS))
    return augment.mix(x, voices, BESIDE[condition])
