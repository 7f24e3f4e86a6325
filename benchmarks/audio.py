"""What the audio analyzer costs: CPU seconds per minute of speech, stage by stage, and memory on two hours.

    python -m benchmarks.audio [--model-dir models/audio] [--hours 2]

The recording is synthetic speech (eSpeak NG) as 48 kHz stereo AAC in an MP4 file, as a telephone's camera records it;
the call has a person on each channel, who take turns.
CPU seconds are user and system time of the service and its decoder child, so they do not depend on the cores at hand.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from audio_analyzer.analyzer import AudioAnalyzer
from audio_analyzer.model import VoiceModel
from audio_analyzer.settings import AudioSettings
from audio_analyzer.speech import Samples, SpeechStream, VoiceActivity
from audio_analyzer.windows import LONGEST_PAUSE_SECONDS, Windower
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from sg_common.analysis import AnalysisOptions, Job
from sg_common.media import open_audio

from benchmarks.record import machine
from testbed.media import repeat
from testbed.processes import children, cpu_seconds, peak_bytes
from testbed.speech import RATE, speech

MINUTES = 10
"""Length of the recordings that the stages are measured on."""
TURN_SECONDS = 5
"""How long each speaks in the call with a person on each channel."""


def measure(work: Callable[[], object]) -> float:
    """CPU seconds per minute of speech of work on the recording of `MINUTES`."""
    start = cpu_seconds({os.getpid()})
    work()
    return (cpu_seconds({os.getpid()}) - start) / MINUTES


def recordings() -> tuple[Samples, Samples]:
    """Of `MINUTES` in two channels (2, T): one voice on both, and two people who take turns on a channel each."""
    one = speech(60 * MINUTES)
    turns = np.arange(one.size) // (TURN_SECONDS * RATE) % 2
    return np.stack([one, one]), np.stack([turns * one, (1 - turns) * one])


def encode(path: Path, samples: Samples) -> None:
    """Write channels (2, T) at `RATE`."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=48000)
        assert isinstance(stream, AudioStream)
        stream.layout = "stereo"
        stream.bit_rate = 128_000
        for start in range(0, samples.shape[1], 4096):
            part = np.ascontiguousarray(samples[:, start : start + 4096], np.float32)
            frame = AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
            frame.sample_rate = RATE
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def decoded(path: Path, settings: AudioSettings) -> list[Samples]:
    with open_audio(path, sample_rate=RATE, limits=settings.decode_limits(), job=Job()) as reader:
        return [block.mean(axis=0) for block in reader]


def stages(path: Path, call: Path, settings: AudioSettings) -> dict[str, float]:
    """CPU seconds per minute of speech, of one voice and of a call with a person on each channel."""
    runtime = settings.runtime()
    vad_dir = settings.voice_activity_dir or settings.bundle_dir("voice_activity")
    voice_activity = VoiceActivity.load(vad_dir, runtime)
    model = VoiceModel.load(settings.model_dir or settings.bundle_dir("audio"), runtime)
    analyzer = AudioAnalyzer(settings)
    blocks = decoded(path, settings)
    stream = SpeechStream(voice_activity)
    windower = Windower(model.input.window, model.input.hop, round(LONGEST_PAUSE_SECONDS * RATE))
    pieces = [piece for block in blocks for piece in stream.feed(block)] + list(stream.finish())
    windows = [w.samples for piece in pieces for w in windower.feed(piece)] + [w.samples for w in windower.finish()]
    size = settings.audio_batch_size

    def find_speech() -> None:
        again = SpeechStream(voice_activity)
        for block in blocks:
            for _ in again.feed(block):
                pass

    result = {
        "decoding (child process)": measure(lambda: decoded(path, settings)),
        "speech detection": measure(find_speech),
        "model": measure(lambda: [model.logits(windows[i : i + size]) for i in range(0, len(windows), size)]),
        "whole analysis": measure(lambda: analyzer.analyze(path, AnalysisOptions(), Job())),
        "whole analysis of a call": measure(lambda: analyzer.analyze(call, AnalysisOptions(), Job())),
    }
    return {f"{model.info.name} {model.info.version} {model.info.variant}": 0.0, **result}


def long_file(path: Path, settings: AudioSettings) -> dict[str, float]:
    """Wall and CPU seconds and the peak resident memory of this fresh process and its decoder child, MiB."""
    analyzer = AudioAnalyzer(settings)
    before = peak_bytes(os.getpid())
    start = time.monotonic()
    peaks = [0]
    job = Job(on_progress=lambda _: peaks.extend(map(peak_bytes, children())))
    report = analyzer.analyze(path, AnalysisOptions(), job)
    return {
        "audio hours": round(report.audio_duration / 3600, 2),
        "segments": len(report.segments),
        "wall seconds": round(time.monotonic() - start, 1),
        "CPU seconds": round(cpu_seconds({os.getpid()}), 1),
        "MiB when loaded": before >> 20,
        "MiB at the peak": peak_bytes(os.getpid()) >> 20,
        "MiB of the decoder child": max(peaks) >> 20,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU seconds per minute of speech and memory of the audio analyzer")
    parser.add_argument("--model-dir", type=Path, help="another bundle instead of models/audio")
    parser.add_argument("--hours", type=float, default=2.0, help="length of the long recording; 0 leaves it out")
    parser.add_argument("--long-file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    settings = AudioSettings(model_dir=arguments.model_dir) if arguments.model_dir else AudioSettings()
    if arguments.long_file:
        print(json.dumps(long_file(arguments.long_file, settings)))
        return
    print(f"{machine()}; numpy {np.__version__}, PyAV {av.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        path, call = Path(folder) / "speech.mp4", Path(folder) / "call.mp4"
        for recording, samples in zip((path, call), recordings(), strict=True):
            encode(recording, samples)
        for name, value in stages(path, call, settings).items():
            print(f"{name:28s} {value:.3f} CPU s per minute of speech" if value else name, flush=True)
        if not arguments.hours:
            return
        target = path.with_name("long.mp4")
        repeat(path, target, round(arguments.hours * 60 / MINUTES))
        command = [sys.executable, "-m", "benchmarks.audio", "--long-file", str(target)]
        if arguments.model_dir:
            command += ["--model-dir", str(arguments.model_dir)]
        # A fresh process, so that its peak is that of this one analysis.
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    for name, value in json.loads(done.stdout).items():
        print(f"{name:28s} {value}")


if __name__ == "__main__":
    main()
