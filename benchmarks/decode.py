"""What decoding costs: every frame of a video against the chosen ones, and two hours of sound.

    python -m benchmarks.decode [--seconds 60] [--hours 2] [--threads 1]

The video is noisy 1080p30 H.264 with a key frame every two seconds; the sound is stereo AAC. Each case runs in a
process of its own. CPU seconds are user and system time, of the decoder child with its start-up and of the reader;
compare cases of one run, not runs.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from sg_common.analysis import Job
from sg_common.media import DecodeLimits, FrameBudget, open_audio, open_video

from testbed.media import Picture, Sound, tone, write_media, write_video

WIDTH, HEIGHT, FPS = 1920, 1080, 30
KEY_FRAMES = {"preset": "superfast", "crf": "30", "g": "60", "bf": "3"}
SOUND_RATE = 44100


@dataclass(frozen=True)
class Cost:
    """CPU seconds and peak resident MB of the decoder child and of the reader, and what came out."""

    child_seconds: float
    reader_seconds: float
    child_megabytes: float
    reader_megabytes: float
    given: str


def noisy_video(path: Path, seconds: int) -> None:
    """A slow pan over a noisy scene; the noise differs from frame to frame."""
    chance = np.random.default_rng(0)
    scene = chance.integers(60, 190, (HEIGHT // 40 + 2, WIDTH // 40 + 60, 3)).repeat(40, axis=0).repeat(40, axis=1)
    grain = chance.normal(0, 6, (HEIGHT + 64, WIDTH + 64, 1))

    def picture(number: int, width: int, height: int) -> Picture:
        shift, down = number % 2000, number * 7 % 64
        noise = grain[down : down + height, number * 13 % 64 :][:, :width]
        return np.clip(scene[:height, shift : shift + width] + noise, 0, 255).astype(np.uint8)

    write_video(path, frames=seconds * FPS, picture=picture, size=(WIDTH, HEIGHT), options=KEY_FRAMES)


def long_sound(path: Path, hours: float) -> None:
    """A minute of AAC, again and again: its frames (ADTS) need no container around them."""
    minute = write_media(path.with_name("minute.aac"), sound=Sound(tone(60.0, SOUND_RATE, 2), SOUND_RATE)).read_bytes()
    with path.open("wb") as sound:
        for _ in range(round(hours * 60)):
            sound.write(minute)


def read_video(path: Path, sample_rate: int | None, threads: int) -> Cost:
    limits = DecodeLimits(threads=threads)
    with open_video(path, sample_rate=sample_rate, budget=FrameBudget(), limits=limits, job=Job()) as reader:
        count = sum(1 for _ in reader)
    return _cost(f"{count} of {reader.info.total_frames} frames")


def read_audio(path: Path, threads: int) -> Cost:
    with open_audio(path, sample_rate=16000, limits=DecodeLimits(threads=threads), job=Job()) as reader:
        samples = sum(block.shape[1] for block in reader)
    return _cost(f"{samples / 16000:.0f} s")


def _cost(given: str) -> Cost:
    child, reader = (resource.getrusage(who) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF))
    return Cost(
        child_seconds=child.ru_utime + child.ru_stime,
        reader_seconds=reader.ru_utime + reader.ru_stime,
        child_megabytes=child.ru_maxrss / 1024,
        reader_megabytes=reader.ru_maxrss / 1024,
        given=given,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="length of the video")
    parser.add_argument("--hours", type=float, default=2.0, help="length of the sound")
    parser.add_argument("--threads", type=int, default=1, help="codec threads")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        video, sound = Path(folder) / "video.mp4", Path(folder) / "sound.aac"
        spawn = get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as pool:
            pool.submit(noisy_video, video, options.seconds).result()
            pool.submit(long_sound, sound, options.hours).result()
            costs = {
                "every frame": pool.submit(read_video, video, 1, options.threads).result(),
                "one in 30": pool.submit(read_video, video, 30, options.threads).result(),
                "chosen frames": pool.submit(read_video, video, None, options.threads).result(),
                f"{options.hours:g} h of sound": pool.submit(read_audio, sound, options.threads).result(),
            }
    print(f"{'case':16} {'given':>18} {'child s':>8} {'reader s':>8} {'child MB':>8} {'reader MB':>9} {'share':>6}")
    whole = costs["every frame"].child_seconds
    for name, cost in costs.items():
        share = "" if "sound" in name else f"{cost.child_seconds / whole:6.1%}"
        print(
            f"{name:16} {cost.given:>18} {cost.child_seconds:8.2f} {cost.reader_seconds:8.2f} "
            f"{cost.child_megabytes:8.0f} {cost.reader_megabytes:9.0f} {share:>6}"
        )


if __name__ == "__main__":
    main()
