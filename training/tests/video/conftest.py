"""A tiny corpus of drawn faces, made at test time."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from testbed.media import write_video

Pixels = npt.NDArray[np.uint8]

# untrained networks make numbers so small that a CPU crawls; and tests share their cores
torch.set_flush_denormal(True)
torch.set_num_threads(1)


def draw_face(rng: np.random.Generator, size: int = 160) -> Pixels:
    """A drawn face in the middle of a picture, uint8 [size, size, 3]."""
    s = size / 160
    picture = np.full((size, size, 3), rng.integers(60, 160, 3), np.uint8)
    skin = tuple(int(v) for v in np.array([205, 160, 130]) + rng.integers(-25, 25, 3))

    def ellipse(x: float, y: float, w: float, h: float, colour: tuple[int, ...]) -> None:
        box = ((x * s, y * s), (2 * w * s, 2 * h * s), 0.0)
        cv2.ellipse(picture, box, colour, -1, cv2.LINE_AA)

    ellipse(80, 84, 42, 56, skin)
    ellipse(80, 38, 44, 22, (60, 40, 30))
    for x in (63, 97):
        ellipse(x, 74, 8, 4, (245, 245, 245))
        ellipse(x, 74, 3.5, 4, (40, 30, 30))
        ellipse(x, 64, 10, 2, (70, 45, 35))
    ellipse(80, 92, 6, 9, tuple(int(v * 0.9) for v in skin))
    ellipse(80, 113, 17, 5, (165, 70, 70))
    noise = rng.normal(0, 4, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


class Shown:
    """Pictures one after the other."""

    def __init__(self, pictures: list[Pixels]) -> None:
        self._pictures = pictures

    def __call__(self, number: int, width: int, height: int) -> Pixels:
        return self._pictures[number]


def write_corpus(folder: Path, frames: int = 6) -> Path:
    """Clips in five folds, each with a genuine source and a method whose fakes are tinted in the mouth."""
    rng = np.random.default_rng(0)
    lines = ["path\tlabel\tmethod_or_source\tfamily\tfold"]
    for fold in range(5):
        for label in ("real", "fake"):
            name = f"{label}_{fold}.mp4"
            pictures = [draw_face(rng) for _ in range(frames)]
            if label == "fake":
                for picture in pictures:
                    picture[105:125, 55:105] = 255 - picture[105:125, 55:105]
            write_video(folder / name, frames=frames, size=(160, 160), picture=Shown(pictures))
            lines.append(f"{name}\t{label}\t{label}{fold}\t{label}{fold}\t{fold}")
    (folder / "manifest.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the drawn corpus."""
    return write_corpus(tmp_path_factory.mktemp("corpus"))
