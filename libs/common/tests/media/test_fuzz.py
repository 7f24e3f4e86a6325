"""Damaged files end in an answer or in an error of their own, in bounded time, and leave nothing behind."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from sg_common.errors import LimitExceeded, NotMedia, Undecodable

from testbed.media import Film, Sound, cut, damage, tone, write_audio, write_media

from .conftest import DecodeAudio, DecodeVideo

FILM = Film(frames=20, options={"g": "5"})
SEEDS = range(2)
FILMS = ("mp4", "mkv", "ts", "avi", "flv", "webm")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("whole")
    sound = tone(1.0)
    files = {suffix: write_media(folder / f"clip.{suffix}", film=FILM, sound=Sound(sound)) for suffix in FILMS[:-1]}
    files["webm"] = write_media(
        folder / "clip.webm",
        film=Film(frames=20, codec="libvpx", options={"g": "5", "deadline": "realtime", "cpu-used": "8"}),
        sound=Sound(tone(1.0, 48000), 48000, "libopus"),
    )
    files["mp3"] = write_audio(folder / "clip.mp3", sound, codec="libmp3lame")
    files["flac"] = write_audio(folder / "clip.flac", sound, codec="flac")
    files["ogg"] = write_audio(folder / "clip.ogg", tone(1.0, 48000), rate=48000, codec="libopus")
    files["wav"] = write_audio(folder / "clip.wav", sound)
    return files


@pytest.mark.parametrize("suffix", [*FILMS, "mp3", "flac", "ogg", "wav"])
def test_damage_costs_no_more_than_an_error(
    tmp_path: Path,
    whole: dict[str, Path],
    decode_audio: DecodeAudio,
    decode_video: DecodeVideo,
    caplog: pytest.LogCaptureFixture,
    suffix: str,
) -> None:
    source = whole[suffix]
    for seed in SEEDS:
        broken = [
            cut(source, tmp_path / f"cut-{seed}.{suffix}", (seed + 0.5) / len(SEEDS)),
            damage(source, tmp_path / f"head-{seed}.{suffix}", seed=seed, flips=4, before=600),
            damage(source, tmp_path / f"flip-{seed}.{suffix}", seed=seed, flips=30),
        ]
        for place, path in enumerate(broken):
            decode = decode_video if (seed + place) % 2 and suffix in FILMS else decode_audio
            started = time.monotonic()
            with contextlib.suppress(NotMedia, Undecodable, LimitExceeded):
                decode(path)
            assert time.monotonic() - started < 30
    assert not [record for record in caplog.records if record.levelname == "ERROR"]  # no failure went unforeseen
