"""Opening an untrusted media file so that nothing but its own descriptor is read."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, cast

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream

from sg_decoder.errors import LimitExceeded, NotMedia, Undecodable
from sg_decoder.limits import DecodeLimits

# Demuxers that open other files or the network, or that are devices. The protocol allow-list already stops them.
REACHING_OUT = frozenset(
    {"applehttp", "bluray", "concat", "dash", "hls", "imf", "image2", "lavfi", "rtp", "rtsp", "sap", "sdp", "vobsub"}
    | {
        "alsa",
        "fbdev",
        "iec61883",
        "jack",
        "kmsgrab",
        "oss",
        "pulse",
        "v4l2",
        "video4linux2,v4l2",
        "x11grab",
        "xcbgrab",
    }
    | {"webm_dash_manifest", "whip", "avisynth", "smoothstreaming"}
)
# Headerless streams, recognised by so little that random bytes and web pages pass for them.
WEAKLY_RECOGNISED = frozenset({"amrnb", "amrwb", "h261", "h263"})
STILL_PICTURES = frozenset({"ico", "image2pipe", "webp"})
STILL_BRANDS = frozenset(
    {"avif", "heic", "heim", "heis", "heix", "mif1"}
)  # of HEIF and AVIF, which share MP4's container
MAY_BE_STILL = frozenset({"apng", "gif"})
# Where FFmpeg estimates the duration from the bit rate, which is no ground to refuse a file.
ESTIMATED_DURATION = frozenset(
    {"aac", "ac3", "amr", "dts", "eac3", "h264", "hevc", "m4v", "mp3", "mpegvideo", "truehd"}
)
BEGINNINGS = (
    (0, b"RIFF"),
    (0, b"RF64"),
    (0, b"FORM"),
    (0, b"OggS"),
    (0, b"fLaC"),
    (0, b"FLV\x01"),
    (0, b"\x1aE\xdf\xa3"),  # Matroska, WebM
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # ASF, WMA, WMV
    (0, b"\x00\x00\x01\xba"),  # MPEG program stream
    (0, b"\x06\x0e\x2b\x34"),  # MXF
    (0, b"ID3"),
    (0, b"#!AMR"),
    (0, b"caff"),
    (4, b"ftyp"),
    (4, b"moov"),
    (4, b"mdat"),
    (4, b"wide"),
)
GENERATE_TIMES = 0x1  # AVFMT_FLAG_GENPTS
BEGINNING_BYTES = 4096
CONTROL_CHARACTERS = bytes(set(range(32)) - set(b"\t\n\f\r\x1b")) + b"\x7f"
STILL_PICTURE = "this is a still picture; send an audio or video file"
DAMAGED_HEADER = "the file's header is damaged or cut off; export or upload it again"
NOT_MEDIA = "this is not an audio or video file; send one in a common container such as MP4, MOV, MKV, MP3 or WAV"

AnyStream = TypeVar("AnyStream", bound=Stream)


class Send(Protocol):
    """Sends one message to the parent: its type, payload and header fields."""

    def __call__(self, kind: str, payload: memoryview | None = None, /, **header: Any) -> None: ...


@contextmanager
def open_container(descriptor: int, **options: str) -> Iterator[InputContainer]:
    """Open the file from its beginning, with demuxer `options`.

    Only FFmpeg's `fd` protocol is allowed, and the format is probed from the content alone: no path exists here.

    Raises:
        NotMedia: no audio or video container, or a still picture.
        Undecodable: its header is broken.
    """
    os.lseek(descriptor, 0, os.SEEK_SET)
    beginning = os.pread(descriptor, BEGINNING_BYTES, 0)
    if _is_text(beginning):
        raise NotMedia(NOT_MEDIA)
    formats = ",".join(sorted(av.formats_available - REACHING_OUT - WEAKLY_RECOGNISED))
    settings = {"fd": str(descriptor), "protocol_whitelist": "fd", "format_whitelist": formats, **options}
    try:
        container = av.open("fd:", mode="r", container_options=settings, metadata_errors="replace")
    except av.error.FFmpegError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError from error
        if _is_media(beginning):
            raise Undecodable(DAMAGED_HEADER) from error
        raise NotMedia(NOT_MEDIA) from error
    with container:
        if container.format.name == "avi":  # stores no presentation times; FFmpeg's guess is wrong with B-frames
            container.flags &= ~GENERATE_TIMES
        _check_kind(container, beginning)
        yield container


def packets(container: InputContainer, stream: AnyStream) -> Iterator[Packet[AnyStream]]:
    """The stream's packets that carry data, to the end of the file or to where it is cut off or unreadable."""
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    with tolerate_damage():
        for packet in container.demux(stream):
            if packet.size:
                yield cast("Packet[AnyStream]", packet)


@contextmanager
def tolerate_damage() -> Iterator[None]:
    """Let FFmpeg's complaints about damaged data pass; what was read until then counts.

    Raises:
        MemoryError: the process may use no more memory.
    """
    try:
        yield
    except av.error.FFmpegError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError from error


def is_cover(stream: Stream) -> bool:
    """Whether a video stream is a cover picture or thumbnails rather than a video."""
    return bool(
        stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image)
    )


def by_preference(streams: Sequence[AnyStream]) -> list[AnyStream]:
    """The default stream first, then the longest."""

    def key(stream: Stream) -> tuple[bool, float, int]:
        base = stream.time_base
        seconds = float(stream.duration * base) if stream.duration and base else 0.0
        return (not stream.disposition & Disposition.default, -seconds, stream.index)

    return sorted(streams, key=key)


def check_moving(container: InputContainer, frames: int) -> None:
    """Raise `NotMedia` for an animation format that holds a single picture."""
    if frames == 1 and container.format.name in MAY_BE_STILL:
        raise NotMedia(STILL_PICTURE)


def _is_text(beginning: bytes) -> bool:
    """Whether a file begins with text in an ASCII-like encoding, as subtitles, playlists and web pages do."""
    return beginning.translate(None, delete=CONTROL_CHARACTERS) == beginning


def _is_media(beginning: bytes) -> bool:
    return any(beginning[offset:].startswith(magic) for offset, magic in BEGINNINGS)


def _check_kind(container: InputContainer, beginning: bytes) -> None:
    name = container.format.name
    if name.endswith("_pipe") or name in STILL_PICTURES or container.metadata.get("major_brand") in STILL_BRANDS:
        raise NotMedia(STILL_PICTURE)
    if not (container.streams.audio or container.streams.video):
        if _is_media(beginning) and not container.streams.subtitles:
            raise Undecodable(DAMAGED_HEADER)
        raise NotMedia(NOT_MEDIA)


def check_stated_duration(container: InputContainer, limits: DecodeLimits) -> None:
    """Raise `LimitExceeded` where the header states a longer duration than allowed.

    To be called once the needed stream is found: a long file without it is no case for a limit.
    """
    if container.format.name not in ESTIMATED_DURATION and container.duration is not None:
        check_duration(container.duration / av.time_base, limits)


def check_duration(seconds: float, limits: DecodeLimits) -> None:
    """Raise `LimitExceeded` for media longer than allowed."""
    if seconds > limits.duration_seconds:
        raise LimitExceeded(
            f"the media is longer than the limit of {limits.duration_seconds:g} s; send a shorter part of it"
        )
