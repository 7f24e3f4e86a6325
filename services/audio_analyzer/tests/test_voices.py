"""Voices judged by their logits: as a whole, by their stretches, and what is shown of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from audio_analyzer.scoring import ScoredWindow
from audio_analyzer.sound import BANDS, Sounds
from audio_analyzer.stretches import DEVIATION, MOST, NAMED, Stretch, find_stretches, span, strength
from audio_analyzer.voices import HeardVoice, judge, segments, suspicious_segments
from sg_common.bundle.calibration import StretchCalibration, VoiceCalibration
from sg_common.verdict import Thresholds

from testbed.audio_bundle import CALIBRATION, WINDOW

STRETCHES = StretchCalibration(temperature=0.8, bias=-0.3, level=-0.6, between=0.5, within=0.2, chances=0.3)
WHOLE = VoiceCalibration.model_validate(CALIBRATION)
BY_STRETCHES = WHOLE.model_copy(update={"stretches": STRETCHES})


def genuine(count: int, seed: int = 1) -> npt.NDArray[np.float64]:
    """Logits of a genuine voice."""
    return np.random.default_rng(seed).normal(-0.8, 0.4, count)


def alike(count: int, seed: int = 2) -> Sounds:
    """Sounds of one voice in one place."""
    return np.random.default_rng(seed).normal(0, DEVIATION, (count, BANDS)).astype(np.float32)


def heard(logits: npt.NDArray[np.float64], number: int = 1, channel: int | None = None) -> HeardVoice:
    sounds = alike(len(logits))
    windows = [
        ScoredWindow(n, n * 16000, n * 16000 + WINDOW, float(logit), sound)
        for n, (logit, sound) in enumerate(zip(logits, sounds, strict=True))
    ]
    return HeardVoice(number, channel, windows, logits, judge(logits, sounds, 30, len(logits), BY_STRETCHES))


def test_a_genuine_voice_has_no_stretch() -> None:
    for count in (2, 30, 300):
        assert not find_stretches(genuine(count), alike(count), count, STRETCHES)


@pytest.mark.parametrize(("first", "count"), [(0, 4), (11, 6), (26, 4)])
def test_a_made_voice_among_genuine_ones_is_found_in_its_place(first: int, count: int) -> None:
    logits = genuine(30)
    logits[first : first + count] += 3
    (stretch,) = find_stretches(logits, alike(30), 30, STRETCHES)
    assert abs(stretch.first - first) + abs(stretch.first + stretch.count - first - count) <= 1
    whole = judge(logits, alike(30), 50, 30, WHOLE).probability
    assert judge(logits, alike(30), 50, 30, BY_STRETCHES).probability == stretch.probability > whole


def test_a_stretch_ends_where_the_sound_changes() -> None:
    logits = genuine(30)
    logits[[12, 13, 15, 16]] += 2.5
    sounds = alike(30)
    (alone,) = find_stretches(logits, sounds, 30, STRETCHES)
    assert (alone.first, alone.count) != (10, 8)
    sounds[10:18] += np.linspace(-10, 10, BANDS, dtype=np.float32)
    (stretch,) = find_stretches(logits, sounds, 30, STRETCHES)
    assert (stretch.first, stretch.count) == (10, 8)
    assert stretch.probability == alone.probability == strength(logits, 30, STRETCHES)


def test_sound_alone_accuses_nobody() -> None:
    logits, sounds = genuine(30), alike(30)
    sounds[2:10] += np.linspace(-6, 6, BANDS, dtype=np.float32)
    assert not find_stretches(logits, sounds, 30, STRETCHES)
    logits[18:24] += 3
    (stretch,) = find_stretches(logits, sounds, 30, STRETCHES)
    assert (stretch.first, stretch.count) == (18, 6)


def test_a_doubtful_run_keeps_its_voice_from_being_cleared() -> None:
    logits = genuine(30)
    logits[11:14] += 1.4
    whole, run = judge(logits, alike(30), 50, 30, WHOLE).probability, strength(logits, 30, STRETCHES)
    for doubtful, probability in ((run, run), (run + 0.001, whole)):
        parts = STRETCHES.model_copy(update={"doubtful": doubtful})
        judgement = judge(logits, alike(30), 50, 30, WHOLE.model_copy(update={"stretches": parts}))
        assert not judgement.stretches
        assert judgement.probability == probability
    assert whole < run < NAMED


@pytest.mark.parametrize(
    ("first", "count", "place"),
    [(1, 2, (1.9, 6.1)), (0, 2, (0, 3.8)), (2, 3, (4, 12)), (3, 1, (6.1, 8)), (0, 5, (0, 12))],
)
def test_a_stretch_ends_half_way_to_the_next_window_and_within_its_own(
    first: int, count: int, place: tuple[float, float]
) -> None:
    times = [(0, 2), (1.8, 3.8), (4, 6.4), (6, 8), (10, 12)]
    found = span(times, Stretch(first, count, 0.9))
    assert found == pytest.approx(place)


def test_neighbouring_stretches_do_not_overlap() -> None:
    times = [(1.8 * i, 1.8 * i + 2.7) for i in range(10)]
    assert span(times, Stretch(2, 4, 0.9))[1] == pytest.approx(span(times, Stretch(6, 2, 0.8))[0])


def test_a_voice_that_is_made_throughout_is_one_stretch() -> None:
    (stretch,) = find_stretches(genuine(30) + 3, alike(30), 30, STRETCHES)
    assert (stretch.first, stretch.count) == (0, 30)


@pytest.mark.parametrize("calibration", [WHOLE, BY_STRETCHES])
def test_a_voice_and_its_only_stretch_have_one_probability(calibration: VoiceCalibration) -> None:
    judgement = judge(genuine(30) + 3, alike(30), 50, 30, calibration)
    assert [(s.first, s.count, s.probability) for s in judgement.stretches] == [(0, 30, judgement.probability)]


def test_more_than_one_stretch_is_named_and_not_too_many() -> None:
    logits = genuine(200)
    for first in range(5, 200, 13):
        logits[first : first + 5] += 4
    found = find_stretches(logits, alike(200), 200, STRETCHES)
    assert 2 < len(found) <= MOST
    assert [s.probability for s in found] == sorted((s.probability for s in found), reverse=True)
    spans = sorted((s.first, s.first + s.count) for s in found)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def test_the_more_places_there_are_the_less_a_stretch_is_worth() -> None:
    found = [STRETCHES.evidence(1.0, 5, of) for of in (5, 50, 500)]
    assert found == sorted(found, reverse=True)
    steps = np.diff(found)
    assert steps[0] == pytest.approx(steps[1]) == pytest.approx(-0.3 * np.log(10))
    assert STRETCHES.evidence(1.0, 1, 1) == pytest.approx(1.0)


def test_the_amount_of_speech_chooses_the_calibration() -> None:
    entries = [{"seconds": s, "temperature": t, "bias": 0.0} for s, t in ((1.0, 2.0), (2.0, 1.0), (8.0, 0.5))]
    calibration = VoiceCalibration.model_validate({**CALIBRATION, "speech": entries})
    found = [judge([1.0], alike(1), seconds, 1, calibration).probability for seconds in (0.9, 1.0, 1.9, 2.0, 7.0, 9.0)]
    assert found[0] == WHOLE.probability(1.0)
    assert found[1] == found[2] < found[3] == found[4] < found[5]
    with pytest.raises(ValueError, match="order of seconds"):
        VoiceCalibration.model_validate({**CALIBRATION, "speech": entries[::-1]})


def test_what_a_policy_calls_has_a_stretch() -> None:
    points = {"high_recall": Thresholds(likely_authentic=0.3, likely_deepfake=0.4)}
    parts = STRETCHES.model_copy(update={"doubtful": 0.3})
    calibration = WHOLE.model_copy(update={"stretches": parts, "operating_points": points})
    logits = genuine(30)
    logits[11:14] += 1.4
    run = strength(logits, 30, STRETCHES)
    assert 0.4 < run < NAMED
    assert not judge(logits, alike(30), 50, 30, calibration).stretches
    (stretch,) = judge(logits, alike(30), 50, 30, calibration, policy="high_recall").stretches
    assert stretch.probability == run
    # As a whole a voice may sound made where no run of it does.
    parts = parts.model_copy(update={"bias": -9.0})
    judgement = judge([0.9, 1.0, 1.1], alike(3), 6, 3, WHOLE.model_copy(update={"stretches": parts}))
    assert [(s.first, s.count, s.probability) for s in judgement.stretches] == [(0, 3, judgement.probability)]


def test_a_short_voice_that_is_suspicious_is_named_whole() -> None:
    judgement = judge([3.0], alike(1), 2.5, 1, BY_STRETCHES)
    assert [(s.first, s.count, s.probability) for s in judgement.stretches] == [(0, 1, judgement.probability)]


def test_segments_are_the_windows_of_all_voices_in_order_of_time() -> None:
    made = segments([heard(np.sin(np.arange(3.0)))], WHOLE, limit=10)
    assert [(segment.start, segment.end) for segment in made] == [(0, 2), (1, 3), (2, 4)]
    assert made[1].deepfake_probability == WHOLE.probability(np.sin(1))
    both = segments([heard(genuine(3), 1, 1), heard(genuine(2), 2, 2)], WHOLE, limit=10)
    assert [segment.start for segment in both] == [0, 0, 1, 1, 2]


def test_many_segments_are_merged_with_their_neighbours() -> None:
    made = segments([heard(genuine(1001)), heard(genuine(7), 2)], WHOLE, limit=100)
    assert 90 < len(made) <= 100
    assert made[0].start == 0
    assert max(segment.end for segment in made) == 1002
    assert [segment.start for segment in made] == sorted(segment.start for segment in made)


def test_no_voice_no_segment() -> None:
    assert segments([], WHOLE, limit=10) == []


def test_suspicious_segments_name_channel_and_voice() -> None:
    made = genuine(20)
    made[5:10] += 4
    found = suspicious_segments([heard(genuine(20), 1, 1), heard(made, 2, 2)])
    assert [(s.voice, s.channel) for s in found] == [(2, 2)]
    assert found[0].start == pytest.approx(5, abs=1)
    assert found[0].end == pytest.approx(11, abs=1)
