"""Times are the file's own: gaps stay gaps, late tracks are late, and a recorder's clock is nobody's length."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from sg_common.errors import LimitExceeded

from testbed.media import Film, Samples, Sound, cut, remux, tone, write_audio, write_media, write_video

from .conftest import DecodeAudio, DecodeVideo

HOURS = 20_000.0
KEYED = {"g": "12", "bf": "0"}
CODECS = {"ts": "aac", "mkv": "aac", "mp4": "aac", "flv": "aac", "vob": "mp2", "ogg": "libopus", "webm": "libopus"}


def talk(path: Path, seconds: float = 2.0) -> Path:
    """Picture and sound of one length, in the codecs of the suffix."""
    suffix = path.suffix[1:]
    codec = {"vob": "mpeg2video", "webm": "libvpx"}.get(suffix, "libx264")
    options = {"deadline": "realtime", "cpu-used": "8"} if codec == "libvpx" else KEYED
    film = Film(frames=round(25 * seconds), fps=25, codec=codec, options=options)
    return write_media(path, film=film, sound=Sound(tone(seconds, 48000), 48000, CODECS[suffix]))


def level(samples: Samples, start: float, end: float) -> float:
    return float(np.abs(samples[round(start * 16000) : round(end * 16000)]).max())


@pytest.mark.parametrize("suffix", ["mkv", "flv", "ts"])
def test_a_file_may_begin_at_any_hour(
    tmp_path: Path, decode_audio: DecodeAudio, decode_video: DecodeVideo, suffix: str
) -> None:
    plain = talk(tmp_path / f"plain.{suffix}")
    late = remux(plain, tmp_path / f"late.{suffix}", later={"audio": HOURS, "video": HOURS})
    _, samples = decode_audio(late)
    np.testing.assert_array_equal(samples, decode_audio(plain)[1])
    info, frames = decode_video(late, sample_rate=1)
    assert info.total_frames == len(frames) == 50
    assert info.duration == pytest.approx(2.0, abs=0.2)
    assert frames[0].time < 0.2


def test_an_ogg_file_may_begin_at_any_hour(tmp_path: Path, decode_audio: DecodeAudio) -> None:
    plain = write_audio(tmp_path / "plain.ogg", tone(2.0, 48000), rate=48000, codec="libopus")
    late = remux(plain, tmp_path / "late.ogg", later={"audio": HOURS})
    assert decode_audio(late)[1].size == pytest.approx(2 * 16000, abs=1600)


@pytest.mark.parametrize("suffix", ["ts", "vob"])
@pytest.mark.parametrize("back", [False, True])
def test_a_splice_of_two_clocks_is_as_long_as_its_parts(
    tmp_path: Path, decode_audio: DecodeAudio, decode_video: DecodeVideo, suffix: str, back: bool
) -> None:
    first = talk(tmp_path / f"first.{suffix}")
    shift = {"audio": HOURS, "video": HOURS}
    second = remux(first, tmp_path / f"second.{suffix}", later=shift)
    joined = tmp_path / f"joined.{suffix}"
    parts = [first.read_bytes(), second.read_bytes()]
    joined.write_bytes(b"".join(parts[::-1] if back else parts))
    assert decode_audio(joined)[1].size == pytest.approx(4 * 16000, rel=0.05)
    info, frames = decode_video(joined, sample_rate=1)
    assert info.total_frames == len(frames) == 100
    assert info.duration == pytest.approx(4.0, abs=0.2)
    times = [frame.time for frame in frames]
    assert times == sorted(times)
    assert times[-1] < info.duration


def test_what_is_too_long_is_refused_whatever_the_clock(tmp_path: Path, decode_audio: DecodeAudio) -> None:
    plain = talk(tmp_path / "plain.mkv", 4.0)
    late = remux(plain, tmp_path / "late.mkv", later={"audio": HOURS, "video": HOURS})
    with pytest.raises(LimitExceeded):
        decode_audio(late, duration_seconds=3)
    assert decode_audio(late, duration_seconds=5)[1].size > 3.9 * 16000


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "webm"])
def test_late_sound_is_late(tmp_path: Path, decode_audio: DecodeAudio, suffix: str) -> None:
    path = remux(talk(tmp_path / f"talk.{suffix}"), tmp_path / f"late.{suffix}", later={"audio": 1.5})
    _, samples = decode_audio(path)
    assert samples.size == pytest.approx(3.5 * 16000, abs=0.15 * 16000)
    assert level(samples, 0, 1.4) == 0
    assert level(samples, 1.7, 2.5) > 0.3


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "webm"])
def test_late_pictures_are_late(
    tmp_path: Path, decode_audio: DecodeAudio, decode_video: DecodeVideo, suffix: str
) -> None:
    path = remux(talk(tmp_path / f"talk.{suffix}"), tmp_path / f"late.{suffix}", later={"video": 1.5})
    info, frames = decode_video(path, sample_rate=1)
    assert frames[0].time == pytest.approx(1.5, abs=0.1)
    assert frames[-1].time == pytest.approx(3.46, abs=0.1)
    assert info.duration == pytest.approx(3.5, abs=0.1)
    assert info.fps == pytest.approx(25, rel=0.01)
    assert decode_audio(path)[1].size == pytest.approx(2 * 16000, rel=0.05)


def with_gap(source: Path, target: Path, start: float, gap: float) -> Path:
    """Put the sound from `start` seconds on off by `gap` seconds."""
    with av.open(str(source)) as original, av.open(str(target), "w") as output:
        stream = output.add_stream_from_template(original.streams.audio[0])
        for packet in original.demux():
            if packet.size and packet.pts is not None and packet.time_base:
                shift = round(gap / packet.time_base) if packet.pts * packet.time_base >= start else 0
                packet.pts += shift
                packet.dts = packet.pts
                packet.stream = stream
                output.mux(packet)
    return target


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_a_gap_is_silence(tmp_path: Path, decode_audio: DecodeAudio, suffix: str) -> None:
    plain = write_audio(tmp_path / "plain.m4a", tone(4.0), codec="aac")
    _, samples = decode_audio(with_gap(plain, tmp_path / f"gap.{suffix}", 2.0, 60.0))
    assert samples.size == pytest.approx(64 * 16000, abs=1600)
    assert level(samples, 0.5, 1.9) > 0.3
    assert level(samples, 2.2, 61.9) == 0
    assert level(samples, 62.2, 63.5) > 0.3


def test_trembling_timestamps_change_no_sample(tmp_path: Path, decode_audio: DecodeAudio) -> None:
    plain = write_audio(tmp_path / "plain.m4a", tone(4.0), codec="aac")
    target, chance = tmp_path / "trembling.mkv", np.random.default_rng(1)
    with av.open(str(plain)) as original, av.open(str(target), "w") as output:
        stream = output.add_stream_from_template(original.streams.audio[0])
        for packet in original.demux():
            if packet.size and packet.pts is not None:
                packet.pts = packet.dts = max(0, packet.pts + int(chance.integers(-400, 400)))
                packet.stream = stream
                output.mux(packet)
    np.testing.assert_array_equal(decode_audio(target)[1], decode_audio(plain)[1])


def test_silence_that_was_never_sent(tmp_path: Path, decode_audio: DecodeAudio) -> None:
    """AMR with discontinuous transmission: a second of packets, a second of silence descriptors and nothing."""
    chance = np.random.default_rng(1)
    seconds = []
    for second in range(10):
        for frame in range(50):
            if second % 2 == 0:
                seconds.append(b"\x3c" + chance.bytes(31))
            else:
                seconds.append(b"\x44" + chance.bytes(5) if frame % 8 == 0 else b"\x7c")
    path = tmp_path / "call.amr"
    path.write_bytes(b"#!AMR\n" + b"".join(seconds))
    _, samples = decode_audio(path)
    assert samples.size == pytest.approx(10 * 16000, abs=800)
    for second in range(10):
        assert (level(samples, second + 0.1, second + 0.9) > 0.01) == (second % 2 == 0)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_a_cut_off_file_is_told(
    tmp_path: Path, decode_audio: DecodeAudio, decode_video: DecodeVideo, suffix: str
) -> None:
    options = {"movflags": "faststart"} if suffix == "mp4" else {}
    film = Film(options={"g": "12"})
    whole = write_media(tmp_path / f"whole.{suffix}", film=film, sound=Sound(tone(2)), **options)
    for path, expected in ((whole, False), (cut(whole, tmp_path / f"part.{suffix}", 0.6), True)):
        decode_audio(path)
        assert decode_audio.cut_off is expected  # type: ignore[attr-defined]
        decode_video(path)
        assert decode_video.cut_off is expected  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "codec"), [("a.wav", "pcm_s16le"), ("a.aiff", "pcm_s16be"), ("a.mp3", "libmp3lame"), ("a.flac", "flac")]
)
def test_a_cut_off_recording_is_told(tmp_path: Path, decode_audio: DecodeAudio, name: str, codec: str) -> None:
    whole = write_audio(tmp_path / name, tone(6), codec=codec)
    for path, expected in ((whole, False), (cut(whole, tmp_path / f"part-{name}", 0.5), True)):
        decode_audio(path)
        assert decode_audio.cut_off is expected  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [0, 0x7FFF0000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_a_recording_from_a_pipe_is_not_cut_off(tmp_path: Path, decode_audio: DecodeAudio, size: int) -> None:
    path = write_audio(tmp_path / "a.wav", tone(1))
    data = bytearray(path.read_bytes())
    place = data.index(b"data")
    data[4:8] = min(size + 36, 0xFFFFFFFF).to_bytes(4, "little") if size else bytes(4)
    data[place + 4 : place + 8] = size.to_bytes(4, "little")
    path.write_bytes(data)
    assert decode_audio(path)[1].size == 16000
    assert not decode_audio.cut_off  # type: ignore[attr-defined]


def test_a_video_alone_begins_with_its_first_frame(tmp_path: Path, decode_video: DecodeVideo) -> None:
    path = write_video(tmp_path / "late.mkv", frames=30, times=[HOURS + n / 30 for n in range(30)], options=KEYED)
    info, frames = decode_video(path, sample_rate=1)
    assert frames[0].time == 0
    assert info.duration == pytest.approx(1.0, abs=0.05)
