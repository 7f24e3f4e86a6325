"""How far a bundle's other variants lie from fp32, a file at a time and after calibration, through the service itself.

    python -m benchmarks.variants audio [--model-dir models/audio] [--data ../shared/data/audio] [--files 60]

The files are drawn from a training corpus by a fixed seed. `probability_difference` of `model.json` is the largest
difference that this prints; over 0.02 the variant is never chosen by itself.
"""

from __future__ import annotations

import argparse
import csv
import random
from pathlib import Path

from sg_common.analysis import AnalysisOptions, Job, Status
from sg_common.bundle.spec import read_spec
from sg_common.service import installed_services

CORPORA = {"audio": Path("../shared/data/audio"), "video": Path("../shared/data/clips")}


def drawn(corpus: Path, count: int) -> list[Path]:
    with (corpus / "manifest.tsv").open(encoding="utf-8", newline="") as manifest:
        paths = [corpus / row["path"] for row in csv.DictReader(manifest, delimiter="\t", quoting=csv.QUOTE_NONE)]
    return random.Random(7).sample(paths, min(count, len(paths)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=sorted(CORPORA))
    parser.add_argument("--model-dir", type=Path, help="another bundle instead of the shipped one")
    parser.add_argument("--data", type=Path, help="folder with a manifest.tsv")
    parser.add_argument("--files", type=int, default=60)
    options = parser.parse_args()
    service = next(service for service in installed_services() if service.kind == options.kind)
    settings = service.settings()
    bundle = options.model_dir or settings.bundle_dir(options.kind)
    files = drawn(options.data or CORPORA[options.kind], options.files)

    def probabilities(variant: str) -> list[float | None]:
        analyzer = service.build(settings.model_copy(update={"model_dir": bundle, "model_variant": variant}))
        reports = [analyzer.analyze(path, AnalysisOptions(), Job()) for path in files]
        return [report.probability if report.status is Status.SUCCESS else None for report in reports]

    reference = probabilities("fp32")
    for variant in read_spec(bundle).variants.keys() - {"fp32"}:
        pairs = zip(reference, probabilities(variant), strict=True)
        differences = sorted(abs(a - b) for a, b in pairs if a is not None and b is not None)
        over = sum(difference > 0.02 for difference in differences)
        print(
            f"{variant}: largest {differences[-1]:.4f}, {over} of {len(differences)} judged files over 0.02;", end=" "
        )
        print(f"CPU: {settings.runtime().cpu.model_name}")


if __name__ == "__main__":
    main()
