"""Opening an untrusted media file so that nothing but its own descriptor is read."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, cast

import av
import av.error
import av.logging
from av.container import InputContainer
from av.format import Flags
from av.packet import Packet
from av.stream import Discard, Disposition, Stream

from sg_decoder.errors import LimitExceeded, NotMedia, Undecodable
from sg_decoder.limits import DecodeLimits

# Demuxers that open other files or the network, or that are devices. The protocol allow-list already stops them.
REACHING_OUT = frozenset(
    {"applehttp", "bluray", "concat", "dash", "hls", "imf", "image2", "lavfi", "rtp", "rtsp", "sap", "sdp", "vobsub"}
    | {"alsa", "fbdev", "iec61883", "jack", "kmsgrab", "oss", "pulse", "v4l2", "video4linux2,v4l2", "x11grab"}
    | {"xcbgrab", "webm_dash_manifest", "whip", "avisynth", "smoothstreaming"}
)
# Headerless streams, recognised by so little that random bytes and web pages pass for them.
WEAKLY_RECOGNISED = frozenset({"amrnb", "amrwb", "h261", "h263"})
STILL_PICTURES = frozenset({"ico", "image2pipe", "webp"})
# Of HEIF and AVIF, which share MP4's container.
STILL_BRANDS = frozenset({"avif", "heic", "heim", "heis", "heix", "mif1"})
MAY_BE_STILL = frozenset({"apng", "gif"})
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
SEGMENTS = (
    (4, b"moof"),
    (4, b"sidx"),
    (4, b"styp"),
    (0, b"\x1f\x43\xb6\x75"),  # a cluster of WebM
)
WEBP_ANIMATION = 0x02
GENERATE_TIMES = 0x1  # AVFMT_FLAG_GENPTS
BEGINNING_BYTES = 4096
CONTROL_CHARACTERS = bytes(set(range(32)) - set(b"\t\n\f\r\x1b")) + b"\x7f"
STILL_PICTURE = "this is a still picture; send an audio or video file"
DAMAGED_HEADER = "the file's header is damaged or cut off; export or upload it again"
ENCRYPTED = "the file is encrypted (protected against copying); send one that is not"
CUT_OFF = "the file is cut off before its media begin; upload it again"
NO_HEADER = "this is a media segment without its header; send the whole file, or the segment behind its header"
PICTURE_FORMAT = "an animated WebP is a picture format; send a video, for example an MP4"
SCRAMBLED_BYTES = 188 * 1000
TS_SYNC = 0x47
MATROSKA_KEY = "enc_key_id"  # FFmpeg's name of the key that an encrypted track of Matroska needs
LOCKED_TAGS = frozenset({"drms", "drmi", "drmt"})  # Apple's FairPlay
LONGEST_DELAY_SECONDS = 1.0
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
    settings = {"fd": str(descriptor), "protocol_whitelist": "fd", "format_whitelist": formats, "export_xmp": "1"}
    try:
        container = av.open("fd:", mode="r", container_options=settings | options, metadata_errors="replace")
    except av.error.FFmpegError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError from error
        if _begins(beginning, SEGMENTS):
            raise Undecodable(NO_HEADER) from error
        if _begins(beginning, BEGINNINGS):
            raise Undecodable(DAMAGED_HEADER) from error
        raise NotMedia(NOT_MEDIA) from error
    with container:
        if container.format.name == "mpegts" and _is_scrambled(os.pread(descriptor, SCRAMBLED_BYTES, 0)):
            raise Undecodable(ENCRYPTED)
        if container.format.name == "avi":  # stores no presentation times; FFmpeg's guess is wrong with B-frames
            container.flags &= ~GENERATE_TIMES
        _check_kind(container, beginning)
        yield container


def packets(container: InputContainer, stream: AnyStream) -> Iterator[Packet[AnyStream]]:
    """The stream's packets that carry data, to the end of the file or to where it is cut off or unreadable.

    Raises:
        Undecodable: they are encrypted.
    """
    if MATROSKA_KEY in stream.metadata or _tag(stream) in LOCKED_TAGS:
        raise Undecodable(ENCRYPTED)
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    with tolerate_damage():
        for packet in container.demux(stream):
            if packet.has_sidedata("encryption_info"):
                raise Undecodable(ENCRYPTED)
            if packet.size:
                yield cast("Packet[AnyStream]", packet)


def _tag(stream: Stream) -> str:
    try:
        return str(stream.codec_context.codec_tag)
    except UnicodeDecodeError:  # any four bytes may be there
        return ""


def readable(container: InputContainer, streams: Sequence[AnyStream]) -> list[AnyStream]:
    """Those of the streams, at least one, whose codec FFmpeg reads.

    Raises:
        Undecodable: none of them; it names the first one's.
    """
    found = [stream for stream in streams if stream.codec_context is not None]
    if not found:
        example = {"video": "H.264", "audio": "AAC"}[streams[0].type]
        raise Undecodable(
            f"the file's {streams[0].type} codec ({_codec_name(container, streams[0])}) is not supported; "
            f"re-encode it, for example as {example}"
        )
    return found


def _codec_name(container: InputContainer, stream: Stream) -> str:
    """What FFmpeg calls a codec that it cannot decode: its name, else the container's tag."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        lines = container.dumps_format()  # type: ignore[attr-defined]
    finally:
        av.logging.set_level(level)
    found = re.search(rf"Stream #0:{stream.index}\D.*?: (?:Video|Audio): (\w+)[^(,\n]*(?:\((\S+) / )?", lines)
    names = [name for name in (found.groups() if found else ()) if name and name != "none"]
    return names[0] if names else "unknown"


