"""The number and time of every frame, read back from its pixels, in every codec and container."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from sg_common.media import Frame, FrameBudget

from testbed.fields import write_fields
from testbed.media import Picture, numbered_picture, read_number, remux, write_video

from .conftest import DecodeVideo

FRAMES = 60
KEYED = {"g": "12", "bf": "3"}
QUICK = {"g": "12", "deadline": "realtime", "cpu-used": "8"}
LONG = FrameBudget(whole_seconds=0.5, long_frames=12, extra_frames=20)
TIMES = tuple(3.0 + np.cumsum(np.random.default_rng(1).uniform(0.01, 0.1, FRAMES)))
KINDS: dict[str, dict[str, Any]] = {
    "h264.mp4": {"options": KEYED},
    "h264.mkv": {"options": KEYED},
    "h264.ts": {"options": KEYED},
    "h264.flv": {"options": KEYED},
    "h264.avi": {"options": KEYED},
    "raw.h264": {"options": KEYED},
    "open.mp4": {"options": {**KEYED, "x264-params": "open-gop=1"}},
    "open.ts": {"options": {**KEYED, "x264-params": "open-gop=1"}},
    "open.h264": {"options": {**KEYED, "x264-params": "open-gop=1"}},
    "open.avi": {"options": {**KEYED, "x264-params": "open-gop=1"}},
    "open.hevc": {"codec": "libx265", "options": {"x265-params": "log-level=none:open-gop=1:keyint=12:bframes=3"}},
    "av1.mp4": {"codec": "libsvtav1", "options": {"preset": "12", "g": "30"}},
    "refresh.mp4": {"options": {"g": "12", "bf": "0", "x264-params": "intra-refresh=1"}},
    "interlaced.ts": {"options": {**KEYED, "flags": "+ilme+ildct", "x264-params": "interlaced=1"}},
    "hevc.mp4": {"codec": "libx265", "options": {"g": "12", "x265-params": "log-level=none:open-gop=1"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"g": "12", "bf": "2"}},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": {"g": "12", "bf": "2"}},
    "vp8.webm": {"codec": "libvpx", "options": {**QUICK, "auto-alt-ref": "1", "lag-in-frames": "16"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {**QUICK}},
    "motion.mov": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "prores.mov": {"codec": "prores_ks", "pixels": "yuv422p10le"},
    "loop.gif": {"codec": "gif", "pixels": "rgb8", "fps": 25},
    "uneven.mp4": {"times": TIMES, "options": KEYED},
    "uneven.ts": {"times": TIMES, "options": KEYED},
    "turned.mp4": {"turned": 90, "options": KEYED},
}


def numbers(frames: list[Frame]) -> list[int]:
    """The frames' numbers, once it is clear that they are true."""
    claimed = [frame.number for frame in frames]
    assert claimed == [read_number(frame.rgb) for frame in frames]
    assert claimed == sorted(set(claimed))
    return claimed


@pytest.mark.parametrize("name", KINDS)
def test_numbers_are_true_in_every_mode(tmp_path: Path, decode_video: DecodeVideo, name: str) -> None:
    kind = KINDS[name]
    path = write_video(tmp_path / name, frames=FRAMES, **kind)

    info, every_seventh = decode_video(path, sample_rate=7)
    assert numbers(every_seventh) == list(range(0, FRAMES, 7))
    assert info.total_frames == FRAMES

    _, whole = decode_video(path)
    assert len(numbers(whole)) == 32

    _, long = decode_video(path, budget=LONG)
    given = numbers(long)
    assert given
    assert len(given) <= LONG.long_frames
    if "times" not in kind:
        assert info.fps == pytest.approx(kind.get("fps", 30), rel=0.01)
        assert info.duration == pytest.approx(FRAMES / kind.get("fps", 30), rel=0.01)


@pytest.mark.parametrize("name", ["uneven.mp4", "uneven.mkv", "uneven.ts"])
def test_times_count_from_the_first_frame(tmp_path: Path, decode_video: DecodeVideo, name: str) -> None:
    path = write_video(tmp_path / name, frames=FRAMES, times=TIMES, options=KEYED)
    info, frames = decode_video(path, sample_rate=1)
    expected = [TIMES[frame.number] - TIMES[0] for frame in frames]
    assert [frame.time for frame in frames] == pytest.approx(expected, abs=0.0015)
    assert info.fps == pytest.approx((FRAMES - 1) / (TIMES[-1] - TIMES[0]), rel=0.01)


def test_a_clip_gives_the_same_frames_in_every_container(tmp_path: Path, decode_video: DecodeVideo) -> None:
    source = write_video(tmp_path / "clip.mp4", frames=FRAMES, options=KEYED)
    for budget in (FrameBudget(), LONG):
        _, expected = decode_video(source, budget=budget)
        for suffix in ("mkv", "mov", "ts"):
            _, frames = decode_video(remux(source, tmp_path / f"other.{suffix}"), budget=budget)
            assert [frame.number for frame in frames] == [frame.number for frame in expected], suffix
            for one, other in zip(frames, expected, strict=True):
                np.testing.assert_array_equal(one.rgb, other.rgb, err_msg=suffix)


