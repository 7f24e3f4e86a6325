"""Set a bundle's calibration and thresholds on clips that it never saw, under every condition.

python -m training.video.calibrate --corpus ../shared/data/clips --bundle models/video
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from training.video.clips import arguments, judged_clips
from training.video.operating import Point, choose, judged


def write_point(bundle: Path, point: Point) -> None:
    """Write an operating point into the bundle's model.json."""
    path = bundle / "model.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    low, high = point.probabilities()
    document["calibration"].update(
        temperature=round(point.calibration.temperature, 6),
        bias=round(point.calibration.bias, 6),
        thresholds={"likely_authentic": low, "likely_deepfake": high},
    )
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


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
