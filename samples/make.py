"""Make the samples of the local stack: `python -m samples.make`. See README.md for what they show."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from testbed.faces import Actor, scene
from testbed.media import Film, Sound, write_media
from testbed.speech import RATE, SENTENCES, speak

HERE = Path(__file__).parent
SECONDS = 6
FPS = 25


def main() -> None:
    words = np.concatenate([speak(sentence) for sentence in SENTENCES[:2]])
    voice = Sound(words[None], rate=RATE, options={"b": "48000"})
    write_media(HERE / "voice.m4a", sound=voice, container="ipod")
    picture = scene(
        Actor(face_side=150, place=lambda n: (0.5 + 0.03 * np.sin(n / 20), 0.5 + 0.015 * np.sin(n / 11))),
    )
    film = Film(
        frames=SECONDS * FPS, picture=picture, size=(480, 360), fps=FPS, options={"crf": "28", "preset": "veryslow"}
    )
    sound = Sound(words[None, : SECONDS * RATE], rate=RATE, options={"b": "32000"})
    write_media(HERE / "talk.mp4", film=film, sound=sound)


if __name__ == "__main__":
    main()
