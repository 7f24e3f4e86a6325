from __future__ import annotations

import numpy as np
import pytest

from training.common import calibration, metrics


def test_auc_counts_ties_half() -> None:
    assert metrics.auc([0, 1, 1, 2], [0, 0, 1, 1]) == pytest.approx(0.875)
    assert np.isnan(metrics.auc([1, 2], [1, 1]))


def test_rank_correlation_asks_for_the_order_alone() -> None:
    assert metrics.rank_correlation([1, 2, 3, 40], [1, 4, 9, 10]) == pytest.approx(1)
    assert metrics.rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert metrics.rank_correlation([1, 1, 2, 2], [5, 6, 5, 6]) == pytest.approx(0)
    assert np.isnan(metrics.rank_correlation([1, 1], [1, 2]))


def test_eer_of_separated_and_of_reversed_scores() -> None:
    assert metrics.eer([0, 1, 2, 3], [0, 0, 1, 1]) == pytest.approx(0.0)
    assert metrics.eer([3, 2, 1, 0], [0, 0, 1, 1]) == pytest.approx(1.0)


def test_eer_of_two_gaussians_matches_theory() -> None:
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(0, 1, 20000), rng.normal(2, 1, 20000)])
    labels = np.repeat([0, 1], 20000)
    assert metrics.eer(scores, labels) == pytest.approx(0.1587, abs=0.006)
    assert metrics.auc(scores, labels) == pytest.approx(0.9214, abs=0.006)


def test_bootstrap_over_sources_is_wider_than_over_clips() -> None:
    rng = np.random.default_rng(1)
    shift = np.repeat(rng.normal(0, 2, 20), 50)
    labels = np.repeat([0, 1], 500)
    scores = shift + labels + rng.normal(0, 1, 1000)
    groups = [str(i) for i in np.repeat(np.arange(20), 50)]
    clips = metrics.bootstrap(metrics.auc, scores, labels, repeats=200)
    sources = metrics.bootstrap(metrics.auc, scores, labels, groups=groups, repeats=200)
    assert sources.low <= sources.value <= sources.high
    assert sources.high - sources.low > clips.high - clips.low


def test_paired_accuracy() -> None:
    assert metrics.paired_accuracy([0, 0, 0, 0], [1, 1, -1, 0]) == pytest.approx(0.625)


def test_platt_scaling_recovers_the_slope_and_calibrates() -> None:
    rng = np.random.default_rng(2)
    probability = rng.uniform(0.02, 0.98, 50000)
    labels = rng.uniform(size=50000) < probability
    logits = 3 * np.log(probability / (1 - probability)) + 1.5
    fitted = calibration.fit(logits, labels, np.ones(50000))
    assert fitted.temperature == pytest.approx(3, rel=0.05)
    assert fitted.bias == pytest.approx(-0.5, abs=0.05)
    assert metrics.expected_calibration_error(fitted.probability(logits), labels) < 0.01


def test_calibration_refuses_reversed_scores() -> None:
    with pytest.raises(ValueError, match="higher logits"):
        calibration.fit([3, 2, 1, 0], [0, 0, 1, 1])


@pytest.mark.parametrize("rate", [0.0, 0.03, 0.5, 1.0])
def test_threshold_keeps_the_false_alarm_rate(rate: float) -> None:
    genuine = np.random.default_rng(3).normal(size=500)
    threshold = calibration.threshold_for_false_alarm(genuine, rate)
    assert metrics.rate_at(genuine, threshold) == pytest.approx(rate, abs=0.002)
    assert metrics.rate_at(genuine, threshold) <= rate
