"""CPU seconds that one clip costs each service: the measured half of docs/cost.md.

    python -m benchmarks.cost.measure    (`make bench-cost-measure`; writes benchmarks/results/clips.json)

Each clip is made here: half a minute of synthetic speech as AAC in MP4, and ten seconds of 1280x720
H.264 with one face. CPU seconds are user and system time of the analyzer and its decoder child, forked as in a service;
they hold neither model load nor waiting. A service whose model is not there is left out.
"""

from __future__ import annotations

import datetime
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sg_common.analysis import AnalysisOptions, Analyzer, Job
from sg_common.media import Decoders

from testbed.processes import cpu_seconds, family

RESULTS = Path(__file__).resolve().parents[1] / "results" / "clips.json"
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


def audio(folder: Path) -> dict[str, object]:
    """The audio analyzer on speech without a pause, its dearest input."""
    from audio_analyzer.analyzer import build_analyzer  # noqa: PLC0415  (a service at a time)
    from audio_analyzer.settings import AudioSettings  # noqa: PLC0415

    from testbed.media import write_audio  # noqa: PLC0415
    from testbed.speech import RATE, speech  # noqa: PLC0415

    path = write_audio(folder / "voice.m4a", speech(AUDIO_SECONDS)[None, :], rate=RATE, codec="aac")
    analyzer = build_analyzer(AudioSettings())
    return {
        "service": "audio-analyzer",
        "clip": f"{AUDIO_SECONDS} s of speech, AAC in MP4",
        "cpu_seconds": cost(analyzer, path),
        "model": f"{analyzer.model.name} {analyzer.model.version} {analyzer.model.variant}",
    }


def video(folder: Path) -> dict[str, object]:
    """The video analyzer with its default frame budget."""
    from video_analyzer.analyzer import VideoAnalyzer  # noqa: PLC0415
    from video_analyzer.settings import VideoSettings  # noqa: PLC0415

    from benchmarks.video import write_clip  # noqa: PLC0415

    path = write_clip(folder / "face.mp4", VIDEO_SECONDS, (1280, 720), 200)
    analyzer = VideoAnalyzer(VideoSettings())
    return {
        "service": "video-analyzer",
        "clip": f"{VIDEO_SECONDS} s of 1280x720 H.264 with one face",
        "cpu_seconds": cost(analyzer, path),
        "model": f"{analyzer.model.name} {analyzer.model.version} {analyzer.model.variant}",
    }


def measured(folder: Path) -> Iterator[dict[str, object]]:
    models = Path(__file__).resolve().parents[2] / "models"
    for service, bundle in ((audio, "audio"), (video, "video")):
        if (models / bundle / "model.json").is_file():
            yield service(folder)
        else:
            print(f"models/{bundle} holds no bundle: left out")


def machine() -> str:
    """Processor, cores and load: a busy machine takes more CPU seconds for the same work."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown processor")
    return f"{name}, {len(os.sched_getaffinity(0))} cores, load average {os.getloadavg()[0]:.0f}"


def main() -> None:
    where = machine()
    with tempfile.TemporaryDirectory() as scratch:
        clips = list(measured(Path(scratch)))
    document = {
        "measured": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "by": "python -m benchmarks.cost.measure",
        "machine": where,
        "clips": clips,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
