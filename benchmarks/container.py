"""What the images cost: size, layers, seconds from `docker run` to ready, and peak memory of one clip.

    python -m benchmarks.container [--runs 5]      (make bench-container)

Needs the images (`make images`). Cold start is the median of the runs, with the image's files in the page cache. Peak
memory is the control group's, page cache included, after `samples/talk.mp4`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

from sg_common.cpu import read_cpu_facts

from tests.containers.engine import ROOT, container, docker, image

PEAKS = ("/sys/fs/cgroup/memory.peak", "/sys/fs/cgroup/memory/memory.max_usage_in_bytes")


def cold_start(kind: str) -> float:
    """Seconds from `docker run` to a ready service."""
    started = time.perf_counter()
    with container(kind) as running:
        assert running.ready()
        return time.perf_counter() - started


def peak_megabytes(kind: str, clip: Path) -> float:
    with container(kind) as running:
        running.analyze(clip).raise_for_status()
        text = running.run("sh", "-c", f"cat {' '.join(PEAKS)} 2>/dev/null", check=False)
        return int(text.split()[0]) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    cpu = read_cpu_facts()
    print(f"{cpu.threads} threads of {cpu.model_name}")
    for kind in ("audio", "video"):
        facts = json.loads(docker("image", "inspect", image(kind)))[0]
        seconds = [cold_start(kind) for _ in range(options.runs)]
        print(
            f"{kind}: {facts['Size'] / 1e6:.0f} MB, {len(facts['RootFS']['Layers'])} layers, ready in "
            f"{statistics.median(seconds):.2f} s (of {options.runs}; {min(seconds):.2f} to {max(seconds):.2f}), "
            f"peak {peak_megabytes(kind, ROOT / 'samples' / 'talk.mp4'):.0f} MB"
        )


if __name__ == "__main__":
    main()