def test_spliced_transport_streams_keep_counting(tmp_path: Path, decode_video: DecodeVideo) -> None:
    first = write_video(tmp_path / "a.ts", frames=30, options=KEYED)
    second = write_video(
        tmp_path / "b.ts",
        frames=30,
        options=KEYED,
        picture=lambda number, width, height: numbered_picture(number + 30, width, height),
    )
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    info, frames = decode_video(joined, sample_rate=5)
    assert info.total_frames == 60
    assert numbers(frames) == list(range(0, 60, 5))
    assert info.duration == pytest.approx(2.0, abs=0.1)


def fields_picture(number: int) -> Picture:
    """A numbered picture above lines by turns bright and dark."""
    lines = np.tile(np.array([[[220]], [[40]]], np.uint8), (16, 96, 3))
    return np.concatenate([numbered_picture(number, 96, 96), lines])


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fields") / "fields.h264"
    return write_fields(path, [fields_picture(number) for number in range(26)])


@pytest.mark.parametrize("suffix", ["h264", "ts", "mkv", "mp4"])
def test_two_fields_are_one_frame(tmp_path: Path, decode_video: DecodeVideo, fields: Path, suffix: str) -> None:
    path = fields if suffix == "h264" else remux(fields, tmp_path / f"fields.{suffix}", stamp_fields=50)
    for sample_rate, budget, expected in ((1, None, 26), (7, None, 4), (None, LONG, 12)):
        info, frames = decode_video(path, sample_rate=sample_rate, budget=budget)
        assert (info.total_frames, len(frames)) == (26, expected)
        assert [read_number(frame.rgb[:96]) for frame in frames] == [frame.number for frame in frames]
        assert info.fps == pytest.approx(25, rel=0.01)
        assert info.duration == pytest.approx(26 / 25, rel=0.02)
        for frame in frames:
            assert frame.rgb.shape == (128, 96, 3)
            assert np.abs(np.diff(frame.rgb[100:124].astype(int), axis=0)).min() > 120  # both fields are there


@pytest.mark.parametrize("joined", [True, False])
def test_hidden_frames_of_vp9_are_not_counted(tmp_path: Path, decode_video: DecodeVideo, joined: bool) -> None:
    """Frames that are stored first and shown by a packet of one byte, in a superframe with it or apart."""
    whole = write_video(tmp_path / "whole.webm", frames=20, codec="libvpx-vp9", options={**QUICK, "g": "1"})
    parts = []
    with av.open(str(whole)) as source:
        for time, packet in enumerate(source.demux(source.streams.video[0])):
            if packet.size:
                hidden = bytes([bytes(packet)[0] & ~2]) + bytes(packet)[1:]  # show_frame
                index = b"\xd9" + struct.pack("<II", len(hidden), 1) + b"\xd9"
                shown = b"\x88"  # show_existing_frame
                parts += [(time, hidden + shown + index)] if joined else [(time, hidden), (time, shown)]
    path = tmp_path / "hidden.ivf"
    header = struct.pack("<4sHH4sHHIIII", b"DKIF", 0, 32, b"VP90", 192, 144, 30, 1, len(parts), 0)
    path.write_bytes(header + b"".join(struct.pack("<IQ", len(data), time) + data for time, data in parts))
    info, frames = decode_video(path, sample_rate=1)
    assert info.total_frames == 20
    assert numbers(frames) == list(range(20))


@pytest.mark.parametrize("suffix", ["mkv", "ts", "hevc"])
def test_leading_frames_without_a_beginning_are_not_counted(
    tmp_path: Path, decode_video: DecodeVideo, suffix: str
) -> None:
    """A recording that was cut at an open group of pictures: what refers to the part before is never shown."""
    options = {"x265-params": "log-level=none:open-gop=1:keyint=12:min-keyint=12:bframes=3:b-adapt=0:scenecut=0"}
    whole = write_video(tmp_path / f"whole.{suffix}", frames=FRAMES, codec="libx265", options=options)
    later = remux(whole, tmp_path / f"later.{suffix}", from_key=1)
    info, frames = decode_video(later, sample_rate=1)
    shown = [read_number(frame.rgb) for frame in frames]
    assert shown == list(range(12, FRAMES))
    assert [frame.number for frame in frames] == list(range(len(shown)))
    assert info.total_frames == len(shown)
    _, third = decode_video(later, sample_rate=3)
    assert [read_number(frame.rgb) for frame in third] == shown[::3]


@pytest.mark.parametrize("count", [1, 2])
def test_the_shortest_videos(tmp_path: Path, decode_video: DecodeVideo, count: int) -> None:
    info, frames = decode_video(write_video(tmp_path / "short.mp4", frames=count))
    assert numbers(frames) == list(range(count))
    assert info.total_frames == count
    assert info.duration == pytest.approx(count / 30, rel=0.01)


def test_threads_change_nothing(tmp_path: Path, decode_video: DecodeVideo) -> None:
    path = write_video(tmp_path / "clip.mp4", frames=FRAMES, options=KEYED)
    for budget in (FrameBudget(), LONG):
        _, one = decode_video(path, budget=budget)
        _, four = decode_video(path, budget=budget, threads=4)
        assert numbers(one) == numbers(four)
