"""Set a bundle's calibration and thresholds on clips that it never saw, under every condition.

python -m training.video.calibrate --corpus ../shared/data/clips --bundle models/video
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sg_common.bundle.spec import FaceSpec, read_task

from training.common.bundle import write_spec
from training.video.clips import arguments, judged_clips
from training.video.operating import OperatingPoint, choose, judged


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser)
    options = parser.parse_args()
    point = choose(judged(*judged_clips(options)))
    write_point(options.bundle, point)
    low, high = point.probabilities()
    print(f"{point.calibration}; likely_authentic under {low}, likely_deepfake from {high}")


if __name__ == "__main__":
    main()
