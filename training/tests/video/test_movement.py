"""What moves in a clip, on videos made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from testbed.media import write_video
from training.common.manifest import Sample
from training.video.movement import MEASURED, movement_of, movements


class Flicker:
    """A grey picture of which a part changes from frame to frame."""

    def __init__(self, part: slice) -> None:
        self._part = part

    def __call__(self, number: int, width: int, height: int) -> npt.NDArray[np.uint8]:
        picture = np.full((height, width, 3), 100, np.uint8)
        picture[self._part, self._part] += 60 * (number % 2)
        return picture


def test_the_middle_and_the_edge_are_told_apart(tmp_path: Path) -> None:
    write_video(tmp_path / "face.mp4", frames=6, size=(96, 96), picture=Flicker(slice(24, 72)))
    face, background = movement_of(tmp_path / "face.mp4")
    assert face > 40
    assert background < 2
    write_video(tmp_path / "still.mp4", frames=1, size=(96, 96), picture=Flicker(slice(24, 72)))
    assert movement_of(tmp_path / "still.mp4").tolist() == [0, 0]


def test_measurements_are_kept(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    write_video(clip, frames=4, size=(96, 96), picture=Flicker(slice(0, 96)))
    found = movements([Sample(clip, 0, 0, "real", "a")], tmp_path / "kept")
    assert list(found) == list(MEASURED)
    assert len(list((tmp_path / "kept").iterdir())) == 1
    (file,) = (tmp_path / "kept").iterdir()
    np.save(file, [1.0, 2.0])
    again = movements([Sample(clip, 0, 0, "real", "a")], tmp_path / "kept")
    assert [values[clip] for values in again.values()] == pytest.approx([1.0, 2.0])
