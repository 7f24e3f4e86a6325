"""Speech and other sounds made at test time, at 16 kHz mono.

eSpeak NG comes as a shared library inside the package `espeakng-loader`; it is called directly, since all that is
needed is one voice's samples.
"""

from __future__ import annotations

import ctypes
import threading
from functools import cache

import espeakng_loader
import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter, resample_poly

Samples = npt.NDArray[np.float32]

RATE = 16000
SENTENCES = (
    "Good morning, this is your grandson speaking, and I am calling from the station.",
    "I lost my wallet on the train this afternoon, and I really need your help today.",
    "Could you please send some money to a friend of mine, who is waiting at the bank?",
    "Please do not tell my parents about it, because they would only worry too much.",
)

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS of espeak-ng's speak_lib.h
_UTF8 = 1
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
_lock = threading.Lock()


@cache
def _library() -> tuple[ctypes.CDLL, int]:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
    if rate <= 0:
        raise RuntimeError("espeak-ng cannot read its data")
    return library, rate


@cache
def _spoken(text: str, voice: str) -> Samples:
    parts: list[npt.NDArray[np.int16]] = []

    def collect(samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int) -> int:
        if samples and count > 0:
            parts.append(np.ctypeslib.as_array(samples, (count,)).astype(np.int16))
        return 0

    library, rate = _library()
    with _lock:
        callback = _Callback(collect)
        library.espeak_SetSynthCallback(callback)
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {voice}")
        encoded = text.encode() + b"\0"
        library.espeak_Synth(encoded, len(encoded), 0, 0, 0, _UTF8, None, None)
    samples = np.concatenate(parts).astype(np.float32) / 32768
    divisor = int(np.gcd(rate, RATE))
    return np.asarray(resample_poly(samples, RATE // divisor, rate // divisor), dtype=np.float32)


def speak(text: str, voice: str = "en-us") -> Samples:
    """A sentence spoken by espeak-ng, (T,), peak below 1; `voice` is one of its voices."""
    return _spoken(text, voice).copy()


def speech(seconds: float, voice: str = "en-us") -> Samples:
    """Exactly `seconds` of continuous speech (the sentences over and over)."""
    once = np.concatenate([speak(sentence, voice) for sentence in SENTENCES])
    return np.resize(once, round(seconds * RATE))


def silence(seconds: float) -> Samples:
    """Digital silence."""
    return np.zeros(round(seconds * RATE), dtype=np.float32)


def noise(seconds: float, level: float = 0.01, seed: int = 1) -> Samples:
    """White noise with a root mean square of `level`."""
    return (level * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


def music(seconds: float, level: float = 0.2) -> Samples:
    """Plucked chords: decaying harmonics on four chords, two strokes a second, with a bass note under each."""
    time = np.arange(RATE // 2) / RATE
    chords = ((220.0, 277.2, 329.6), (146.8, 185.0, 220.0), (164.8, 207.7, 246.9), (220.0, 277.2, 329.6))
    strokes = []
    for chord in chords:
        notes = (chord[0] / 2, *chord)
        tone = sum(
            np.sin(2 * np.pi * note * k * time) * np.exp(-time * (3 + k)) / k for note in notes for k in range(1, 8)
        )
        strokes += [tone, 0.7 * tone]
    bar = np.concatenate(strokes)
    return np.resize((level * bar / np.abs(bar).max()).astype(np.float32), round(seconds * RATE))


def creatures(seconds: float) -> Samples:
    """The mumbling of a cartoon's animals: a sawtooth of changing pitch through changing resonances, a root mean square
    of 1. Voice activity detection takes it for speech when it is loud."""
    random = np.random.default_rng(1)
    rate, count = 6, int(seconds * 6) + 2
    moments = np.arange(round(seconds * RATE)) / RATE
    knots = np.arange(count) / rate
    pitch = np.interp(moments, knots, random.uniform(100, 250, count))
    source = 2 * (np.cumsum(pitch) / RATE % 1) - 1 + 0.2 * random.normal(size=moments.size)
    sound = np.zeros_like(source)
    for lowest, highest in ((300, 900), (900, 2300)):
        resonances, state = random.uniform(lowest, highest, count), np.zeros(2)
        for place, start in enumerate(range(0, source.size, RATE // rate)):
            part = slice(start, start + RATE // rate)
            poles = [1, -2 * 0.985 * np.cos(2 * np.pi * resonances[place % count] / RATE), 0.985**2]
            filtered, state = lfilter([0.015], poles, source[part], zi=state)
            sound[part] += filtered
    sound *= np.clip(np.interp(moments, knots, random.uniform(-0.3, 1, count)), 0, 1)
    return np.asarray(sound / np.sqrt(np.mean(sound**2)), np.float32)
