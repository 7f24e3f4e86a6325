"""CPU seconds that one clip costs each service: the measured half of docs/cost.md.

    python -m benchmarks.cost.measure    (`make bench-cost-measure`; writes benchmarks/results/clips.json)

Each clip is made here: half a minute of synthetic speech as AAC in MP4, and ten seconds of 1280x720
H.264 with one face. CPU seconds are user and system time of the analyzer and its decoder child, forked as in a service;
they hold neither model load nor waiting.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from pathlib import Path

from sg_common.analysis import AnalysisOptions, Analyzer, Job
from sg_common.media import Decoders
from sg_common.service import AnalyzerService, installed_services

from benchmarks.record import RESULTS, machine, record
from testbed.media import write_audio
from testbed.processes import cpu_seconds, family

AUDIO_SECONDS = 30
VIDEO_SECONDS = 10
RUNS = 5


def cost(analyzer: Analyzer, path: Path) -> float:
    """CPU seconds of an analysis, the mean of `RUNS` after the first."""
    with closing(Decoders(1_000_000)) as decoders:
        for run in range(RUNS + 1):
            if run == 1:
                start = cpu_seconds({os.getpid(), *family()})
            analyzer.analyze(path, AnalysisOptions(), Job(decoders=decoders))
        return round((cpu_seconds({os.getpid(), *family()}) - start) / RUNS, 3)


def voice(folder: Path) -> Path:
    """Speech without a pause, the audio analyzer's dearest input."""
    from testbed.speech import RATE, speech  # noqa: PLC0415  (a service at a time)

    return write_audio(folder / "voice.m4a", speech(AUDIO_SECONDS)[None, :], rate=RATE, codec="aac")


def film(folder: Path) -> Path:
    from benchmarks.video import write_clip  # noqa: PLC0415

    return write_clip(folder / "face.mp4", VIDEO_SECONDS, (1280, 720), 200)


CLIPS = {
    "audio": (f"{AUDIO_SECONDS} s of speech, AAC in MP4", voice),
    "video": (f"{VIDEO_SECONDS} s of 1280x720 H.264 with one face", film),
}


def measured(service: AnalyzerService, folder: Path) -> dict[str, object]:
    """What the clip of a service's kind costs it, by its default settings."""
    clip, write = CLIPS[service.kind]
    path = write(folder)
    analyzer = service.build(service.settings())
    return {
        "service": service.name,
        "clip": clip,
        "cpu_seconds": cost(analyzer, path),
        "model": f"{analyzer.model.name} {analyzer.model.version} {analyzer.model.variant}",
    }


def main() -> None:
    where = machine()
    with tempfile.TemporaryDirectory() as scratch:
        clips = [measured(service, Path(scratch)) for service in installed_services()]
    record(RESULTS / "clips.json", by="python -m benchmarks.cost.measure", where=where, clips=clips)
    print((RESULTS / "clips.json").read_text())


if __name__ == "__main__":
    main()
