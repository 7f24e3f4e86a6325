"""Set a bundle's calibration and thresholds on clips that it never saw, under every condition."""

from __future__ import annotations

from pathlib import Path

from sg_common.bundle.spec import FaceSpec, read_task

from training.common.bundle import write_spec
from training.video.operating import OperatingPoint


def write_point(bundle: Path, point: OperatingPoint) -> None:
    """Write an operating point into the bundle's model.json."""
    spec = read_task(bundle, FaceSpec)
    low, high = point.probabilities()
    changes = {
        "temperature": round(point.calibration.temperature, 6),
        "bias": round(point.calibration.bias, 6),
        "thresholds": {"likely_authentic": low, "likely_deepfake": high},
    }
    write_spec(bundle, spec, calibration={**spec.calibration.model_dump(mode="json", exclude_none=True), **changes})
