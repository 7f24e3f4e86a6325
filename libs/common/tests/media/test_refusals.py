"""Files that are no media, are broken or over a limit: each gets its own error, and nothing else is read."""

from __future__ import annotations

import io
import socket
import zipfile
from pathlib import Path
from typing import Protocol

import av
import numpy as np
import pytest
from sg_common.errors import Forbidden, LimitExceeded, MissingStream, NotFound, NotMedia, ServiceError, Undecodable

from testbed.media import Film, Sound, cut, damage, numbered_picture, tone, write_audio, write_media, write_video

from .conftest import DecodeAudio, DecodeVideo


class Refused(Protocol):
    def __call__(
        self, path: Path, error: type[ServiceError], words: str | None = None, kinds: str = "audio video"
    ) -> None: ...


@pytest.fixture
def refused(decode_audio: DecodeAudio, decode_video: DecodeVideo) -> Refused:
    def check(path: Path, error: type[ServiceError], words: str | None = None, kinds: str = "audio video") -> None:
        for kind, decode in (("audio", decode_audio), ("video", decode_video)):
            if kind in kinds:
                with pytest.raises(error, match=words) as caught:
                    decode(path)
                assert caught.type is error

    return check


def zip_bytes() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("letter.xml", "<letter>" + "word " * 1000)
    return buffer.getvalue()


NO_MEDIA = {
    "text": b"Dear grandson, please send me the code.\n" * 100,
    "two bytes": b"hi",
    "zeros": bytes(50_000),
    "random bytes": np.random.default_rng(0).bytes(200_000),
    "page": b"<!DOCTYPE html><html><body>" + b"<p>hello</p>" * 1000,
    "subtitles": b"1\n00:00:01,000 --> 00:00:02,000\nhello\n\n" * 20,
    "document": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + b"1 0 obj << >> endobj\n" * 100,
    "archive": zip_bytes(),
    "program": b"\x7fELF\x02\x01\x01" + bytes(9) + np.random.default_rng(1).bytes(5000),
}


@pytest.mark.parametrize("name", NO_MEDIA)
def test_what_is_no_media_is_refused_as_such(tmp_path: Path, refused: Refused, name: str) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(NO_MEDIA[name])
    refused(path, NotMedia, "not an audio or video file", "audio")


def test_an_empty_file_a_folder_and_a_missing_one(tmp_path: Path, refused: Refused) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    refused(empty, NotMedia, "empty")
    refused(tmp_path, NotMedia, "regular")
    refused(tmp_path / "missing.mp4", NotFound)
    loop = tmp_path / "loop.mp4"
    loop.symlink_to(loop)
    refused(loop, Forbidden)


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "container"),
    [
        ("a.jpg", "mjpeg", "yuvj420p", "image2"),
        ("a.png", "png", "rgb24", "image2"),
        ("a.webp", "libwebp", "yuv420p", "webp"),
        ("a.avif", "libsvtav1", "yuv420p", "avif"),
    ],
)
def test_still_pictures_are_no_videos(
    tmp_path: Path, refused: Refused, name: str, codec: str, pixels: str, container: str
) -> None:
    path = tmp_path / name
    write_video(path, frames=1, codec=codec, pixels=pixels, fps=1, container=container)
    refused(path, NotMedia, "still picture")


def test_a_loop_of_one_picture_is_a_still(tmp_path: Path, refused: Refused) -> None:
    path = write_video(tmp_path / "one.gif", frames=1, codec="gif", pixels="rgb8")
    refused(path, NotMedia, "still picture", "video")


def test_playlists_reach_no_other_file_and_no_network(tmp_path: Path, refused: Refused) -> None:
    canary = write_media(tmp_path / "canary.ts", film=Film(frames=30), sound=Sound(tone(1)))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/clip.ts"
        for target in (str(canary), f"file://{canary}", address):
            playlists = {
                "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n",
                "concat": f"ffconcat version 1.0\nfile '{target}'\n",
                "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
                'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" mediaPresentationDuration="PT1S"><Period>'
                '<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1">'
                f"<BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>",
                "session": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
                f"m=video {server.getsockname()[1]} RTP/AVP 96\na=rtpmap:96 H264/90000\n",
            }
            for place, (name, text) in enumerate(playlists.items()):
                path = tmp_path / f"{name}.mp4"
                path.write_text(text)
                refused(path, NotMedia, None, ("audio", "video")[place % 2])
                path.write_text(text + "\x00\x01")  # where it does not pass for text
                refused(path, NotMedia, None, ("video", "audio")[place % 2])
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_missing_stream_is_told_apart(tmp_path: Path, refused: Refused) -> None:
    refused(write_video(tmp_path / "mute.mp4"), MissingStream, "no audio stream", "audio")
    song = write_audio(tmp_path / "song.mp3", tone(1), codec="libmp3lame")
    refused(song, MissingStream, "no video stream", "video")


