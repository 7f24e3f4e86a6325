"""What an operating point promises, and what it must not have met."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.common.calibration import threshold_for_false_alarm
from training.common.manifest import Sample
from training.video.clips import Judgement
from training.video.operating import (
    ClipScores,
    called,
    choose,
    judged,
    nested_points,
    size_effect,
    source_weights,
)
from training.video.recompress import AS_FOUND, SHRUNK


def sample(name: str, label: int, fold: int = 0, source: str = "", also: tuple[int, ...] = ()) -> Sample:
    return Sample(Path(name), label, fold, "family", source or name, also_held_out=frozenset(also))


def scores(samples: list[Sample], logits: list[float]) -> ClipScores:
    return ClipScores(tuple(samples), np.array(logits), np.full(len(logits), 100.0), tuple(samples))


def two_classes(shift: float, folds: int = 5, each: int = 40) -> ClipScores:
    """Genuine clips around -1 and fakes around 1, all of their own source, moved by `shift`."""
    rng = np.random.default_rng(0)
    samples = [sample(f"{label}-{i}", label, i % folds) for label in (0, 1) for i in range(each)]
    return scores(samples, (rng.normal(0, 1, 2 * each) + 2 * np.repeat([0, 1], each) - 1 + shift).tolist())


def test_false_alarms_are_kept_under_every_condition_and_misses_over_all() -> None:
    conditions = {AS_FOUND: two_classes(0.0), SHRUNK: two_classes(0.7), "c": two_classes(-1.0)}
    point = choose(conditions, false_alarms=0.05, misses=0.05)
    for clips in conditions.values():
        made = called(clips, [point] * len(clips.samples))
        assert made.fake[clips.labels == 0].mean() <= 0.05
    missed = [called(c, [point] * len(c.samples)).authentic[c.labels == 1].mean() for c in conditions.values()]
    assert np.mean(missed) <= 0.05 < max(missed)
    low, high = point.probabilities()
    assert 0 <= low <= high <= 1


def test_a_large_source_and_a_small_one_both_count() -> None:
    small = [sample(f"s{i}", 0, source=f"s{i}") for i in range(10)]
    large = [sample(f"l{i}", 0, source="large") for i in range(90)]
    logits = [*np.linspace(2, 3, 10), *np.linspace(-1, 0, 90)]
    genuine = scores([*small, *large], logits)
    weights = source_weights(genuine.samples)
    assert weights.mean() == pytest.approx(1)
    assert weights[:10].sum() == pytest.approx(10 * weights[10:].sum())
    assert threshold_for_false_alarm(genuine.logits, 0.05, weights) > 3
    fakes = [sample(f"f{i}", 1) for i in range(10)]
    both = scores([*genuine.samples, *fakes], [*logits, *np.linspace(2, 5, 10)])
    assert choose({AS_FOUND: both, SHRUNK: both}, false_alarms=0.05).deepfake > 3


def test_no_clip_meets_its_own_thresholds() -> None:
    clips = two_classes(0.0)
    loud = [sample("loud", 0, fold=2, also=(3,))]
    with_loud = {AS_FOUND: scores([*clips.samples, *loud], [*clips.logits, 9.0]), SHRUNK: clips}
    points = nested_points({AS_FOUND: clips, SHRUNK: clips})
    changed = nested_points(with_loud)
    assert {fold for fold in points if changed[fold] != points[fold]} == {0, 1, 4}


def test_a_faces_size_is_judged_by_the_same_face_and_taken_out() -> None:
    clips = two_classes(0.0)
    larger = np.asarray(np.exp(np.random.default_rng(1).normal(0, 0.1, 80)) * (100 + 60 * clips.labels), np.float64)
    found = replace(clips, logits=clips.logits + 0.5 * np.log(larger), face_pixels=larger)
    shrunk = replace(found, logits=found.logits + 0.5 * np.log(0.75), face_pixels=larger * 0.75).at(np.arange(0, 80, 2))
    conditions = {AS_FOUND: found, SHRUNK: shrunk}
    effect = size_effect(conditions)
    assert effect.slope == pytest.approx(0.5)
    assert (effect.smallest, effect.largest) == pytest.approx(np.quantile(larger, [0.01, 0.99]), rel=0.35)
    inside = (larger > effect.smallest) & (larger < effect.largest)
    point = choose(conditions)
    assert point.face_size == effect
    left = called(found, [point] * 80).scores.logits - clips.logits
    assert np.ptp(left[inside]) < 1e-9


def test_without_a_second_size_nothing_is_taken_out() -> None:
    clips = two_classes(0.0)
    assert size_effect({AS_FOUND: clips, SHRUNK: clips}).slope == 0


def test_only_clips_with_enough_evidence_count() -> None:
    samples = [sample("a", 0), sample("b", 1), sample("c", 1)]
    found = [Judgement(1.0, True, 90.0), Judgement(2.0, False, 90.0), Judgement(None, False, 0.0)]
    clips = judged({"a": list(zip(samples, found, strict=True))})["a"]
    assert [s.path.name for s in clips.samples] == ["a"]
    assert len(clips.offered) == 3
