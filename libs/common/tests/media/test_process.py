"""The child: what it may not do, how it ends, and that it never outlives its reader."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sg_common.analysis import Job
from sg_common.errors import Cancelled, DeadlineExceeded, Undecodable
from sg_common.media import DecodeLimits, Decoders, FrameBudget, open_audio, open_video

from testbed.media import tone, write_audio, write_video
from testbed.processes import decoders as decoder_processes
from testbed.processes import is_running, zygotes

from .conftest import DecodeVideo, NewJob

PATIENT = DecodeLimits()


@pytest.fixture(params=["forked", "fresh"])
def decoders(request: pytest.FixtureRequest, warm: Decoders) -> Decoders:
    """Both ways to a child: nothing but its start may differ."""
    return warm if request.param == "forked" else Decoders(0)


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten minutes, more than the pipe holds: the child waits for its reader."""
    return write_audio(tmp_path_factory.mktemp("song") / "song.flac", tone(600.0, 8000), rate=8000, codec="flac")


class Only:
    """The one child of this process."""

    def __init__(self) -> None:
        (self.number,) = decoder_processes()

    def status(self, field: str) -> str:
        lines = Path(f"/proc/{self.number}/status").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(field + ":"))


def test_leaving_early_ends_the_child(song: Path, new_job: NewJob) -> None:
    with open_audio(song, sample_rate=16000, limits=PATIENT, job=new_job(60)) as reader:
        assert len(decoder_processes()) == 1
        next(iter(reader))
    assert not decoder_processes()
    with pytest.raises(ZeroDivisionError), open_audio(song, sample_rate=16000, limits=PATIENT, job=new_job(60)):
        raise ZeroDivisionError
    assert not decoder_processes()


def read_all(path: Path, job: Job, limits: DecodeLimits = PATIENT, rate: int = 16000, pause: float = 0.0) -> None:
    with open_audio(path, sample_rate=rate, limits=limits, job=job) as reader:
        for _ in reader:
            time.sleep(pause)


def test_cancelling_stops_within_a_moment(song: Path, new_job: NewJob) -> None:
    job = new_job(60)
    threading.Timer(0.5, job.cancel).start()
    with pytest.raises(Cancelled):
        read_all(song, job, pause=0.1)


def test_a_passed_deadline_stops_a_waiting_reader(song: Path, new_job: NewJob) -> None:
    job = new_job(5)
    with open_audio(song, sample_rate=16000, limits=PATIENT, job=job) as reader:
        os.kill(Only().number, signal.SIGSTOP)
        with pytest.raises(DeadlineExceeded):
            list(reader)
    with pytest.raises(DeadlineExceeded):
        read_all(song, job)


def test_a_child_that_makes_no_progress_is_stopped(song: Path, new_job: NewJob) -> None:
    limits = DecodeLimits(stall_seconds=0.3)
    with open_audio(song, sample_rate=16000, limits=PATIENT, job=new_job(60)) as reader:
        reader_child = reader._child
        reader_child._limits = limits
        os.kill(Only().number, signal.SIGSTOP)
        with pytest.raises(Undecodable, match="no progress"):
            list(reader)


@pytest.mark.parametrize("how", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_crash_costs_one_request(song: Path, how: signal.Signals, new_job: NewJob) -> None:
    with open_audio(song, sample_rate=16000, limits=PATIENT, job=new_job(60)) as reader:
        os.kill(Only().number, how)
        with pytest.raises(Undecodable, match="breaks the media decoder"):
            list(reader)


def test_memory_and_processor_time_are_limited(
    tmp_path: Path, song: Path, decode_video: DecodeVideo, new_job: NewJob
) -> None:
    video = write_video(tmp_path / "large.mp4", frames=4, size=(1920, 1088))
    with pytest.raises(Undecodable, match=r"memory|breaks"):
        decode_video(video, memory_bytes=120 * 1024**2)
    with pytest.raises(Undecodable, match="processor time"):
        read_all(song, new_job(120), DecodeLimits(cpu_seconds=1), rate=384_000)


def test_what_the_child_has_given_up(song: Path, monkeypatch: pytest.MonkeyPatch, new_job: NewJob) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    with open_audio(song, sample_rate=16000, limits=PATIENT, job=new_job(60)):
        child = Only()
        folder = Path(f"/proc/{child.number}")
        assert b"hush" not in (folder / "environ").read_bytes()
        assert child.status("NoNewPrivs") == "1"
        limits = (folder / "limits").read_text()
        for line in (
            "Max file size             0 ",
            "Max core file size        0 ",
            "Max address space         2147483648 ",
        ):
            assert line in limits
        targets = [str(entry.readlink()) for entry in (folder / "fd").iterdir()]
        assert str(song) in targets
        assert not [target for target in targets if target.startswith("socket:")]
        assert os.getpgid(child.number) == child.number


@pytest.mark.parametrize("files", [0, 100])
def test_the_child_dies_with_the_service(song: Path, files: int) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom sg_common.analysis import Job\n"
        "from sg_common.media import DecodeLimits, Decoders, open_audio\n"
        "job = Job(60, decoders=Decoders(int(sys.argv[2])))\n"
        "with open_audio(Path(sys.argv[1]), sample_rate=16000, limits=DecodeLimits(), job=job):\n"
        "    print('decoding', flush=True)\n    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script, str(song), str(files)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        service.stdout.readline()
        processes = decoder_processes(service.pid) | zygotes(service.pid)
        assert len(processes) == (2 if files else 1)
        service.kill()
    for _ in range(100):
        if not any(is_running(number) for number in processes):
            return
        time.sleep(0.05)
    pytest.fail("a decoder process outlived the service")


def test_many_readers_at_once(tmp_path: Path, new_job: NewJob) -> None:
    video = write_video(tmp_path / "clip.mp4", frames=30)
    seen: list[int] = []

    def read() -> None:
        with open_video(video, sample_rate=1, budget=FrameBudget(), limits=PATIENT, job=new_job(60)) as reader:
            seen.append(sum(1 for _ in reader))

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [30] * 6


def test_slow_readers_hold_the_child_back(tmp_path: Path, new_job: NewJob) -> None:
    """Frames wait in the pipe, not in memory."""
    video = write_video(tmp_path / "clip.mp4", frames=100, size=(320, 240))
    with open_video(video, sample_rate=1, budget=FrameBudget(), limits=PATIENT, job=new_job(60)) as reader:
        frames = iter(reader)
        next(frames)
        time.sleep(1.0)
        resident = int(Only().status("VmRSS").split()[0])
        assert resident < 250_000
        assert sum(1 for _ in frames) == 99
