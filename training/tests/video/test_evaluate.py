"""What counts as a false alarm, and against what."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.common.calibration import Calibration
from training.common.manifest import Sample
from training.video import evaluate
from training.video.calibrate import false_alarm_threshold
from training.video.scores import Scores, genuine_clips


def scores(kinds: list[tuple[int, str, float]]) -> Scores:
    """One sample of its own source a label, kind and logit."""
    samples = tuple(
        Sample(Path(f"{i}.jpg"), label, 0, "family", f"s{i}", fields={"kind": kind})
        for i, (label, kind, _) in enumerate(kinds)
    )
    logits = np.array([logit for _, _, logit in kinds])
    return Scores(samples, logits, logits[:, None], np.full(len(kinds), 100.0))


def test_false_alarms_are_counted_on_videos_where_there_are_any() -> None:
    mixed = scores([(0, "video-frame", 0.5), (0, "image", 5.0), (1, "video-frame", 3.0), (1, "image", 4.0)])
    assert genuine_clips(mixed).logits.tolist() == [0.5]
    assert 0.5 < false_alarm_threshold(mixed, 0.05) < 1.0
    photographs = scores([(0, "image", 0.0), (0, "image", 5.0), (1, "image", 4.0)])
    assert genuine_clips(photographs).logits.tolist() == [0.0, 5.0]
    assert evaluate.shares_called(mixed, 2.0) == (0.0, 1.0)
    assert [part.logits.tolist() for part in evaluate.sides(mixed)] == [[0.5, 3.0, 4.0], [0.5, 3.0]]


def test_verdicts_are_told_for_videos_and_pictures_apart() -> None:
    mixed = scores([(0, "video-frame", 0.0), (0, "image", 5.0), (1, "video-frame", 3.0), (1, "image", 4.0)])
    text = evaluate.verdict_table(mixed, Calibration(1.0, 0.0), {"likely_authentic": 0.6, "likely_deepfake": 0.97})
    assert "| real clips | 1 | 1.000 | 0.000 | 0.000 |" in text
    assert "| real photographs | 1 | 0.000 | 0.000 | 1.000 |" in text
    assert "| fake clips | 1 | 0.000 | 1.000 | 0.000 |" in text
    assert "| all fakes | 2 | 0.000 | 0.500 | 0.500 |" in text
