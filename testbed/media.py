"""Media files made at test time with PyAV: any codec and container, and the ways in which files arrive broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

Picture = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.float32]

BITS = 12
COLUMNS = 4
ROWS = BITS // COLUMNS


def numbered_picture(number: int, width: int, height: int) -> Picture:
    """(height, width, 3): a grid of dark and bright fields that spells the number in binary and survives any codec."""
    bits = np.array([number >> bit & 1 for bit in range(BITS)], dtype=np.uint8).reshape(ROWS, COLUMNS)
    fields = bits[np.arange(height) * ROWS // height][:, np.arange(width) * COLUMNS // width]
    return np.repeat((fields * 180 + 40).astype(np.uint8)[:, :, np.newaxis], 3, axis=2)


def read_number(picture: Picture) -> int:
    """The number that `numbered_picture` drew into a picture of any size."""
    height, width = picture.shape[:2]
    middles = picture[
        np.ix_((np.arange(ROWS) * 2 + 1) * height // (2 * ROWS), (np.arange(COLUMNS) * 2 + 1) * width // (2 * COLUMNS))
    ]
    return int(sum(1 << bit for bit, bright in enumerate((middles.mean(axis=2) > 128).reshape(-1)) if bright))


def tone(seconds: float, rate: int = 44100, channels: int = 1, frequency: float = 440.0) -> Samples:
    """(channels, samples): a tone with a slow swell and a little noise, the same at every call."""
    moments = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(0).normal(0, 0.01, moments.size)
    wave = 0.4 * np.sin(2 * np.pi * frequency * moments) * (1 - 0.5 * np.cos(2 * np.pi * moments)) + noise
    return np.tile(wave.astype(np.float32), (channels, 1))


@dataclass(frozen=True)
class Sound:
    """A sound track. `samples`: (channels, samples) in -1..1; `layout`: FFmpeg's name, by default from the channels."""

    samples: Samples
    rate: int = 44100
    codec: str = "aac"
    layout: str | None = None
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Film:
    """A picture track.

    Attributes:
        frames: how many.
        picture: frame number, width and height to the upright picture, (height, width, 3).
        size: stored width and height.
        times: seconds of each frame where the rate varies; they may start anywhere.
        turned: degrees counter-clockwise by which a player must turn the stored picture.
        options: of the encoder, such as `g` (key frame distance) and `bf` (B-frames).
    """

    frames: int = 60
    picture: Callable[[int, int, int], Picture] = numbered_picture
    size: tuple[int, int] = (192, 144)
    fps: int = 30
    codec: str = "libx264"
    pixels: str = "yuv420p"
    times: Sequence[float] | None = None
    turned: int = 0
    pixel_shape: Fraction | None = None
    options: dict[str, str] = field(default_factory=dict)


def write_media(
    path: Path, *, film: Film | None = None, sound: Sound | None = None, container: str | None = None, **options: str
) -> Path:
    """Write a file with a picture track, a sound track or both; the suffix or `container` names the format."""
    with av.open(str(path), "w", format=container, options=options) as output:
        picture_track = _film_stream(output, film) if film else None
        sound_track = _sound_stream(output, sound) if sound else None
        output.start_encoding()
        if film and picture_track:
            _encode_film(output, picture_track, film)
        if sound and sound_track:
            _encode_sound(output, sound_track, sound)
    return path


def write_video(path: Path, *, container: str | None = None, sound: Sound | None = None, **film: object) -> Path:
    """Write a video; `film`: the fields of `Film`."""
    return write_media(path, film=Film(**film), sound=sound, container=container)  # type: ignore[arg-type]


