"""Bad input gets a clear error, and nothing is left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest

from testbed.media import Film, Sound, cut, damage, tone, write_audio, write_media, write_video
from testbed.running import wait_for
from testbed.speech import silence, speech
from tests.e2e.conftest import Running


def empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def text(path: Path) -> Path:
    path.write_text("this is a shopping list\n" * 50)
    return path


def playlist(path: Path) -> Path:
    path.write_text("#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n")
    return path


def headless(path: Path) -> Path:
    """An mp4 whose index, which stands at its end, was cut off."""
    whole = write_video(path.with_name("whole.mp4"), frames=60)
    return cut(whole, path, 0.5)


def silent_film(path: Path) -> Path:
    return write_video(path, frames=30)


def sound_only(path: Path) -> Path:
    return write_audio(path.with_suffix(".m4a"), tone(3), codec="aac")


def too_long(path: Path) -> Path:
    quiet = np.zeros((1, 8000 * 601), np.float32)
    return write_audio(path.with_suffix(".wav"), quiet, rate=8000, codec="pcm_u8")


def too_many_pixels(path: Path) -> Path:
    return write_video(path, frames=2, size=(2048, 1088), codec="mpeg4")


def too_large(path: Path) -> Path:
    path.write_bytes(b"\0" * (31 * 1024 * 1024))
    return path


BAD: list[tuple[str, Callable[[Path], Path], dict[str, int]]] = [
    ("empty", empty, {"audio": 415, "video": 415}),
    ("text", text, {"audio": 415, "video": 415}),
    ("playlist", playlist, {"audio": 415, "video": 415}),
    ("headless", headless, {"audio": 422, "video": 422}),
    ("silent film", silent_film, {"audio": 422, "video": 200}),
    ("sound only", sound_only, {"audio": 200, "video": 422}),
    ("too long", too_long, {"audio": 413, "video": 422}),
    ("too many pixels", too_many_pixels, {"audio": 422, "video": 413}),
    ("too large", too_large, {"audio": 413, "video": 413}),
]


@pytest.mark.parametrize(("make", "statuses"), [entry[1:] for entry in BAD], ids=[entry[0] for entry in BAD])
def test_bad_files(service: Running, tmp_path: Path, make: Callable[[Path], Path], statuses: dict[str, int]) -> None:
    answer = service.analyze(make(tmp_path / "clip.mp4"))
    assert answer.status_code == statuses[service.kind], answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]
    assert service.work_files() == []


def test_damaged_files_never_make_a_500(service: Running, clip: Path, tmp_path: Path) -> None:
    for seed in range(8):
        answer = service.analyze(damage(clip, tmp_path / "clip.mp4", seed=seed, flips=200))
        assert answer.status_code in {200, 413, 415, 422}, answer.text
    wait_for(lambda: service.work_files() == [])


@pytest.mark.parametrize(
    "samples",
    [silence(5), tone(5, 16000)[0], np.random.default_rng(1).normal(0, 0.1, 80_000).astype(np.float32)],
    ids=["silence", "tone", "noise"],
)
def test_sound_without_speech_is_inconclusive(audio: Running, tmp_path: Path, samples: np.ndarray) -> None:
    body = audio.analyze(write_audio(tmp_path / "clip.wav", samples[None], rate=16000)).json()
    assert (body["status"], body["verdict"], body["deepfake_probability"]) == ("inconclusive", "inconclusive", 0.5)
    assert body["message"]


def test_too_little_speech_is_inconclusive(audio: Running, tmp_path: Path) -> None:
    short = np.concatenate([silence(2), speech(0.6), silence(2)])
    body = audio.analyze(write_audio(tmp_path / "clip.wav", short[None], rate=16000)).json()
    assert body["status"] == "inconclusive"
    assert body["deepfake_probability"] == 0.5


def test_eight_channels(audio: Running, tmp_path: Path) -> None:
    wide = np.tile(speech(5.0), (8, 1)) * 0.5
    body = audio.analyze(write_audio(tmp_path / "clip.wav", wide, rate=16000)).json()
    assert body["status"] == "success"


@pytest.mark.parametrize("frames", [1, 30])
def test_a_film_without_a_face_is_inconclusive(video: Running, tmp_path: Path, frames: int) -> None:
    body = video.analyze(write_video(tmp_path / "clip.mp4", frames=frames)).json()
    assert (body["status"], body["verdict"], body["manipulation_probability"]) == ("inconclusive", "inconclusive", 0.5)
    assert body["total_frames"] == frames
    assert body["message"]


def test_a_film_without_frames(service: Running, tmp_path: Path) -> None:
    film = Film(frames=0)
    answer = service.analyze(write_media(tmp_path / "clip.mkv", film=film, sound=Sound(tone(3))))
    expected = {"audio": {200}, "video": {422}}[service.kind]
    assert answer.status_code in expected, answer.text


def test_a_wrong_extension_does_not_matter(service: Running, clip: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "clip.txt"
    renamed.write_bytes(clip.read_bytes())
    assert service.analyze(renamed).json()["status"] == "success"


def test_health_answers_while_work_goes_on(service: Running, clip: Path) -> None:
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(service.analyze(clip).status_code)) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert httpx.get(f"{service.base}/health", timeout=5).status_code == 200
    assert answers == [200, 200, 200]


def test_a_caller_who_leaves_leaves_nothing(service: Running, clip: Path) -> None:
    with clip.open("rb") as file, pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{service.base}/analyze", files={"file": file}, timeout=httpx.Timeout(10, read=0.05))
    wait_for(lambda: service.work_files() == [], 60)
