"""Pictures as a viewer sees them: turned, stretched, scaled, in their true colours."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.packet import PacketSideData, packet_sidedata_type_from_literal
from sg_common.media import FrameBudget
from sg_decoder.picture import geometry

from testbed.media import Picture, numbered_picture, read_number, write_video

from .conftest import DecodeVideo

BT709, BT601, LIMITED, FULL = 1, 5, 1, 2
RED = np.array([200, 30, 40])


@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
def test_turned_videos_stand_upright(tmp_path: Path, decode_video: DecodeVideo, degrees: int) -> None:
    info, frames = decode_video(write_video(tmp_path / "clip.mp4", frames=10, turned=degrees), sample_rate=1)
    shown = (192, 144) if degrees % 180 == 0 else (144, 192)
    assert (info.width, info.height) == shown
    assert all(frame.rgb.shape == (shown[1], shown[0], 3) for frame in frames)
    assert [read_number(frame.rgb) for frame in frames] == list(range(10))


@pytest.mark.parametrize(("mirror", "turned"), [("hflip", 0), ("vflip", 0), ("hflip", 90)])
def test_mirrored_videos_are_mirrored_back(tmp_path: Path, decode_video: DecodeVideo, mirror: str, turned: int) -> None:
    path = tmp_path / "mirrored.mp4"
    picture = np.full((96, 128, 3), 40, np.uint8)
    picture[:32, :32] = 220  # top left
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.set_display_rotation(turned, hflip=mirror == "hflip", vflip=mirror == "vflip")
        output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(stream.encode(None))
    expected = np.rot90(picture, turned // 90)
    expected = expected[:, ::-1] if mirror == "hflip" else expected[::-1]
    _, frames = decode_video(path, sample_rate=1)
    np.testing.assert_allclose(frames[0].rgb.astype(int), expected, atol=40)


def test_wide_pixels_widen_the_picture(tmp_path: Path, decode_video: DecodeVideo) -> None:
    path = write_video(tmp_path / "clip.mp4", frames=3, pixel_shape=Fraction(4, 3))
    info, frames = decode_video(path, sample_rate=1)
    assert (info.width, info.height) == (256, 144)
    assert frames[0].rgb.shape == (144, 256, 3)


def test_large_pictures_are_scaled_down(tmp_path: Path, decode_video: DecodeVideo) -> None:
    path = write_video(tmp_path / "clip.mp4", frames=10, size=(640, 360), turned=90)
    info, frames = decode_video(path, sample_rate=3, budget=FrameBudget(max_side=320))
    assert (info.width, info.height) == (360, 640)
    for frame in frames:
        assert frame.rgb.shape == (320, 180, 3)
        assert frame.scale == 0.5
        assert read_number(frame.rgb) == frame.number


@pytest.mark.parametrize(
    ("matrix", "spread", "height"),
    [
        (BT709, LIMITED, 144),
        (BT601, LIMITED, 144),
        (BT709, FULL, 144),
        (BT601, FULL, 720),
        (None, None, 144),
        (None, None, 720),
    ],
)
def test_colours_follow_the_streams_matrix_and_range(
    tmp_path: Path, decode_video: DecodeVideo, matrix: int | None, spread: int | None, height: int
) -> None:
    """Untagged: BT.709 from 720 lines on, BT.601 below, as players assume."""
    path = tmp_path / "red.mp4"
    used = matrix or (BT709 if height >= 720 else BT601)
    picture = np.broadcast_to(RED.astype(np.uint8), (height, 256, 3))
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=30, options={"crf": "4"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 256, height, "yuv420p"
        if matrix and spread:
            stream.colorspace, stream.color_range = matrix, spread
        frame = to_yuv(np.ascontiguousarray(picture), used, spread or LIMITED)
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    _, frames = decode_video(path, sample_rate=1)
    np.testing.assert_allclose(frames[0].rgb.reshape(-1, 3).mean(axis=0), RED, atol=4)


def to_yuv(picture: Picture, matrix: int, spread: int) -> av.VideoFrame:
    """4:2:0 planes by the definition of the matrix: Kr and Kb of BT.709 or BT.601."""
    red_share, blue_share = (0.2126, 0.0722) if matrix == BT709 else (0.299, 0.114)
    red, green, blue = (picture[0, 0].astype(float) / 255).tolist()
    luma = red_share * red + (1 - red_share - blue_share) * green + blue_share * blue
    chroma = ((blue - luma) / (2 * (1 - blue_share)), (red - luma) / (2 * (1 - red_share)))
    height, width = picture.shape[:2]
    base, scale, chroma_scale = (0, 255, 255) if spread == FULL else (16, 219, 224)
    planes = np.full((height * 3 // 2, width), base + scale * luma)
    planes[height : height * 5 // 4] = 128 + chroma_scale * chroma[0]
    planes[height * 5 // 4 :] = 128 + chroma_scale * chroma[1]
    frame = av.VideoFrame.from_ndarray(planes.round().astype(np.uint8), format="yuv420p")
    frame.colorspace, frame.color_range = matrix, spread
    return frame


def test_side_data_that_the_binding_does_not_know_is_ignored(tmp_path: Path, decode_video: DecodeVideo) -> None:
    """Exif, with which FFmpeg also turns the picture: orientation 6 is a quarter turn clockwise."""
    plain = write_video(tmp_path / "plain.avi", frames=4, codec="mjpeg", pixels="yuvj420p")
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    exif = b"\xff\xe1" + struct.pack(">H", 8 + len(tiff)) + b"Exif\0\0" + tiff
    path = tmp_path / "exif.avi"
    with av.open(str(plain)) as source, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux():
            if packet.size:
                jpeg = bytes(packet)
                tagged = av.Packet(jpeg[:2] + exif + jpeg[2:])
                tagged.pts, tagged.dts, tagged.time_base = packet.dts, packet.dts, packet.time_base
                tagged.is_keyframe = True
                tagged.stream = stream
                output.mux(tagged)
    _, frames = decode_video(path, sample_rate=1)
    assert [read_number(np.rot90(frame.rgb)) for frame in frames] == list(range(4))


def test_a_kind_of_side_data_from_a_later_ffmpeg(tmp_path: Path) -> None:
    """A packet's LCEVC enhancement becomes its frame's; the display matrix beside it is still read."""
    path = write_video(tmp_path / "clip.mp4", frames=1, turned=90)
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        packet = next(source.demux(stream))
        PacketSideData(packet_sidedata_type_from_literal("lcevc"), 16).to_packet(packet)  # type: ignore[call-arg,arg-type]
        frames = [*stream.codec_context.decode(packet), *stream.codec_context.decode(None)]
        with pytest.raises(KeyError):
            frames[0].side_data["LCEVC"]  # type: ignore[typeddict-item]
        assert geometry(frames[0], None, 1920).quarter_turns == 1


def test_every_picture_has_its_own_shape(tmp_path: Path, decode_video: DecodeVideo) -> None:
    """As a call does whose sender turns the phone or runs out of bandwidth."""
    sizes = [(192, 144), (144, 192), (96, 72)]
    parts = [
        write_video(
            tmp_path / f"{width}.webm",
            frames=5,
            size=(width, height),
            codec="libvpx",
            options={"deadline": "realtime", "cpu-used": "8"},
            picture=lambda number, width, height, start=5 * place: numbered_picture(start + number, width, height),
        )
        for place, (width, height) in enumerate(sizes)
    ]
    path = tmp_path / "changing.webm"
    with av.open(str(path), "w") as output:
        stream = None
        for place, part in enumerate(parts):
            with av.open(str(part)) as source:
                stream = stream or output.add_stream_from_template(source.streams.video[0])
                for packet in source.demux():
                    if packet.size:
                        later = av.Packet(bytes(packet))
                        later.pts = later.dts = (packet.pts or 0) + 5 * place * 33
                        later.time_base, later.is_keyframe, later.stream = packet.time_base, packet.is_keyframe, stream
                        output.mux(later)
    info, frames = decode_video(path, sample_rate=1)
    assert (info.width, info.height) == (192, 144)
    assert [frame.rgb.shape[:2] for frame in frames] == [size[::-1] for size in sizes for _ in range(5)]
    assert [read_number(frame.rgb) for frame in frames] == list(range(15))


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "expected"),
    [
        ("a.gif", "gif", "rgb8", True),
        ("a.avi", "msvideo1", "rgb555le", False),
        ("a.mov", "qtrle", "gray", True),  # a palette of greys
        ("a.apng", "apng", "rgb24", False),
        ("a.mkv", "ffv1", "gray", False),
    ],
)
def test_a_palette_is_told(
    tmp_path: Path, decode_video: DecodeVideo, name: str, codec: str, pixels: str, expected: bool
) -> None:
    path = write_video(tmp_path / name, frames=3, codec=codec, pixels=pixels)
    assert decode_video(path)[0].palette is expected