def write_audio(
    path: Path,
    samples: Samples,
    *,
    rate: int = 44100,
    codec: str = "pcm_s16le",
    layout: str | None = None,
    container: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write (channels, samples) as a sound file."""
    sound = Sound(samples, rate, codec, layout, options or {})
    return write_media(path, sound=sound, container=container)


def remux(
    source: Path,
    target: Path,
    *,
    container: str | None = None,
    from_key: int = 0,
    stamp_fields: int | None = None,
    later: Mapping[str, float] = MappingProxyType({}),
    **options: str,
) -> Path:
    """Copy the packets into another container without touching them.

    Args:
        container: its format, else by the suffix.
        from_key: begin with the picture track's key frame of this number.
        stamp_fields: give the packets, which have no times, those of so many a second.
        later: kind of track to seconds by which its packets are put off.
    """
    keys, number = 0, 0
    with av.open(str(source)) as original, av.open(str(target), "w", format=container, options=options) as output:
        streams = {
            stream.index: output.add_stream_from_template(stream)
            for stream in (*original.streams.video, *original.streams.audio)
        }
        for packet in original.demux():
            if not packet.size or packet.stream_index not in streams:
                continue
            keys += packet.stream.type == "video" and packet.is_keyframe
            if from_key and keys <= from_key:
                continue
            if stamp_fields:
                packet.time_base = Fraction(1, stamp_fields)
                packet.pts = packet.dts = number
                packet.duration = 1
                number += 1
            elif packet.pts is not None and packet.time_base:
                shift = round(later.get(packet.stream.type, 0.0) / packet.time_base)
                packet.pts += shift
                packet.dts = packet.pts if packet.dts is None else packet.dts + shift
            packet.stream = streams[packet.stream_index]
            output.mux(packet)
    return target


def repeat(source: Path, target: Path, times: int) -> Path:
    """The packets of a file's only track over and over, as one long recording."""
    with av.open(str(target), "w") as output:
        copy, offset = None, 0
        for _ in range(times):
            with av.open(str(source)) as original:
                (track,) = original.streams
                copy, end = copy or output.add_stream_from_template(track), 0
                for packet in original.demux(track):
                    if packet.pts is None or packet.dts is None or packet.pts < 0:
                        continue
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.pts, packet.dts, packet.stream = packet.pts + offset, packet.dts + offset, copy
                    output.mux(packet)
                offset += end
    return target


def cut(source: Path, target: Path, share: float) -> Path:
    """The first part of a file, as a broken transfer leaves it."""
    data = source.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target


def damage(
    source: Path, target: Path, *, seed: int, flips: int = 20, after: int = 0, before: int | None = None
) -> Path:
    """Flip bytes at random places behind the first `after` bytes and within the first `before`."""
    data = bytearray(source.read_bytes())
    chance = np.random.default_rng(seed)
    for place in chance.integers(after, min(len(data), before or len(data)), flips):
        data[place] ^= int(chance.integers(1, 256))
    target.write_bytes(data)
    return target


def _film_stream(output: OutputContainer, film: Film) -> VideoStream:
    stream = output.add_stream(film.codec, rate=film.fps, options=film.options)
    assert isinstance(stream, VideoStream)
    stream.width, stream.height = film.size
    stream.pix_fmt = film.pixels
    if film.times is not None:
        stream.codec_context.time_base = Fraction(1, 90000)
    if film.pixel_shape:
        stream.sample_aspect_ratio = film.pixel_shape
    if film.turned:
        stream.set_display_rotation(film.turned)
    return stream


def _encode_film(output: OutputContainer, stream: VideoStream, film: Film) -> None:
    width, height = film.size if film.turned % 180 == 0 else film.size[::-1]
    for number in range(film.frames):
        upright = film.picture(number, width, height)
        stored = np.ascontiguousarray(np.rot90(upright, -film.turned // 90))
        frame = VideoFrame.from_ndarray(stored, format="rgb24")
        if film.times is None:
            frame.pts, frame.time_base = number, Fraction(1, film.fps)
        else:
            frame.pts, frame.time_base = round(film.times[number] * 90000), Fraction(1, 90000)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def _sound_stream(output: OutputContainer, sound: Sound) -> AudioStream:
    stream = output.add_stream(sound.codec, rate=sound.rate, options=sound.options)
    assert isinstance(stream, AudioStream)
    stream.layout = _layout(sound)
    return stream


def _encode_sound(output: OutputContainer, stream: AudioStream, sound: Sound) -> None:
    block = 4096
    for start in range(0, sound.samples.shape[1], block):
        part = sound.samples[:, start : start + block].T.reshape(1, -1).astype(np.float32)
        frame = AudioFrame.from_ndarray(part, format="flt", layout=_layout(sound))
        frame.sample_rate, frame.pts, frame.time_base = sound.rate, start, Fraction(1, sound.rate)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def _layout(sound: Sound) -> str:
    return sound.layout or {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[sound.samples.shape[0]]
