"""What a request costs, and where its time goes.

    python -m benchmarks.requests      (`make bench-requests`; writes benchmarks/results/requests.json)

Both services answer uploads of a short and a long clip, for one caller and for eight at once. CPU seconds are those of
the service and all processes below it; latencies are what the caller sees. The short clips are also judged with a fresh
decoder process a file (`SG_DECODER_PARENT_FILES=0`): compare within a run, not between runs.

A request is split into the start of its decoder process (measured on a file that is refused at its first bytes),
decoding, finding speech or faces, the model, and the rest: upload, the pipe, what is done between the models.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sg_common.analysis import AnalysisOptions, Analyzer, Job
from sg_common.bundle.load import Bundle
from sg_common.errors import NotMedia
from sg_common.media import DecodeLimits, Decoders, open_audio

from benchmarks.record import RESULTS, machine, record
from testbed.media import write_audio
from testbed.processes import cpu_seconds, family, resident_bytes, zygotes
from testbed.speech import RATE, speech
from tests.e2e.conftest import Running, start, stop

CALLERS = (1, 8)
CHILDREN = {"forked": {}, "fresh": {"SG_DECODER_PARENT_FILES": "0"}}
STARTS, START_ROUNDS = 25, 4
WARM_UP = 3
LIMITS = DecodeLimits()


@dataclass(frozen=True)
class Clip:
    kind: str
    name: str
    path: Path
    requests: int
    long: bool


@dataclass(frozen=True)
class Answers:
    """`requests` of one clip. CPU seconds a request, seconds of latency, answers a second."""

    kind: str
    clip: str
    children: str
    callers: int
    requests: int
    cpu_seconds: float
    median_seconds: float
    p95_seconds: float
    per_second: float


def make_clips(folder: Path, share: float) -> list[Clip]:
    from benchmarks.video import write_clip  # noqa: PLC0415 - it imports the video service

    note = write_audio(folder / "note.ogg", speech(6.0)[None], rate=RATE, codec="libopus", options={"b": "16000"})
    talk = write_audio(folder / "talk.m4a", speech(60.0)[None], rate=RATE, codec="aac")
    phone = write_clip(folder / "phone.mp4", 6.0, (1280, 720), 200)
    film = write_clip(folder / "film.mp4", 60.0, (1280, 720), 200)
    return [
        Clip("audio", "voice note, 6 s", note, round(100 * share), False),
        Clip("audio", "speech, 60 s", talk, round(20 * share), True),
        Clip("video", "phone video, 6 s", phone, round(40 * share), False),
        Clip("video", "video, 60 s", film, round(20 * share), True),
    ]


# --- the start of a decoder process ---


def starts(folder: Path) -> dict[str, float]:
    """CPU milliseconds: Python with av and numpy, and a child beyond its decoding, started afresh and forked."""
    text = folder / "text"
    text.write_text("no media at all\n")

    def refused(decoders: Decoders) -> None:
        with suppress(NotMedia), open_audio(text, sample_rate=RATE, limits=LIMITS, job=Job(decoders=decoders)):
            pass

    def imports() -> None:
        subprocess.run([sys.executable, "-I", "-c", "import av, numpy"], check=True)

    with closing(Decoders(1_000_000)) as forked:
        refused(forked)
        ways: dict[str, Callable[[], None]] = {
            "import av, numpy": imports,
            "fresh child": lambda: refused(Decoders(0)),
            "forked child": lambda: refused(forked),
        }
        spent: defaultdict[str, float] = defaultdict(float)
        for _ in range(START_ROUNDS):
            for name, work in ways.items():
                before = cpu_seconds({os.getpid(), *family()})
                for _ in range(STARTS):
                    work()
                spent[name] += cpu_seconds({os.getpid(), *family()}) - before
    return {name: round(1e3 * spent[name] / STARTS / START_ROUNDS, 2) for name in ways}


# --- where a request's time goes ---


class Stopwatch:
    """CPU seconds of this process by stage; only one thread may work meanwhile."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def times(self, stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            with self._stage(stage):
                return work(*arguments)

        return timed

    def times_each(self, stage: str, work: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        def timed(*arguments: Any) -> Iterator[Any]:
            found = iter(work(*arguments))
            while True:
                with self._stage(stage):
                    item = next(found, None)
                if item is None:
                    return
                yield item

        return timed

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        started = time.process_time()
        yield
        self.seconds[name] += time.process_time() - started


# The services are imported where they are used: `sg_common` has to come before NumPy, as it does in a service.


def audio_stages(watch: Stopwatch, stack: ExitStack) -> Analyzer:
    """The audio analyzer with its stages timed."""
    from audio_analyzer.analyzer import AudioAnalyzer  # noqa: PLC0415
    from audio_analyzer.settings import AudioSettings  # noqa: PLC0415
    from audio_analyzer.speech import SpeechStream  # noqa: PLC0415

    for method in ("feed", "finish"):
        timed = watch.times_each("find", getattr(SpeechStream, method))
        stack.enter_context(patch.object(SpeechStream, method, timed))
    return AudioAnalyzer(AudioSettings())


def video_stages(watch: Stopwatch, stack: ExitStack) -> Analyzer:
    """The video analyzer with its stages timed."""
    from video_analyzer.analyzer import VideoAnalyzer  # noqa: PLC0415
    from video_analyzer.detector import ClipSearch  # noqa: PLC0415
    from video_analyzer.settings import VideoSettings  # noqa: PLC0415

    stack.enter_context(patch.object(ClipSearch, "faces", watch.times("find", ClipSearch.faces)))
    return VideoAnalyzer(VideoSettings())


STAGED = {"audio": audio_stages, "video": video_stages}


def stages(clip: Clip, start_of_child: float) -> dict[str, float]:
    """CPU milliseconds a request by stage, without the doors."""
    watch = Stopwatch()
    with ExitStack() as stack:
        decoders = stack.enter_context(closing(Decoders(1_000_000)))
        stack.enter_context(patch.object(Bundle, "logits", watch.times("model", Bundle.logits)))
        analyzer = STAGED[clip.kind](watch, stack)
        for _ in range(WARM_UP):
            analyzer.analyze(clip.path, AnalysisOptions(), Job(decoders=decoders))
        watch.seconds.clear()
        before = cpu_seconds(family())
        for _ in range(clip.requests):
            analyzer.analyze(clip.path, AnalysisOptions(), Job(decoders=decoders))
        children = cpu_seconds(family()) - before
    own = {name: 1e3 * seconds / clip.requests for name, seconds in watch.seconds.items()}
    return {"start": start_of_child, "decode": max(0.0, 1e3 * children / clip.requests - start_of_child), **own}


# --- latency and cost of whole requests ---


@contextmanager
def serving(kind: str, **environment: str) -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as folder:
        running = start(kind, Path(folder) / "work", SG_LOG_LEVEL="ERROR", **environment)
        try:
            yield running
        finally:
            stop(running)


def ask(running: Running, clip: Clip, callers: int, children: str) -> Answers:
    """Send a clip again and again."""

    def one(_: int) -> float:
        started = time.perf_counter()
        running.analyze(clip.path).raise_for_status()
        return time.perf_counter() - started

    service = running.process.pid
    with ThreadPoolExecutor(callers) as pool:
        list(pool.map(one, range(max(WARM_UP, callers))))
        before, started = cpu_seconds({service, *family(service)}), time.perf_counter()
        seconds = list(pool.map(one, range(clip.requests)))
        wall, spent = time.perf_counter() - started, cpu_seconds({service, *family(service)}) - before
    return Answers(
        kind=clip.kind,
        clip=clip.name,
        children=children,
        callers=callers,
        requests=clip.requests,
        cpu_seconds=round(spent / clip.requests, 3),
        median_seconds=round(statistics.median(seconds), 3),
        p95_seconds=round(statistics.quantiles(seconds, n=20)[-1], 3),
        per_second=round(clip.requests / wall, 2),
    )


def megabytes(running: Running) -> dict[str, float]:
    """Resident memory of a service that has judged nothing yet, and what its zygote adds, shared files counted once."""
    service = running.process.pid
    (zygote,) = zygotes(service)
    return {
        "service": round(resident_bytes(service) / 1e6, 1),
        "zygote": round(resident_bytes(zygote, beside=service) / 1e6, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="send only this share of the requests")
    parser.add_argument("--output", type=Path, default=RESULTS / "requests.json")
    options = parser.parse_args()
    where = machine()
    answers: list[Answers] = []
    idle: dict[str, dict[str, float]] = {}
    split: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        clips = make_clips(Path(scratch), options.share)
        start_of_child = starts(Path(scratch))
        print(start_of_child, flush=True)
        for clip in clips:
            split[clip.name] = stages(clip, start_of_child["forked child"])
            print(clip.name, split[clip.name], flush=True)
        for kind in STAGED:
            for children, environment in CHILDREN.items():
                with serving(kind, **environment) as running:
                    if children == "forked":
                        idle[kind] = megabytes(running)
                    for clip in clips:
                        if clip.kind == kind and (children == "forked" or not clip.long):
                            answers += [ask(running, clip, callers, children) for callers in CALLERS]
                            print(answers[-2:], flush=True)
    for clip in clips:
        whole = next(a.cpu_seconds for a in answers if a.clip == clip.name and a.children == "forked")
        split[clip.name]["rest"] = 1e3 * whole - sum(split[clip.name].values())
    record(
        options.output,
        by="python -m benchmarks.requests",
        where=where,
        start_milliseconds=start_of_child,
        idle_megabytes=idle,
        stage_milliseconds={name: {k: round(v, 1) for k, v in row.items()} for name, row in split.items()},
        requests=[asdict(answer) for answer in answers],
    )


if __name__ == "__main__":
    main()
