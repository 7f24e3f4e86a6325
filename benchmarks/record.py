"""Where benchmarks keep their figures, with the day and the machine that they were measured on."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"


def machine() -> str:
    """Processor, cores and load: a busy machine takes more CPU seconds for the same work."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown processor")
    return f"{name}, {len(os.sched_getaffinity(0))} cores, load average {os.getloadavg()[0]:.0f}"


def record(path: Path, *, by: str, where: str, **figures: object) -> None:
    """Write a file of figures.

    Args:
        by: the command that measured them.
        where: the `machine` before they were measured.
    """
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    document = {"measured": today, "by": by, "machine": where, **figures}
    path.write_text(json.dumps(document, indent=2) + "\n")
