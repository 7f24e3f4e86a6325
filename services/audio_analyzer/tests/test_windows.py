"""Windows hold speech only, cover it, and know where in the file they come from."""

from __future__ import annotations

import numpy as np
from audio_analyzer.speech import Piece
from audio_analyzer.windows import Window, Windower
from hypothesis import given
from hypothesis import strategies as st

WINDOW, HOP, PAUSE = 200, 100, 1000


def piece(start: int, length: int) -> Piece:
    """Samples that are their own index in the file."""
    return Piece(start, np.arange(start, start + length, dtype=np.float32))


def cut(*pieces: Piece) -> list[Window]:
    windower = Windower(WINDOW, HOP, PAUSE)
    windows = [window for part in pieces for window in windower.feed(part)]
    return windows + list(windower.finish())


def bounds(windows: list[Window]) -> list[tuple[int, int]]:
    return [(window.start, window.end) for window in windows]


def test_windows_overlap_and_the_last_ends_with_the_speech() -> None:
    windows = cut(piece(50, 470))
    assert bounds(windows) == [(50, 250), (150, 350), (250, 450), (320, 520)]
    for window in windows:
        assert np.array_equal(window.samples, np.arange(window.start, window.end))


def test_a_small_rest_is_covered_by_no_window_of_its_own() -> None:
    assert bounds(cut(piece(0, 220))) == [(0, 200)]


def test_short_speech_is_repeated_to_a_window() -> None:
    (window,) = cut(piece(10, 150))
    assert (window.start, window.end) == (10, 160)
    assert np.array_equal(window.samples, np.resize(np.arange(10, 160), WINDOW))


def test_very_short_speech_is_judged_only_when_it_is_all_there_is() -> None:
    assert bounds(cut(piece(10, 60))) == [(10, 70)]
    assert bounds(cut(piece(0, 200), piece(5000, 60))) == [(0, 200)]


def test_a_pause_is_joined_within_a_window() -> None:
    windows = cut(piece(0, 120), piece(500, 120))
    assert bounds(windows) == [(0, 580), (40, 620)]
    assert np.array_equal(windows[0].samples, np.concatenate([np.arange(120), np.arange(500, 580)]))


def test_a_long_pause_starts_a_new_stretch() -> None:
    assert bounds(cut(piece(0, 250), piece(5000, 200))) == [(0, 200), (50, 250), (5000, 5200)]


def test_scattered_words_are_gathered_however_far_apart() -> None:
    assert bounds(cut(*(piece(5000 * number, 60) for number in range(4)))) == [(0, 5060), (10000, 15060)]


def test_pieces_of_one_region_are_one_region() -> None:
    whole = cut(piece(0, 777), piece(900, 333))
    parts = cut(*(piece(start, 37) for start in range(0, 777, 37)), piece(900, 100), piece(1000, 233))
    assert bounds(whole) == bounds(parts)
    for one, other in zip(whole, parts, strict=True):
        assert np.array_equal(one.samples, other.samples)


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 900)), min_size=1, max_size=30))
def test_any_speech_is_covered_but_for_small_rests(gaps_and_lengths: list[tuple[int, int]]) -> None:
    pieces, position = [], 0
    for gap, length in gaps_and_lengths:
        pieces.append(piece(position + gap, length))
        position += gap + length
    windows = cut(*pieces)
    assert windows
    assert all(window.samples.shape == (WINDOW,) for window in windows)
    assert bounds(windows) == sorted(bounds(windows))
    speech = np.concatenate([part.samples for part in pieces])
    judged = np.unique(np.concatenate([window.samples for window in windows]))
    assert np.isin(judged, speech).all()
    stretches = 1 + sum(gap > PAUSE for gap, _ in gaps_and_lengths[1:])
    assert len(speech) - len(judged) <= stretches * HOP // 4 + WINDOW // 2
    for window in windows:
        assert window.start == window.samples[0]


def test_windows_need_samples() -> None:
    assert cut() == []
