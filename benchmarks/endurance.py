"""Decode file after file, and see that nothing grows: memory, descriptors, processes.

    python -m benchmarks.endurance [--files 10000]      (make bench-endurance)

Sound, pictures, damaged media and text by turns, some left before their end, all by children of one parent that is not
replaced meanwhile. The first files are not compared: caches and pools fill. The exit status is 1 when something grew.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from sg_common.analysis import Job
from sg_common.errors import ServiceError
from sg_common.media import DecodeLimits, Decoders, FrameBudget, open_audio, open_video

from testbed.media import Film, Sound, cut, tone, write_audio, write_media
from testbed.processes import family, proportional_bytes

FIRST_FILES = 100
MEMORY_MARGIN = 4_000_000
"""Bytes that allocators may come to hold between two looks."""


@dataclass(frozen=True)
class Holdings:
    """What this process and those below it hold. `memory`: bytes that are no file's, shared ones counted once."""

    memory: int
    descriptors: int
    processes: int

    def __str__(self) -> str:
        return f"{self.memory / 1e6:.1f} MB, {self.descriptors} descriptors, {self.processes} processes"

    def grew(self, before: Holdings) -> bool:
        more = self.descriptors > before.descriptors or self.processes > before.processes
        return more or self.memory > before.memory + MEMORY_MARGIN


def holdings() -> Holdings:
    processes = {os.getpid(), *family()}
    return Holdings(
        memory=sum(proportional_bytes(number, "Pss_Anon") for number in processes),
        descriptors=sum(len(list(Path(f"/proc/{number}/fd").iterdir())) for number in processes),
        processes=len(processes),
    )


def make_files(folder: Path) -> list[Path]:
    film = write_media(folder / "film.mp4", film=Film(frames=10), sound=Sound(tone(1.0)))
    text = folder / "text.mp4"
    text.write_text("not media")
    return [
        write_audio(folder / "note.ogg", tone(2.0, 48000), rate=48000, codec="libopus"),
        film,
        cut(film, folder / "cut.mp4", 0.5),
        text,
        write_audio(folder / "long.flac", tone(60.0, 8000), rate=8000, codec="flac"),
    ]


def decode(path: Path, decoders: Decoders) -> None:
    """As sound and, where it may be a video, as pictures; a long file is left after its first part."""
    limits = DecodeLimits()
    with suppress(ServiceError):
        job = Job(60, decoders=decoders)
        with open_audio(path, sample_rate=16000, limits=limits, job=job) as sound:
            for _ in itertools.islice(sound, 1):
                pass
    if path.suffix == ".mp4":
        with suppress(ServiceError):
            job = Job(60, decoders=decoders)
            with open_video(path, sample_rate=1, budget=FrameBudget(), limits=limits, job=job) as film:
                for _ in film:
                    pass


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    files = parser.parse_args().files
    with tempfile.TemporaryDirectory() as folder, closing(Decoders(10 * (FIRST_FILES + files))) as decoders:
        media = itertools.cycle(make_files(Path(folder)))
        for path in itertools.islice(media, FIRST_FILES):
            decode(path, decoders)
        before, started = holdings(), time.monotonic()
        for path in itertools.islice(media, files):
            decode(path, decoders)
        after = holdings()
    print(f"before: {before}\nafter {files} files in {time.monotonic() - started:.0f} s: {after}")
    return 1 if after.grew(before) else 0


if __name__ == "__main__":
    raise SystemExit(main())