def test_a_cover_picture_is_no_video(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4") as output:
        sound = output.add_stream("aac", rate=44100)
        cover = output.add_stream("mjpeg", rate=1)
        assert isinstance(sound, av.AudioStream)
        assert isinstance(cover, av.VideoStream)
        cover.width, cover.height, cover.pix_fmt = 96, 96, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        output.mux(cover.encode(av.VideoFrame.from_ndarray(numbered_picture(1, 96, 96), format="rgb24")))
        output.mux(cover.encode(None))
        frame = av.AudioFrame.from_ndarray(tone(1), format="fltp", layout="mono")
        frame.sample_rate = 44100
        output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    refused(path, MissingStream, "no video stream", "video")


def test_broken_media_is_undecodable(tmp_path: Path, refused: Refused) -> None:
    end = write_media(tmp_path / "end.mp4", film=Film(), sound=Sound(tone(2)))
    refused(cut(end, tmp_path / "cut.mp4", 0.5), Undecodable, "damaged or cut off")
    start = write_media(tmp_path / "start.mp4", film=Film(), sound=Sound(tone(2)), movflags="faststart")
    data = start.read_bytes()
    noise = np.random.default_rng(3)
    garbage = tmp_path / "garbage.mp4"
    for kept in (200, data.index(b"mdat") + 4):
        garbage.write_bytes(data[:kept] + noise.bytes(len(data) - kept))
        refused(garbage, Undecodable)


def test_the_beginning_of_a_cut_file_is_decoded(
    tmp_path: Path, decode_audio: DecodeAudio, decode_video: DecodeVideo
) -> None:
    for suffix, options in (("mp4", {"movflags": "faststart"}), ("mkv", {}), ("ts", {}), ("avi", {})):
        film = Film(options={"g": "12"})
        whole = write_media(tmp_path / f"whole.{suffix}", film=film, sound=Sound(tone(2)), **options)
        part = cut(whole, tmp_path / f"part.{suffix}", 0.6)
        assert 4000 < decode_audio(part)[1].size < 30000
        info, frames = decode_video(part, sample_rate=1)
        assert 10 < len(frames) <= info.total_frames < 60


def test_the_limits(tmp_path: Path, decode_video: DecodeVideo) -> None:
    path = write_video(tmp_path / "clip.mp4", frames=60)
    with pytest.raises(LimitExceeded, match="pixels"):
        decode_video(path, pixels=192 * 144 - 1)
    with pytest.raises(LimitExceeded, match="longer"):
        decode_video(path, duration_seconds=1.5)
    raw = write_video(tmp_path / "raw.h264", frames=60)
    with pytest.raises(LimitExceeded, match="longer"):
        decode_video(raw, duration_seconds=1.5)


def test_a_segment_without_its_header(tmp_path: Path, refused: Refused) -> None:
    whole = write_media(
        tmp_path / "whole.mp4", film=Film(), sound=Sound(tone(2)), movflags="frag_keyframe+empty_moov+default_base_moof"
    )
    data = whole.read_bytes()
    segment = data[data.index(b"moof") - 4 :]
    path = tmp_path / "segment.m4s"
    for beginning in (b"", b"\0\0\0\x14stypmsdh\0\0\0\0msdh"):
        path.write_bytes(beginning + segment)
        refused(path, Undecodable, "without its header")
    film = Film(codec="libvpx", options={"deadline": "realtime", "cpu-used": "8"})
    webm = write_media(tmp_path / "whole.webm", film=film).read_bytes()
    path.write_bytes(webm[webm.index(b"\x1f\x43\xb6\x75") :])
    refused(path, Undecodable, "without its header")


def test_an_animated_webp_is_a_picture_format(tmp_path: Path, refused: Refused) -> None:
    path = write_video(tmp_path / "a.webp", frames=5, codec="libwebp_anim", container="webp")
    refused(path, Undecodable, "picture format")


ENCRYPTION = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
    "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
}