def jumps(container: InputContainer) -> bool:
    """Whether the container's clock may jump where streams were spliced, as that of MPEG-TS and of DVDs."""
    return bool(Flags(container.format.flags) & Flags.ts_discont)


def timeline_start(container: InputContainer) -> float:
    """Where the file's timeline begins on the container's clock, seconds: with the first of its streams, whatever hour
    the recorder's clock showed. What lies before 0 (an encoder's delay) is not of it."""
    start = (container.start_time or 0) / av.time_base
    return start if start > 0 or start < -LONGEST_DELAY_SECONDS else 0.0


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


def _is_scrambled(beginning: bytes) -> bool:
    """Whether most packets of a transport stream say that they are (`transport_scrambling_control`; ISO/IEC 13818-1,
    section 2.4.3.3)."""
    packets = [beginning[place + 3] for place in range(0, len(beginning) - 187, 188) if beginning[place] == TS_SYNC]
    return 2 * sum(flags & 0xC0 > 0 for flags in packets) > max(len(packets), 1)


def _begins(beginning: bytes, marks: Sequence[tuple[int, bytes]]) -> bool:
    return any(beginning[offset:].startswith(magic) for offset, magic in marks)


def _check_kind(container: InputContainer, beginning: bytes) -> None:
    name = container.format.name
    if name.startswith("webp") and beginning[12:16] == b"VP8X" and beginning[20] & WEBP_ANIMATION:
        raise Undecodable(PICTURE_FORMAT)
    if name.endswith("_pipe") or name in STILL_PICTURES or container.metadata.get("major_brand") in STILL_BRANDS:
        raise NotMedia(STILL_PICTURE)
    if not (container.streams.audio or container.streams.video):
        if _begins(beginning, BEGINNINGS) and not container.streams.subtitles:
            raise Undecodable(DAMAGED_HEADER)
        raise NotMedia(NOT_MEDIA)


def check_duration(seconds: float, limits: DecodeLimits) -> None:
    """Raise `LimitExceeded` for media longer than allowed."""
    if seconds > limits.duration_seconds:
        raise LimitExceeded(
            f"the media is longer than the limit of {limits.duration_seconds:g} s; send a shorter part of it"
        )
