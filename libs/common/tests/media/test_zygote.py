"""Forked children: as good as fresh ones, whatever happens to their parent."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sg_common.analysis import Job
from sg_common.errors import Unavailable
from sg_common.media import DecodeLimits, Decoders, open_audio
from sg_common.media import children as children_module
from sg_common.media import zygote as zygote_module
from sg_common.media.process import DecoderProcess

from testbed.media import tone, write_audio
from testbed.processes import decoders as decoder_processes
from testbed.processes import is_running, proportional_bytes, zygotes

SPAWN = children_module.start

# What a child sees of itself once it is confined, in place of what it would decode; and, if asked to, a mess.
PROBE = """
import gc, json, os, random, resource, signal, socket, sys
from sg_decoder import sandbox
from sg_decoder.limits import DecodeLimits
from sg_decoder.zygote import Zygote

def target(number):
    try:
        return os.readlink("/proc/self/fd/" + number).partition(":")[0]
    except FileNotFoundError:  # that of the listing
        return "pipe"

def probe(request):
    sandbox.confine(DecodeLimits(**request["limits"]), parent=request["parent"])
    import numpy
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    facts = {
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "umask": status["Umask"],
        "threads": status["Threads"],
        "signals": [status[name] for name in ("SigBlk", "SigIgn", "SigCgt", "SigPnd")],
        "rights": [status[name] for name in ("CapEff", "CapPrm", "NoNewPrivs", "Uid", "Gid", "Groups")],
        "limits": open("/proc/self/limits").read(),
        "leads": [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()],
        "collects": [gc.isenabled(), gc.get_threshold()],
        "descriptors": sorted({target(n) for n in os.listdir("/proc/self/fd")}),
        "place": os.lseek(request["descriptor"], 0, os.SEEK_CUR),
        "processor": sum(os.times()[:2]) < 30,
    }
    chance = [random.random(), float(numpy.random.rand()), float(numpy.random.default_rng().random())]
    if request["kind"] == "mess":
        os.environ["MESS"] = "1"
        os.chdir("/tmp")
        os.umask(0)
        random.seed(1)
        numpy.random.seed(1)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
        gc.disable()
        if (left := os.fork()) == 0:
            signal.pause()
        facts["left"] = left
    answer = json.dumps({"type": "facts", "size": 0, "facts": facts, "chance": chance}).encode()
    sys.stdout.buffer.write(len(answer).to_bytes(4, "big") + answer)
    sys.stdout.buffer.flush()
    os._exit(0)

if sys.argv[1] == "sg_decoder":
    probe(json.loads(sys.stdin.buffer.readline()))
