"""Where somebody speaks: voice activity over a stream of samples, in memory that does not grow with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sg_common.bundle.load import Bundle, load_bundle
from sg_common.bundle.spec import SpeechRules, VoiceActivitySpec
from sg_common.runtime import Runtime

Samples = npt.NDArray[np.float32]

CHUNK_FRAMES = 512
"""Frames that go through the graph at a time: 16.4 s of 32 ms frames."""
LEVEL = 0.2
"""Root mean square that the loudest frame is brought to before the graph sees it: a voice at an ordinary level."""
MAX_GAIN = 100.0
"""Most amplification (40 dB), so that a noise floor is not raised to a voice's level."""
DOUBTED_GAIN = 4.0
"""Amplification (12 dB) from which speech must be heard without any, too: amplified ambience can pass for it."""
HEARD_SHARE = 0.25
"""Share of a chunk's amplified speech that must be heard so."""
HOLD = 0.5
"""How much of a chunk's level the next chunk inherits, so that a silent chunk after speech is not amplified at once."""
LOUDEST_SAMPLE = 1e4
"""Floating-point files may hold any number; beyond 80 dB over full scale it is noise to everybody."""


@dataclass(frozen=True)
class Piece:
    """Consecutive samples of speech. `start`: index of the first in the file."""

    start: int
    samples: Samples

    @property
    def end(self) -> int:
        return self.start + len(self.samples)


class SpeechGate:
    """Turns speech probabilities into spans of samples, as they come.

    The hysteresis is that of Silero VAD's published `get_speech_timestamps`: speech begins with a frame at or above
    `threshold` and ends at the first frame below `negative_threshold` when no frame reaches `threshold` within
    `min_silence_seconds`; speech of `min_speech_seconds` or less is ignored; `padding_seconds` are added on either
    side. Spans come out in order and never overlap; a long span comes in parts.
    """

    def __init__(self, rules: SpeechRules, frame: int, sample_rate: int) -> None:
        self._rules = rules
        self._frame = frame
        self._min_speech = round(rules.min_speech_seconds * sample_rate)
        self._min_silence = round(rules.min_silence_seconds * sample_rate)
        self._padding = round(rules.padding_seconds * sample_rate)
        self._position = 0
        self._emitted = 0
        self._start: int | None = None
        self._silence: int | None = None

    @property
    def keep_from(self) -> int:
        """The earliest sample that a later span may still hold."""
        begin = self._position if self._start is None else self._start
        return max(self._emitted, begin - self._padding)

    def push(self, probability: float) -> tuple[int, int] | None:
        """Take the next frame's probability; returns the span (first sample, one past the last) it settles, if any."""
        at = self._position
        self._position += self._frame
        if self._start is None:
            if probability < self._rules.threshold:
                return None
            self._start = at
        elif probability >= self._rules.threshold:
            self._silence = None
        elif self._silence is None and probability < self._rules.negative_threshold:
            self._silence = at
        if self._silence is None:
            settled = self._position - self._start > self._min_speech
            return self._emit(self._start, self._position) if settled else None
        if at - self._silence < self._min_silence:
            return None
        return self._close(self._silence)

    def finish(self, total: int) -> tuple[int, int] | None:
        """The last span of a stream of `total` samples, if one is open."""
        if self._start is None:
            return None
        span = self._close(total if self._silence is None else self._silence)
        return None if span is None or span[0] >= total else (span[0], min(span[1], total))

    def _close(self, end: int) -> tuple[int, int] | None:
        start, self._start, self._silence = self._start, None, None
        if start is None or end - start <= self._min_speech:
            return None
        return self._emit(start, end + self._padding)

    def _emit(self, start: int, end: int) -> tuple[int, int] | None:
        begin = max(self._emitted, start - self._padding)
        if begin >= end:
            return None
        self._emitted = end
        return begin, end


class VoiceActivity:
    """The voice-activity bundle. Shared by all analyses; `SpeechStream` holds the state of one."""

    def __init__(self, bundle: Bundle[VoiceActivitySpec]) -> None:
        self.input = bundle.spec.input
        self.rules = bundle.spec.calibration
        self._bundle = bundle

    @classmethod
    def load(cls, directory: Path, runtime: Runtime) -> VoiceActivity:
        """Load a bundle.

        Raises:
            BundleError: it must not be served.
        """
        # One frame depends on the one before: more threads would only wait for each other.
        return cls(load_bundle(directory, VoiceActivitySpec, dataclasses.replace(runtime, threads=1)))

    def initial_state(self) -> list[Samples]:
        return [np.zeros(self.input.state.shape, dtype=np.float32) for _ in self.input.state.inputs]

    def probabilities(self, rows: Samples, state: list[Samples]) -> tuple[Samples, list[Samples]]:
        """Speech probabilities (frames,) of frames with their context (frames, context + frame), and the new state."""
        feeds = {self.input.name: rows, **dict(zip(self.input.state.inputs, state, strict=True))}
        scores, *new_state = self._bundle.run(feeds)
        return scores.reshape(len(rows)), new_state


