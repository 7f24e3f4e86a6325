"""Make the samples of the local stack and of the chart: `make samples`. See README.md for what they show."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from testbed.faces import Actor, scene
from testbed.media import Film, Sound, write_media
from testbed.speech import RATE, SENTENCES, speak

HERE = Path(__file__).parent
CHART = HERE.parent / "helm" / "silver-guardian" / "files" / "samples"
SECONDS = 6
FPS = 25


def make_stack_samples(folder: Path) -> None:
    """`voice.m4a` and `talk.mp4`, for `make demo`."""
    words = np.concatenate([speak(sentence) for sentence in SENTENCES[:2]])
    voice = Sound(words[None], rate=RATE, options={"b": "48000"})
    write_media(folder / "voice.m4a", sound=voice, container="ipod")
    sound = Sound(words[None, : SECONDS * RATE], rate=RATE, options={"b": "32000"})
    write_media(folder / "talk.mp4", film=_portrait(SECONDS, (480, 360), face_side=150), sound=sound)


def make_chart_samples(folder: Path) -> None:
    """`speech.ogg` and `face.mp4`, for the chart's test: small, since a ConfigMap carries them."""
    words = speak("This is the clinic calling about your appointment on Thursday. Please call us back to confirm it.")
    sound = Sound(words[None], rate=RATE, codec="libopus", options={"b": "24000"})
    write_media(folder / "speech.ogg", sound=sound)
    write_media(folder / "face.mp4", film=_portrait(2, (256, 256), face_side=110))


def _portrait(seconds: int, size: tuple[int, int], face_side: int) -> Film:
    def place(number: int) -> tuple[float, float]:
        return 0.5 + 0.03 * np.sin(number / 20), 0.5 + 0.015 * np.sin(number / 11)

    options = {"crf": "28", "preset": "veryslow"}
    picture = scene(Actor(face_side=face_side, place=place))
    return Film(frames=seconds * FPS, picture=picture, size=size, fps=FPS, options=options)


if __name__ == "__main__":
    make_stack_samples(HERE)
    make_chart_samples(CHART)