sandbox.harden()
Zygote(socket.socket(fileno=0), probe).serve()
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_audio(tmp_path_factory.mktemp("clip") / "clip.flac", tone(1.0, 8000), rate=8000, codec="flac")


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More than the pipe holds: its child waits."""
    return write_audio(tmp_path_factory.mktemp("song") / "song.flac", tone(600.0, 8000), rate=8000, codec="flac")


@pytest.fixture
def started() -> list[str]:
    """How processes were started."""
    return []


@pytest.fixture
def own(started: list[str]) -> Iterator[Decoders]:
    with contextlib.closing(Decoders(100, started.append)) as decoders:
        yield decoders


def decode(path: Path, decoders: Decoders) -> int:
    with open_audio(path, sample_rate=8000, limits=DecodeLimits(), job=Job(60, decoders=decoders)) as reader:
        return sum(block.size for block in reader)


@contextlib.contextmanager
def decoding(path: Path, decoders: Decoders) -> Iterator[Iterator[Any]]:
    """A child in the middle of its file."""
    with open_audio(path, sample_rate=16000, limits=DecodeLimits(), job=Job(60, decoders=decoders)) as reader:
        blocks = iter(reader)
        next(blocks)
        yield blocks


def the_zygote(before: set[int]) -> int:
    (number,) = zygotes() - before
    return number


def until(done: Callable[[], bool]) -> None:
    for _ in range(200):
        if done():
            return
        time.sleep(0.05)
    pytest.fail("it did not come to that")


def see(kind: str, path: Path, decoders: Decoders) -> tuple[dict[str, Any], list[float]]:
    request = {"kind": kind}
    with DecoderProcess(path, request, limits=DecodeLimits(), job=Job(60, decoders=decoders), max_payload=0) as child:
        header, _ = child.receive()
    return header["facts"], header["chance"]


def test_a_forked_child_is_as_a_fresh_one(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*arguments: str, **streams: Any) -> Any:
        return SPAWN("-c", PROBE, arguments[1], **streams)

    monkeypatch.setattr(children_module, "start", start)
    monkeypatch.setattr(zygote_module, "start", start)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    fresh, _ = see("look", clip, Decoders(0))
    with contextlib.closing(Decoders(100)) as decoders:
        first, chance = see("mess", clip, decoders)
        second, other = see("look", clip, decoders)
    assert not is_running(first.pop("left"))
    assert first == second == fresh
    assert fresh["environment"].keys() <= {
        "LC_ALL",
        "OPENBLAS_NUM_THREADS",
        "MALLOC_ARENA_MAX",
        "TZ",
        "LD_LIBRARY_PATH",
    }
    assert not set(chance) & set(other)


def test_a_zygote_that_dies_is_started_again(clip: Path, own: Decoders, started: list[str]) -> None:
    before = zygotes()
    assert decode(clip, own) == 8000
    first = the_zygote(before)
    os.kill(first, signal.SIGKILL)
    until(lambda: not is_running(first))
    assert decode(clip, own) == 8000
    assert the_zygote(before) != first
    assert started == ["zygote", "forked", "zygote", "forked"]


def test_a_file_whose_zygote_dies_may_be_sent_again(song: Path, clip: Path, own: Decoders) -> None:
    before = zygotes()
    with decoding(song, own) as blocks:
        (child,) = decoder_processes()
        os.kill(the_zygote(before), signal.SIGKILL)
        with pytest.raises(Unavailable, match="again"):
            list(blocks)
    until(lambda: not is_running(child))
    assert decode(clip, own) == 8000


def test_without_a_zygote_children_are_fresh(
    clip: Path, own: Decoders, started: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(zygote_module, "RETRY_SECONDS", 0.0)
    with monkeypatch.context() as broken:
        broken.setattr(zygote_module, "start", lambda *_, **streams: SPAWN("-c", "raise SystemExit(1)", **streams))
        assert decode(clip, own) == decode(clip, own) == 8000
    assert started == ["zygote", "fresh"] * 2
    assert decode(clip, own) == 8000
    assert started[4:] == ["zygote", "forked"]
    told = [record for record in caplog.records if "can't be forked" in record.message]
    assert [record.levelno for record in told] == [logging.WARNING]


def test_a_zygote_that_does_not_start_is_not_tried_for_every_file(
    clip: Path, own: Decoders, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zygote_module, "start", lambda *_, **streams: SPAWN("-c", "raise SystemExit(1)", **streams))
    decode(clip, own)
    decode(clip, own)
    assert started == ["zygote", "fresh", "fresh"]


def test_a_stuck_zygote_is_replaced(song: Path, clip: Path, own: Decoders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zygote_module, "ANSWER_SECONDS", 0.5)
    before = zygotes()
    with decoding(song, own):
        (child,) = decoder_processes()
        stuck = the_zygote(before)
        os.kill(stuck, signal.SIGSTOP)
    until(lambda: not is_running(child))
    assert not is_running(stuck)
    assert decode(clip, own) == 8000


def test_it_is_replaced_after_some_files(song: Path, clip: Path) -> None:
    before = zygotes()
    with contextlib.closing(Decoders(2)) as decoders:
        with decoding(song, decoders) as blocks:
            first = the_zygote(before)
            for _ in range(2):
                decode(clip, decoders)
            # Its file is not done yet.
            assert is_running(first)
            assert first in zygotes() - before
            assert len(zygotes() - before) == 2
            list(blocks)
        assert first not in zygotes()
        decode(clip, decoders)
        assert len(zygotes() - before) == 1
    assert zygotes() == before


def test_closing_ends_what_runs(song: Path, clip: Path) -> None:
    before = zygotes()
    decoders = Decoders(100)
    with decoding(song, decoders) as blocks:
        (child,) = decoder_processes()
        decoders.close()
        assert zygotes() == before
        with pytest.raises(Unavailable):
            list(blocks)
    until(lambda: not is_running(child))
    assert decode(clip, decoders) == 8000
    assert zygotes() == before


def test_its_memory(warm: Decoders, clip: Path) -> None:
    """Pages that it shares are counted once among those who share them."""
    decode(clip, warm)
    for number in zygotes():
        assert proportional_bytes(number) < 45e6
        assert len(list(Path(f"/proc/{number}/task").iterdir())) == 1


def test_many_files_leave_everything_as_it_was() -> None:
    root = Path(__file__).resolve().parents[4]
    command = [sys.executable, "-m", "benchmarks.endurance", "--files", "300"]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