class SpeechStream:
    """Finds the speech in one stream of samples. Results do not depend on how the stream is cut into blocks.

    Attributes:
        total: samples taken so far.
        speech: samples handed on as speech so far.
        peak: largest magnitude of a sample so far.
    """

    def __init__(self, voice_activity: VoiceActivity) -> None:
        spec = voice_activity.input
        self._model = voice_activity
        self._gate = SpeechGate(voice_activity.rules, spec.frame_samples, spec.sample_rate)
        self._frame = spec.frame_samples
        self._chunk = CHUNK_FRAMES * spec.frame_samples
        self._state = voice_activity.initial_state()
        self._plain_state = self._state
        self._context = np.zeros(spec.context_samples, dtype=np.float32)
        self._level = 0.0
        self._waiting: list[Samples] = []
        self._waiting_samples = 0
        self._kept = np.zeros(0, dtype=np.float32)
        self._kept_from = 0
        self.total = 0
        self.speech = 0
        self.peak = 0.0

    def feed(self, block: Samples) -> Iterator[Piece]:
        """Take a block of samples (T,); yields the speech that is settled by it."""
        self._waiting.append(block)
        self._waiting_samples += len(block)
        if self._waiting_samples < self._chunk:
            return
        samples = np.concatenate(self._waiting)
        whole = len(samples) - len(samples) % self._chunk
        self._waiting, self._waiting_samples = [samples[whole:].copy()], len(samples) - whole
        for offset in range(0, whole, self._chunk):
            yield from self._find(samples[offset : offset + self._chunk])

    def finish(self) -> Iterator[Piece]:
        """The speech at the end of the stream."""
        if self._waiting_samples:
            yield from self._find(np.concatenate(self._waiting))
        self._waiting, self._waiting_samples = [], 0
        span = self._gate.finish(self.total)
        if span is not None:
            yield self._cut(*span)

    def _find(self, chunk: Samples) -> Iterator[Piece]:
        chunk = np.clip(np.nan_to_num(chunk, nan=0.0), -LOUDEST_SAMPLE, LOUDEST_SAMPLE)
        self._kept = np.concatenate([self._kept, chunk])
        self.total += len(chunk)
        self.peak = max(self.peak, float(np.max(np.abs(chunk), initial=0.0)))
        span: tuple[int, int] | None = None
        for probability in self._probabilities(chunk).tolist():
            more = self._gate.push(probability)
            if more is None:
                continue
            if span is not None and span[1] != more[0]:
                yield self._cut(*span)
                span = None
            span = more if span is None else (span[0], more[1])
        if span is not None:
            yield self._cut(span[0], min(span[1], self.total))
        keep_from = min(self._gate.keep_from, self.total)
        self._kept = self._kept[keep_from - self._kept_from :].copy()
        self._kept_from = keep_from

    def _probabilities(self, chunk: Samples) -> Samples:
        frames = -(-len(chunk) // self._frame)
        padded = np.zeros(frames * self._frame, dtype=np.float32)
        padded[: len(chunk)] = chunk
        by_frame = padded.reshape(frames, self._frame)
        loudest = float(np.sqrt(np.max(np.einsum("ij,ij->i", by_frame, by_frame) / self._frame)))
        self._level = max(loudest, HOLD * self._level)
        gain = np.float32(min(MAX_GAIN, LEVEL / max(self._level, 1e-9)))
        signal = np.concatenate([self._context, padded])
        self._context = signal[len(signal) - len(self._context) :]
        width = len(self._context) + self._frame
        rows = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(signal, width)[:: self._frame])
        probabilities, self._state = self._model.probabilities(gain * rows, self._state)
        threshold = self._model.rules.threshold
        found = np.count_nonzero(probabilities >= threshold)
        if gain < DOUBTED_GAIN or not found:
            self._plain_state = self._state
            return probabilities
        plain, self._plain_state = self._model.probabilities(rows, self._plain_state)
        return plain if np.count_nonzero(plain >= threshold) < HEARD_SHARE * found else probabilities

    def _cut(self, start: int, end: int) -> Piece:
        piece = Piece(start, self._kept[start - self._kept_from : end - self._kept_from])
        self.speech += len(piece.samples)
        return piece
