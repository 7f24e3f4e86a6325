"""Speech is found, and found alike however the stream is cut and however loud it is."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from audio_analyzer.speech import Piece, Samples, SpeechGate, SpeechStream, VoiceActivity
from sg_common.bundle.spec import SpeechRules

from testbed.speech import RATE, music, noise, silence, speech

FRAME = 512
RULES = SpeechRules(
    threshold=0.5, negative_threshold=0.35, min_speech_seconds=0.25, min_silence_seconds=0.3, padding_seconds=0.1
)
PADDING = 1600


def find(voice_activity: VoiceActivity, samples: Samples, block: int = 10 * RATE) -> tuple[list[Piece], SpeechStream]:
    stream = SpeechStream(voice_activity)
    pieces = []
    for start in range(0, len(samples), block):
        pieces += list(stream.feed(samples[start : start + block]))
    return pieces + list(stream.finish()), stream


def regions(pieces: list[Piece]) -> list[tuple[float, float]]:
    """Joined pieces, in seconds."""
    joined: list[tuple[int, int]] = []
    for piece in pieces:
        if joined and joined[-1][1] == piece.start:
            joined[-1] = (joined[-1][0], piece.end)
        else:
            joined.append((piece.start, piece.end))
    return [(start / RATE, end / RATE) for start, end in joined]


def spans(probabilities: list[float]) -> list[tuple[int, int]]:
    gate = SpeechGate(RULES, FRAME, RATE)
    found = [gate.push(probability) for probability in probabilities]
    found.append(gate.finish(len(probabilities) * FRAME))
    joined: list[tuple[int, int]] = []
    for span in found:
        if span is None:
            continue
        assert span[0] < span[1]
        assert not joined or span[0] >= joined[-1][1]
        if joined and joined[-1][1] == span[0]:
            joined[-1] = (joined[-1][0], span[1])
        else:
            joined.append(span)
    return joined


def test_gate_pads_speech_on_both_sides() -> None:
    assert spans([0.0] * 20 + [0.9] * 20 + [0.0] * 20) == [(20 * FRAME - PADDING, 40 * FRAME + PADDING)]


def test_gate_keeps_a_short_pause_and_cuts_a_long_one() -> None:
    assert len(spans([0.9] * 20 + [0.0] * 8 + [0.9] * 20)) == 1
    assert len(spans([0.9] * 20 + [0.0] * 20 + [0.9] * 20)) == 2


def test_gate_ignores_blips() -> None:
    assert spans([0.0] * 20 + [0.9] * 7 + [0.0] * 20) == []


def test_gate_has_hysteresis() -> None:
    assert spans([0.0] * 20 + [0.4] * 40) == [], "0.4 does not begin speech"
    assert spans([0.9] * 10 + [0.4] * 60) == [(0, 70 * FRAME)], "0.4 does not end it"


def test_gate_stays_within_the_stream() -> None:
    assert spans([0.9] * 20 + [0.0] * 2) == [(0, 22 * FRAME)]


def test_gate_holds_little_back_however_the_probabilities_waver() -> None:
    gate = SpeechGate(RULES, FRAME, RATE)
    wavering = itertools.cycle([0.9] * 3 + [0.2] + [0.45] * 30)
    for number, probability in zip(range(5000), wavering, strict=False):
        gate.push(probability)
        assert (number + 1) * FRAME - gate.keep_from < RATE


def test_speech_is_found_between_silences(voice_activity: VoiceActivity) -> None:
    pieces, stream = find(voice_activity, np.concatenate([silence(3), speech(4), silence(5)]))
    (start, end) = (regions(pieces)[0][0], regions(pieces)[-1][1])
    assert start == pytest.approx(3, abs=0.3)
    assert end == pytest.approx(7, abs=0.4)
    assert stream.speech / RATE == pytest.approx(4, abs=0.6)
    assert stream.total == 12 * RATE


def test_speech_is_found_in_noise_and_beside_music(voice_activity: VoiceActivity) -> None:
    noisy = noise(15, 0.01)
    noisy[5 * RATE : 9 * RATE] += speech(4)
    for samples in (noisy, np.concatenate([music(5), speech(4), music(6)])):
        pieces, stream = find(voice_activity, samples)
        assert stream.speech / RATE == pytest.approx(4, abs=0.8)
        assert all(start > 4.5 and end < 9.8 for start, end in regions(pieces))


@pytest.mark.parametrize("samples", [silence(20), noise(20, 0.05), noise(20, 1e-4), music(30)])
def test_no_speech_is_found_where_there_is_none(voice_activity: VoiceActivity, samples: Samples) -> None:
    pieces, stream = find(voice_activity, samples)
    assert (pieces, stream.speech) == ([], 0)


@pytest.mark.parametrize("decibel", [-50, -30, -10, 20])
def test_level_does_not_matter(voice_activity: VoiceActivity, decibel: int) -> None:
    samples = np.concatenate([noise(2, 1e-3), speech(6), noise(3, 1e-3)])
    ((start, end),) = regions(find(voice_activity, samples)[0])
    louder = (samples * 10 ** (decibel / 20)).astype(np.float32)
    assert regions(find(voice_activity, louder)[0]) == [pytest.approx((start, end), abs=0.05)]


@pytest.mark.parametrize("block", [160, 777, 65_536, 10_000_000])
def test_the_cut_into_blocks_does_not_matter(voice_activity: VoiceActivity, block: int) -> None:
    samples = np.concatenate([noise(13), speech(24), silence(11), speech(7), noise(1)])
    expected, _ = find(voice_activity, samples)
    pieces, _ = find(voice_activity, samples, block)
    assert [(piece.start, piece.end) for piece in pieces] == [(piece.start, piece.end) for piece in expected]
    for piece in pieces:
        assert np.array_equal(piece.samples, samples[piece.start : piece.end])


def test_numbers_that_are_no_sound_do_no_harm(voice_activity: VoiceActivity) -> None:
    samples = np.concatenate([speech(5), silence(1)])
    samples[100:200] = np.nan
    samples[300] = np.inf
    samples[400] = -3e38
    pieces, stream = find(voice_activity, samples)
    assert stream.total == len(samples)
    assert all(np.isfinite(piece.samples).all() for piece in pieces)


def test_an_empty_stream_has_no_speech(voice_activity: VoiceActivity) -> None:
    pieces, stream = find(voice_activity, silence(0))
    assert (pieces, stream.total, stream.peak) == ([], 0, 0.0)


def test_memory_does_not_grow_with_the_stream(voice_activity: VoiceActivity) -> None:
    block = np.concatenate([speech(8), noise(2)])
    stream = SpeechStream(voice_activity)

    def minutes(count: int) -> int:
        tracemalloc.reset_peak()
        for _ in range(6 * count):
            for _piece in stream.feed(block):
                pass
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        first, second = minutes(2), minutes(8)
    finally:
        tracemalloc.stop()
    assert second < 1.2 * first
