"""Calibrate a bundle on held-out clips, choose its thresholds and measure what int8 loses.

python -m training.video.calibrate --bundle models/video
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from training.common.calibration import fit, threshold_for_false_alarm
from training.common.metrics import auc
from training.video.prepare import Prepared, arguments, load_prepared
from training.video.scores import (
    Array,
    Scores,
    genuine_clips,
    headline,
    held_out_scores,
    read_document,
    source_weights,
    tracks,
)

FALSE_ALARMS, MISSES = 0.05, 0.05


def false_alarm_threshold(scores: Scores, rate: float) -> float:
    """Lowest logit at which genuine clips are called fake at most at ``rate``: of all clips, and of clips
    weighted so that no large source decides. Photographs do not count: what is judged are videos."""
    genuine = genuine_clips(scores)
    weighted = weighted_threshold(genuine.logits, source_weights(genuine.samples), rate)
    return max(threshold_for_false_alarm(genuine.logits, rate), weighted)


def weighted_threshold(values: Array, weights: Array, rate: float) -> float:
    """Lowest threshold at or above which at most a ``rate`` of the weight lies."""
    order = np.argsort(-values)
    above = np.cumsum(weights[order]) / weights.sum()
    allowed = int(np.searchsorted(above, rate, side="right"))
    return float(np.nextafter(values[order][min(allowed, len(order) - 1)], np.inf))


def calibrate(prepared: Prepared, bundle: Path) -> dict[str, float]:
    """Rewrite the calibration and ``auc_loss`` in model.json; returns the figures that it is made of."""
    document = read_document(bundle)
    frames = held_out_scores(prepared, bundle)
    clips = tracks(headline(frames))
    platt = fit(clips.logits, clips.labels, source_weights(clips.samples))
    loss, alarm = {"fp32": 0.0}, false_alarm_threshold(clips, FALSE_ALARMS)
    for variant in document["variants"]:
        if variant != "fp32":
            other = tracks(headline(held_out_scores(prepared, bundle, variant)))
            loss[variant] = max(0.0, auc(clips.logits, clips.labels) - auc(other.logits, other.labels))
            # whichever variant a machine runs must keep to the false alarms
            alarm = max(alarm, false_alarm_threshold(other, FALSE_ALARMS))
    fakes = clips.logits[clips.labels == 1]
    miss = min(float(np.quantile(fakes, MISSES)), alarm)
    low, high = (float(p) for p in platt.probabilities([miss, alarm]))
    document["calibration"].update(
        temperature=round(platt.temperature, 6),
        bias=round(platt.bias, 6),
        thresholds={"likely_authentic": np.floor(low * 1e4) / 1e4, "likely_deepfake": np.ceil(high * 1e4) / 1e4},
    )
    for variant, value in loss.items():
        document["variants"][variant]["auc_loss"] = round(value, 5)
    (bundle / "model.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return {"auc": auc(clips.logits, clips.labels), "likely_authentic": low, "likely_deepfake": high, **loss}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser)
    parser.add_argument("--bundle", type=Path, default=Path("models/video"))
    options = parser.parse_args()
    print(json.dumps(calibrate(load_prepared(options.corpus, options.work / "prepared"), options.bundle), indent=2))


if __name__ == "__main__":
    main()
