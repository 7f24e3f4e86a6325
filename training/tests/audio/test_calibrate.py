from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.audio.calibrate import measure_codec
from training.audio.conditions import Stream
from training.common.manifest import Sample
from training.common.scores import Scores


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_a_codecs_calibration_keeps_the_false_alarms_at_the_common_threshold(shift: float) -> None:
    rng = np.random.default_rng(3)
    labels = np.arange(1000) % 2
    samples = [Sample(Path(f"{i}.flac"), int(v), 0, "family", "source") for i, v in enumerate(labels)]
    logits = rng.normal(1.5 * labels + shift, 1)
    part = Scores(tuple(samples), logits)
    found = measure_codec(part, Stream("opus", 20000), 0.8, 0.05)
    assert (found.codec, found.bit_rate) == ("opus", 20000)
    probabilities = found.probability(logits)
    assert (probabilities[labels == 0] >= 0.8).mean() <= 0.05
    assert (probabilities[labels == 1] >= 0.8).mean() > 0.3
