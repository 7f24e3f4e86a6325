"""What the video analyzer costs: CPU time stage by stage, seconds a clip, and memory on a long 1080p video.

    python -m benchmarks.video [--model-dir models/video] [--hours 1]

The clips show a portrait that moves through a noisy room, H.264 with a key frame every 250 frames. CPU time is user and
system time of the service and its decoder child. Every clip is judged in a fresh process, so that its peak is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from sg_common.analysis import AnalysisOptions, Job
from sg_common.media import open_video
from video_analyzer.analyzer import VideoAnalyzer
from video_analyzer.crops import crop_face
from video_analyzer.detector import ClipSearch
from video_analyzer.settings import VideoSettings
from video_analyzer.tracks import Tracker

from testbed.faces import Actor, Pixels, scene
from testbed.media import repeat, write_video
from testbed.processes import children, peak_bytes

FPS = 30
LOOP_SECONDS = 20


def cpu_seconds(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def noisy(face_side: int) -> Callable[[int, int, int], Pixels]:
    """A talking head's film: the head sways, the camera is noisy."""
    still = scene(Actor(face_side=face_side, place=lambda n: (0.5 + 0.02 * np.sin(n / 9), 0.5 + 0.01 * np.sin(n / 5))))
    random = np.random.default_rng(0)
    grains = random.normal(0, 4, (4, 2160, 3840, 1)).astype(np.int8)

    def picture(number: int, width: int, height: int) -> Pixels:
        grain = grains[number % 4, :height, :width]
        return np.asarray(np.clip(still(number, width, height).astype(np.int16) + grain, 0, 255), np.uint8)

    return picture


def write_clip(path: Path, seconds: float, size: tuple[int, int], face_side: int) -> Path:
    options = {"preset": "veryfast", "crf": "23", "g": "250"}
    return write_video(path, picture=noisy(face_side), frames=round(seconds * FPS), size=size, fps=FPS, options=options)


def stages(analyzer: VideoAnalyzer, path: Path) -> dict[str, float]:
    """CPU milliseconds a judged frame with one face, by stage."""
    settings = analyzer._settings
    own, child = cpu_seconds(resource.RUSAGE_SELF), cpu_seconds(resource.RUSAGE_CHILDREN)
    with open_video(
        path, sample_rate=None, budget=settings.frame_budget(), limits=settings.decode_limits(), job=Job()
    ) as reader:
        frames = list(reader)
    decode = cpu_seconds(resource.RUSAGE_CHILDREN) - child
    receive = cpu_seconds(resource.RUSAGE_SELF) - own
    tracker = Tracker()
    search = ClipSearch(analyzer._detector)
    found = [analyzer._detector.detect(frame.rgb) for frame in frames]
    pairs = [(frame, faces[0]) for frame, faces in zip(frames, found, strict=True) if faces]
    model = analyzer._model
    crops = [crop_face(frame.rgb, face, model.input) for frame, face in pairs]

    def timed(work: Callable[[], Iterator[object] | list[object]]) -> float:
        start = time.process_time()
        list(work())
        return time.process_time() - start

    batch = settings.video_batch_size
    seconds = {
        "decode (child)": decode,
        "receive": receive,
        "detect": timed(lambda: (search.faces(frame.rgb) for frame in frames)),
        "track": timed(lambda: (tracker.update(frame.rgb, frame.time, [face], frame.scale) for frame, face in pairs)),
        "gates": timed(lambda: (analyzer._gates.check(frame.rgb, face, frame.scale) for frame, face in pairs)),
        "crop": timed(lambda: (crop_face(frame.rgb, face, model.input) for frame, face in pairs)),
        "model": timed(lambda: (model.logits(crops[i : i + batch]) for i in range(0, len(crops), batch))),
    }
    return {name: round(1e3 * value / len(frames), 2) for name, value in seconds.items()}


def judge(path: Path, sample_rate: int | None, settings: VideoSettings) -> dict[str, object]:
    """One analysis: what it cost and said."""
    analyzer = VideoAnalyzer(settings)
    own, child = cpu_seconds(resource.RUSAGE_SELF), cpu_seconds(resource.RUSAGE_CHILDREN)
    peaks = [0]
    job = Job(on_progress=lambda _: peaks.extend(map(peak_bytes, children())))
    report = analyzer.analyze(path, AnalysisOptions(sample_rate=sample_rate), job)
    return {
        "wall_s": round(report.processing_seconds, 2),
        "cpu_s": round(cpu_seconds(resource.RUSAGE_SELF) - own, 2),
        "decoder_cpu_s": round(cpu_seconds(resource.RUSAGE_CHILDREN) - child, 2),
        "peak_mb": peak_bytes(os.getpid()) >> 20,
        "decoder_peak_mb": max(peaks) >> 20,
        "analyzed_frames": report.analyzed_frames,
        "tracks": len(report.faces),
    }


def judge_apart(path: Path, sample_rate: int | None, model_dir: Path | None) -> dict[str, object]:
    """`judge` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.video", "--judge", str(path)]
    command += ["--sample-rate", str(sample_rate)] if sample_rate else []
    command += ["--model-dir", str(model_dir)] if model_dir else []
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, object] = json.loads(done.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model-dir", type=Path, help="another bundle instead of models/video")
    parser.add_argument("--hours", type=float, default=1.0, help="length of the long video")
    parser.add_argument("--judge", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--sample-rate", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    settings = VideoSettings(**({"model_dir": options.model_dir} if options.model_dir else {}))
    if options.judge:
        print(json.dumps(judge(options.judge, options.sample_rate, settings)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips: dict[str, tuple[Path, int | None]] = {
            "5 s 640x360": (write_clip(folder / "small.mp4", 5, (640, 360), 100), None),
            "10 s 1280x720": (write_clip(folder / "hd.mp4", 10, (1280, 720), 200), None),
            "20 s 1920x1080": (write_clip(folder / "loop.mp4", LOOP_SECONDS, (1920, 1080), 300), None),
        }
        clips["20 s 1920x1080, sample_rate 30"] = (folder / "loop.mp4", 30)
        long = repeat(folder / "loop.mp4", folder / "long.mp4", round(options.hours * 3600 / LOOP_SECONDS))
        clips[f"{options.hours:g} h 1920x1080"] = (long, None)
        analyzer = VideoAnalyzer(settings)
        print(f"model {analyzer.model.name} {analyzer.model.version} ({analyzer.model.variant}),", end=" ")
        print(f"{settings.runtime().session_threads} threads, {settings.runtime().cpu.model_name}")
        for clip in ("small.mp4", "hd.mp4", "loop.mp4"):
            print(clip, "CPU ms a frame:", stages(analyzer, folder / clip))
        for title, (path, sample_rate) in clips.items():
            print(f"{title}:", judge_apart(path, sample_rate, options.model_dir))


if __name__ == "__main__":
    main()
