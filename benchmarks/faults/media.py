"""Real media for a campaign with a real analyzer, and what its results must say."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from sg_common.analysis import AnalysisOptions, Job

from benchmarks.faults.cases import Case, media_cases
from benchmarks.faults.verdict import Judge
from benchmarks.faults.worker import service_named
from testbed.media import write_audio
from testbed.speech import RATE, speech

_CLIPS = 4


def real_media(kind: str, count: int, bucket: str, seed: int) -> tuple[list[Case], Judge, str]:
    """Cases of spoken clips, the analyzer's own answers as the expectation, and the results' file name."""
    service = service_named(kind)
    analyzer = service.build(service.settings())
    with tempfile.TemporaryDirectory(prefix="sg-faults-media-") as folder:
        paths = _clips(Path(folder))
        clips = [path.read_bytes() for path in paths]
        reports = [analyzer.analyze(path, AnalysisOptions(), Job()) for path in paths]
    known: dict[bytes, dict[str, Any]] = {
        clip: {
            service.report.score_field: report.probability,
            "verdict": report.verdict,
            "model": report.model.model_dump(),
        }
        for clip, report in zip(clips, reports, strict=True)
    }
    return list(media_cases(count, bucket, clips, seed)), known.__getitem__, f"{kind}-{analyzer.model.version}.json"


def _clips(folder: Path) -> list[Path]:
    return [
        write_audio(folder / f"{n}.m4a", np.atleast_2d(speech(6 + n)), rate=RATE, codec="aac", options={"b": "64k"})
        for n in range(_CLIPS)
    ]
