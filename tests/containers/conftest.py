from __future__ import annotations

import os
from pathlib import Path

import pytest

from testbed.faces import Actor, scene
from testbed.media import Film, Sound, write_media
from testbed.speech import RATE, speech


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Left out of `make test`: these tests need an engine and the images (`make test-containers`)."""
    return None if os.environ.get("SG_TEST_CONTAINERS") else True


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of a talking person in 720p."""
    film = Film(
        frames=250, picture=scene(Actor(face_side=220)), size=(1280, 720), fps=25, options={"preset": "veryfast"}
    )
    sound = Sound(speech(10.0)[None], rate=RATE)
    return write_media(tmp_path_factory.mktemp("clip") / "clip.mp4", film=film, sound=sound)


@pytest.fixture(scope="session")
def long_speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five minutes of speech: an analysis that lasts some seconds."""
    path = tmp_path_factory.mktemp("speech") / "speech.m4a"
    return write_media(path, sound=Sound(speech(300.0)[None], rate=RATE), container="ipod")
