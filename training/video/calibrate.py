"""Set a bundle's calibration and operating points on clips that it never saw, under every condition."""

from __future__ import annotations

from pathlib import Path

from sg_common import verdict
from sg_common.bundle.spec import FaceSpec, read_task
from sg_common.verdict import DEFAULT_POLICY, Policy

from training.common.bundle import write_spec
from training.common.rates import POLICIES, by_clip
from training.video.operating import Conditions, choose, nested_points
from training.video.rates import nested, parts_of
from training.video.recompress import AS_FOUND


def measured_point(conditions: Conditions, policy: Policy) -> verdict.OperatingPoint:
    """A policy's thresholds, with its rates on clips as found at thresholds that never met the clip's fold.

    Compression, which hides fakes, lowers false alarms too: rates over all conditions would promise too few.
    """
    low, high = choose(conditions, POLICIES[policy]).probabilities()
    calls = nested(conditions, nested_points(conditions, POLICIES[policy]))[AS_FOUND]
    genuine, alarms, _ = parts_of(calls, 0)
    rate = by_clip(alarms, genuine)
    return verdict.OperatingPoint(
        likely_authentic=low,
        likely_deepfake=high,
        false_alarm_rate=rate.value,
        false_alarm_interval=(rate.low, rate.high),
        detection_rate=float(parts_of(calls, 1)[1].mean()),
    )


def calibrate(bundle: Path, conditions: Conditions) -> None:
    """Write calibration, thresholds and operating points into the bundle's model.json."""
    spec, chosen = read_task(bundle, FaceSpec), choose(conditions)
    points = {policy: measured_point(conditions, policy) for policy in POLICIES}
    default = points[DEFAULT_POLICY]
    changes = {
        "temperature": round(chosen.calibration.temperature, 6),
        "bias": round(chosen.calibration.bias, 6),
        "face_size": chosen.face_size.model_dump(),
        "thresholds": default.model_dump(include={"likely_authentic", "likely_deepfake"}),
        "operating_points": {policy: point.model_dump(mode="json") for policy, point in points.items()},
    }
    write_spec(bundle, spec, calibration={**spec.calibration.model_dump(mode="json", exclude_none=True), **changes})
