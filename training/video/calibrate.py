"""Set a bundle's calibration and operating points on clips that it never saw, under every condition."""

from __future__ import annotations

from pathlib import Path

from sg_common import verdict
from sg_common.bundle.spec import FaceSpec, read_task
from sg_common.verdict import DEFAULT_POLICY, Policy

from training.common.bundle import write_spec
from training.video.operating import POLICIES, Conditions, choose, nested_points
from training.video.rates import by_clip, nested, pooled


def measured_point(conditions: Conditions, policy: Policy) -> verdict.OperatingPoint:
    """A policy's thresholds, with its rates over all conditions at thresholds that never met the clip's fold."""
    low, high = choose(conditions, POLICIES[policy]).probabilities()
    calls = list(nested(conditions, nested_points(conditions, POLICIES[policy])).values())
    genuine, alarms = pooled(calls, 0, lambda _: True)
    rate = by_clip(alarms, genuine)
    return verdict.OperatingPoint(
        likely_authentic=low,
        likely_deepfake=high,
        false_alarm_rate=round(rate.value, 4),
        false_alarm_interval=(round(rate.low, 4), round(rate.high, 4)),
        detection_rate=round(float(pooled(calls, 1, lambda _: True)[1].mean()), 4),
    )


def calibrate(bundle: Path, conditions: Conditions) -> None:
    """Write calibration, thresholds and operating points into the bundle's model.json."""
    spec, platt = read_task(bundle, FaceSpec), choose(conditions).calibration
    points = {policy: measured_point(conditions, policy) for policy in POLICIES}
    default = points[DEFAULT_POLICY]
    changes = {
        "temperature": round(platt.temperature, 6),
        "bias": round(platt.bias, 6),
        "thresholds": default.model_dump(include={"likely_authentic", "likely_deepfake"}),
        "operating_points": {policy: point.model_dump(mode="json") for policy, point in points.items()},
    }
    write_spec(bundle, spec, calibration={**spec.calibration.model_dump(mode="json", exclude_none=True), **changes})