def test_encrypted_media(tmp_path: Path, refused: Refused) -> None:
    refused(
        write_media(tmp_path / "a.mp4", film=Film(), sound=Sound(tone(2)), **ENCRYPTION), Undecodable, "is encrypted"
    )
    song = write_audio(tmp_path / "song.m4a", tone(2), codec="aac")
    data = song.read_bytes()
    place = data.index(b"mp4a", data.index(b"stsd"))
    song.write_bytes(data[:place] + b"drms" + data[place + 4 :])
    refused(song, Undecodable, "is encrypted", "audio")


def test_a_scrambled_broadcast(tmp_path: Path, refused: Refused) -> None:
    """Transport scrambling: everything but the tables is unreadable, and each packet says so."""
    path = write_media(tmp_path / "a.ts", film=Film(), sound=Sound(tone(2)))
    data, noise = bytearray(path.read_bytes()), np.random.default_rng(1)
    for place in range(0, len(data), 188):
        if int.from_bytes(data[place + 1 : place + 3]) & 0x1FFF in (0x100, 0x101):
            data[place + 3] |= 0x80
            header = 5 + data[place + 4] if data[place + 3] & 0x20 else 4
            data[place + header : place + 188] = noise.bytes(188 - header)
    path.write_bytes(data)
    refused(path, Undecodable, "is encrypted")


def test_an_unsupported_codec_is_named(tmp_path: Path, refused: Refused) -> None:
    for kind, sample, other in (("video", b"avc1", b"xyz1"), ("audio", b"mp4a", b"xyz2")):
        path = write_media(tmp_path / f"{kind}.mp4", film=Film(), sound=Sound(tone(2)))
        data = path.read_bytes()
        place = data.index(sample, data.index(b"stsd"))
        data = data[:place] + other + data[place + 4 :]
        path.write_bytes(data.replace(b"esds", b"free") if kind == "audio" else data)
        refused(path, Undecodable, rf"{kind} codec \({other.decode()}\) is not supported", kind)


def test_mostly_undecodable_media_say_so(tmp_path: Path, refused: Refused) -> None:
    path = write_media(tmp_path / "a.mkv", film=Film(frames=60, options={"g": "1"}), sound=None)
    noise = np.random.default_rng(2)
    broken = tmp_path / "broken.mkv"
    with av.open(str(path)) as source, av.open(str(broken), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux()):
            if packet.size:
                data = bytes(packet) if number % 4 == 0 else noise.bytes(packet.size)
                damaged = av.Packet(data)
                damaged.pts, damaged.dts, damaged.time_base = packet.pts, packet.pts, packet.time_base
                damaged.is_keyframe, damaged.stream = True, stream
                output.mux(damaged)
    refused(broken, Undecodable, "cannot be decoded", "video")


def test_mostly_undecodable_sound_says_so(tmp_path: Path, refused: Refused) -> None:
    path = write_audio(tmp_path / "a.flac", tone(8), codec="flac")
    broken = tmp_path / "broken.mkv"
    with av.open(str(path)) as source, av.open(str(broken), "w") as output:
        stream = output.add_stream_from_template(source.streams.audio[0])
        for number, packet in enumerate(source.demux()):
            if packet.size:
                data = bytes(packet) if number % 4 == 0 else bytes(packet.size)
                damaged = av.Packet(data)
                damaged.pts, damaged.dts, damaged.time_base = packet.pts, packet.pts, packet.time_base
                damaged.stream = stream
                output.mux(damaged)
    refused(broken, Undecodable, "cannot be decoded", "audio")


def test_an_empty_second_video_track_is_passed_over(tmp_path: Path, decode_video: DecodeVideo) -> None:
    source = write_video(tmp_path / "one.mp4", frames=20)
    path = tmp_path / "two.mkv"
    with av.open(str(source)) as original, av.open(str(path), "w") as output:
        full, empty = (output.add_stream_from_template(original.streams.video[0]) for _ in range(2))
        empty.disposition, full.disposition = av.stream.Disposition.default, av.stream.Disposition(0)
        for packet in original.demux():
            if packet.dts is not None:
                packet.stream = full
                output.mux(packet)
    assert len(decode_video(path, sample_rate=1)[1]) == 20


def test_damaged_pictures_come_in_order_of_display(tmp_path: Path, decode_video: DecodeVideo) -> None:
    whole = write_video(tmp_path / "whole.mkv", frames=120, size=(96, 96), options={"g": "12", "bf": "3"})
    for seed in range(3):
        try:
            _, frames = decode_video(damage(whole, tmp_path / "a.mkv", seed=seed, flips=150, after=1500), sample_rate=1)
        except Undecodable:
            continue
        numbers = [frame.number for frame in frames]
        assert numbers == sorted(set(numbers))
