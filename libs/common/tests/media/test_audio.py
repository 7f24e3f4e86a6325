"""Sound out of any container and codec."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
from sg_common.analysis import Job
from sg_common.errors import LimitExceeded
from sg_common.media import DecodeLimits, open_audio

from testbed.media import Film, Sound, damage, numbered_picture, remux, tone, write_audio, write_media
from testbed.speech import noise, speech

from .conftest import DecodeAudio

STEREO = tone(2.3, 44100, 2)


@pytest.mark.parametrize(
    ("codec", "rate", "first", "others"),
    [
        ("aac", 44100, "clip.mp4", ("clip.mkv", "clip.mov", "clip.ts", "clip.aac", "clip.flv")),
        ("libopus", 48000, "clip.ogg", ("clip.webm", "clip.mkv", "clip.mp4")),
        ("libmp3lame", 44100, "clip.mp3", ("clip.mkv", "clip.mp4", "clip.avi")),
        ("flac", 44100, "clip.flac", ("clip.mkv", "clip.ogg")),
        ("pcm_s16le", 44100, "clip.wav", ("clip.mkv", "clip.avi", "clip.mov")),
    ],
)
def test_every_container_of_a_stream_gives_the_same_samples(
    tmp_path: Path, decode_audio: DecodeAudio, codec: str, rate: int, first: str, others: tuple[str, ...]
) -> None:
    source = write_audio(tmp_path / first, tone(2.3, rate, 2), rate=rate, codec=codec)
    _, expected = decode_audio(source)
    assert expected.dtype == np.float32
    assert expected.size == pytest.approx(2.3 * 16000, abs=0.1 * 16000)
    for place, other in enumerate(others):
        _, samples = decode_audio(remux(source, tmp_path / f"{place}-{other}"))
        np.testing.assert_array_equal(samples, expected, err_msg=other)


def test_an_eight_channel_file_is_the_mean_of_its_channels(tmp_path: Path, decode_audio: DecodeAudio) -> None:
    one = tone(1.0, 48000)
    eight = np.concatenate([one, np.zeros((7, one.shape[1]), np.float32)])
    wave = write_audio(tmp_path / "eight.wav", eight, rate=48000)
    info, samples = decode_audio(wave)
    _, alone = decode_audio(write_audio(tmp_path / "one.wav", one, rate=48000))
    assert info.channels == 8
    np.testing.assert_allclose(samples, alone / 8, atol=1e-4)
    np.testing.assert_array_equal(decode_audio(remux(wave, tmp_path / "eight.mkv"))[1], samples)


@pytest.mark.parametrize(("codec", "rate"), [("pcm_u8", 8000), ("pcm_s24le", 96000), ("pcm_f32le", 22050)])
def test_level_and_pitch_survive(tmp_path: Path, decode_audio: DecodeAudio, codec: str, rate: int) -> None:
    moments = np.arange(2 * rate) / rate
    wave = (0.5 * np.sin(2 * np.pi * 1000 * moments)).astype(np.float32)[np.newaxis]
    info, samples = decode_audio(write_audio(tmp_path / "sine.wav", wave, rate=rate, codec=codec))
    assert (info.codec, info.sample_rate, info.channels) == (codec, rate, 1)
    assert info.duration == pytest.approx(2.0)
    assert samples.size == 32000
    spectrum = np.abs(np.fft.rfft(samples[8000:24000]))
    assert spectrum.argmax() == 1000
    assert np.abs(samples[8000:24000]).max() == pytest.approx(0.5, rel=0.03)


@pytest.mark.parametrize(
    ("name", "codec", "options", "expected"),
    [
        ("clip.wav", "pcm_s16le", {}, 768000),
        ("clip.ogg", "libopus", {"b": "24k", "vbr": "off"}, 24000),
        ("clip.webm", "libopus", {"b": "24k", "vbr": "off"}, 24000),
    ],
)
def test_the_bit_rate_is_that_of_the_packets(
    tmp_path: Path, name: str, codec: str, options: dict[str, str], expected: float
) -> None:
    path = write_audio(tmp_path / name, tone(12.0, 48000), rate=48000, codec=codec, options=options)
    with open_audio(path, sample_rate=16000, limits=DecodeLimits(), job=Job(60)) as reader:
        assert reader.bit_rate == 0
        assert len(list(reader)) == 2
        assert reader.bit_rate == pytest.approx(expected, rel=0.03)


def test_a_stream_may_change_its_channels_and_rate(tmp_path: Path, decode_audio: DecodeAudio) -> None:
    parts = [
        write_audio(tmp_path / f"{channels}.aac", tone(1.0, rate, channels), rate=rate, codec="aac", container="adts")
        for channels, rate in ((1, 44100), (2, 48000))
    ]
    joined = tmp_path / "joined.aac"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    _, samples = decode_audio(joined)
    assert samples.size == pytest.approx(2 * 16000, rel=0.1)
    assert np.abs(samples[18000:30000]).max() > 0.3


def test_damaged_packets_are_skipped(tmp_path: Path, decode_audio: DecodeAudio) -> None:
    whole = write_audio(tmp_path / "whole.mp3", tone(4.0), codec="libmp3lame")
    _, samples = decode_audio(damage(whole, tmp_path / "damaged.mp3", seed=1, flips=40, after=2000))
    assert np.isfinite(samples).all()
    assert samples.size > 2 * 16000


def test_the_default_stream_is_preferred_over_the_longest(tmp_path: Path, decode_audio: DecodeAudio) -> None:
    path = tmp_path / "two.mkv"
    long, short = (
        write_audio(tmp_path / f"{seconds}.wav", tone(seconds, frequency=frequency))
        for seconds, frequency in ((3.0, 300.0), (1.0, 2000.0))
    )
    with av.open(str(path), "w") as output, av.open(str(long)) as first, av.open(str(short)) as second:
        pairs = [(source, output.add_stream_from_template(source.streams.audio[0])) for source in (first, second)]
        pairs[0][1].disposition = av.stream.Disposition(0)
        pairs[1][1].disposition = av.stream.Disposition.default
        for source, stream in pairs:
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = stream
                    output.mux(packet)
    _, samples = decode_audio(path)
    assert samples.size == 16000


def test_blocks_are_ten_seconds_whatever_the_packets(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "long.flac", tone(25.0, 16000), rate=16000, codec="flac")
    with open_audio(path, sample_rate=16000, limits=DecodeLimits(), job=Job(60)) as reader:
        assert [block.shape for block in reader] == [(1, 160000), (1, 160000), (1, 80000)]


def test_sound_of_a_video_and_of_a_song_with_a_cover(tmp_path: Path, decode_audio: DecodeAudio) -> None:
    video = write_media(tmp_path / "clip.mp4", film=Film(frames=20), sound=Sound(STEREO))
    assert decode_audio(video)[1].size == pytest.approx(2.3 * 16000, rel=0.05)
    assert decode_audio(song_with_cover(tmp_path / "song.mp3"))[0].codec == "mp3float"


def song_with_cover(path: Path) -> Path:
    """An mp3 with a picture in its tag."""
    with av.open(str(path), "w") as output:
        sound = output.add_stream("libmp3lame", rate=44100)
        cover = output.add_stream("mjpeg", rate=1)
        assert isinstance(sound, av.AudioStream)
        assert isinstance(cover, av.VideoStream)
        cover.width, cover.height, cover.pix_fmt = 96, 96, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(numbered_picture(1, 96, 96), format="rgb24")
        output.mux(cover.encode(picture))
        output.mux(cover.encode(None))
        frame = av.AudioFrame.from_ndarray(STEREO[:1, :44100], format="fltp", layout="mono")
        frame.sample_rate = 44100
        output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    return path


def test_the_length_limit_holds_by_header_and_by_samples(tmp_path: Path, decode_audio: DecodeAudio) -> None:
    path = write_audio(tmp_path / "long.wav", tone(25.0, 8000), rate=8000)
    with pytest.raises(LimitExceeded):
        decode_audio(path, duration_seconds=20)
    raw = write_audio(tmp_path / "long.aac", tone(25.0, 8000), rate=8000, codec="aac", container="adts")
    with pytest.raises(LimitExceeded):
        decode_audio(raw, duration_seconds=20)


@pytest.mark.parametrize("labels", [(2, 1), (3, 3, 1), (1, 1, 1, 1, 1, 1)])
def test_channels_in_an_order_of_the_files_own(
    tmp_path: Path, decode_audio: DecodeAudio, labels: tuple[int, ...]
) -> None:
    """Core Audio labels: 1 left, 2 right, 3 centre; a recorder may give any, several times."""
    wave = (tone(1.0, 48000)[0] * 32000).astype(">i2")
    chunks = {
        b"desc": struct.pack(">d4sIIIII", 48000.0, b"lpcm", 0, 2 * len(labels), 1, len(labels), 16),
        b"chan": struct.pack(">III", 0, 0, len(labels))
        + b"".join(struct.pack(">IIfff", label, 0, 0, 0, 0) for label in labels),
        b"data": bytes(4) + np.repeat(wave, len(labels)).tobytes(),
    }
    path = tmp_path / "clip.caf"
    body = b"".join(name + struct.pack(">q", len(data)) + data for name, data in chunks.items())
    path.write_bytes(b"caff" + struct.pack(">HH", 1, 0) + body)
    info, samples = decode_audio(path)
    assert info.channels == len(labels)
    assert samples.size == 16000
    assert np.abs(samples).max() > 0.3


@pytest.mark.parametrize(("codec", "name"), [("pcm_s16le", "a.wav"), ("libmp3lame", "a.mp3")])
def test_channels_in_opposite_phase_are_heard(tmp_path: Path, decode_audio: DecodeAudio, codec: str, name: str) -> None:
    voice = tone(3.0, 48000)
    path = write_audio(tmp_path / name, np.concatenate([voice, -voice]), rate=48000, codec=codec)
    _, samples = decode_audio(path)
    _, alone = decode_audio(write_audio(tmp_path / f"alone-{name}", voice, rate=48000, codec=codec))
    assert np.abs(samples).max() == pytest.approx(np.abs(alone).max(), rel=0.05)
    assert np.abs(samples[16000:32000]).mean() == pytest.approx(np.abs(alone[16000:32000]).mean(), rel=0.05)


def test_a_voice_beside_a_silent_channel_stands_alone(tmp_path: Path, decode_audio: DecodeAudio) -> None:
    """Who is silent at first must not be taken for the one who speaks."""
    one = speech(4.0)
    _, samples = decode_audio(write_audio(tmp_path / "a.wav", np.stack([0 * one, one]), rate=16000))
    np.testing.assert_allclose(samples, [0 * one, one], atol=1e-3)


def test_a_room_at_two_microphones_is_one_sound(tmp_path: Path, decode_audio: DecodeAudio) -> None:
    """The second is later, quieter and noisier."""
    voice = speech(8.0)
    other = 0.3 * np.roll(voice, 12) + noise(8.0, 1e-3)
    _, samples = decode_audio(write_audio(tmp_path / "a.wav", np.stack([voice, other]), rate=16000))
    np.testing.assert_allclose(samples, (voice + other) / 2, atol=1e-3)


@pytest.mark.parametrize(("codec", "name"), [("pcm_s16le", "a.wav"), ("aac", "a.m4a")])
def test_people_on_a_channel_each_stay_apart(tmp_path: Path, decode_audio: DecodeAudio, codec: str, name: str) -> None:
    turns = np.repeat([1, 0, 1, 1, 0, 0, 1, 0], 16000).astype(np.float32)
    both = np.stack([turns * speech(8.0), (1 - turns) * np.roll(speech(8.0), 40000)])
    _, samples = decode_audio(write_audio(tmp_path / name, both, rate=16000, codec=codec))
    assert samples.shape[0] == 2
    for channel, voice in zip(samples, both, strict=True):
        levels = [np.abs(channel[start + 3000 : start + 13000]).mean() for start in range(0, 128000, 16000)]
        assert (np.asarray(levels) > 0.005).tolist() == [
            bool(np.abs(voice[start : start + 16000]).any()) for start in range(0, 128000, 16000)
        ]


def test_channels_that_part_later_are_one_before(tmp_path: Path) -> None:
    voice = speech(35.0)
    other = voice.copy()
    other[15 * 16000 :: 3] = 0
    other[15 * 16000 :] = np.where(np.arange(20 * 16000) // 16000 % 2, other[15 * 16000 :], 0)
    path = write_audio(tmp_path / "a.flac", np.stack([voice, other]), rate=16000, codec="flac")
    with open_audio(path, sample_rate=16000, limits=DecodeLimits(), job=Job(60)) as reader:
        assert [len(block) for block in reader] == [1, 2, 2, 2]


@pytest.mark.parametrize("count", [0, 1, 4])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_recording_of_hardly_any_samples_is_empty(
    tmp_path: Path, decode_audio: DecodeAudio, count: int, rate: int
) -> None:
    path = write_audio(tmp_path / "a.wav", np.full((1, count), 0.1, np.float32), rate=rate)
    info, samples = decode_audio(path)
    assert info.sample_rate == rate
    assert samples.size <= count


def test_a_second_stream_stands_in_for_an_empty_one(tmp_path: Path, decode_audio: DecodeAudio) -> None:
    path = tmp_path / "two.mkv"
    sound = write_audio(tmp_path / "sound.wav", tone(1.0))
    with av.open(str(path), "w") as output, av.open(str(sound)) as source:
        empty, full = (output.add_stream_from_template(source.streams.audio[0]) for _ in range(2))
        empty.disposition, full.disposition = av.stream.Disposition.default, av.stream.Disposition(0)
        for packet in source.demux():
            if packet.size:
                packet.stream = full
                output.mux(packet)
    assert decode_audio(path)[1].size == 16000
