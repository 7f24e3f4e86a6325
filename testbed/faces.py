"""Real faces for tests: two portraits in the public domain that ship inside packages.

The astronaut Eileen Collins (NASA, in scikit-image) and Rear Admiral Grace Hopper (United States Navy, in Matplotlib).
The files are read in place; neither package is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

MOUTH_FRAMES = 13
"""Frames in which a speaking mouth opens and closes."""


@dataclass(frozen=True)
class Portrait:
    """A photograph with one face. `face`: (x, y, width, height) of the face, brow to chin, in pixels."""

    package: str
    file: str
    face: tuple[int, int, int, int]

    def rgb(self) -> Pixels:
        """The photograph, uint8 [H, W, 3]; a copy that may be written to."""
        return _read(self.package, self.file).copy()

    def head(self, face_side: int) -> Pixels:
        """A square around the head, three times as wide as the face, scaled to a face of `face_side` pixels."""
        x, y, width, height = self.face
        side = max(width, height)
        centre_x, centre_y = x + width // 2, y + height // 2
        half = 3 * side // 2
        padded = cv2.copyMakeBorder(self.rgb(), half, half, half, half, cv2.BORDER_REPLICATE)
        square = padded[centre_y : centre_y + 2 * half, centre_x : centre_x + 2 * half]
        shrinks = 3 * face_side < square.shape[0]
        size = (3 * face_side, 3 * face_side)
        return np.asarray(
            cv2.resize(square, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC), np.uint8
        )


@cache
def _read(package: str, file: str) -> Pixels:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"the test portraits need the package {package}")
    path = Path(spec.submodule_search_locations[0]) / file
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise RuntimeError(f"{path} cannot be read")
    return np.ascontiguousarray(bgr[:, :, ::-1], np.uint8)


ASTRONAUT = Portrait("skimage", "data/astronaut.png", (176, 74, 98, 108))
HOPPER = Portrait("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", (178, 130, 180, 200))


@cache
def backdrop(width: int, height: int, seed: int = 0) -> Pixels:
    """A room without people: coarse furniture with a little texture, uint8 [height, width, 3]; not to be written to."""
    random = np.random.default_rng(seed)
    coarse = random.integers(50, 200, (5, 8, 3), dtype=np.uint8)
    room = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.int16)
    texture = random.integers(-6, 7, (height // 2 + 1, width // 2 + 1, 1), dtype=np.int16)
    texture = np.repeat(np.repeat(texture, 2, axis=0), 2, axis=1)[:height, :width]
    return np.asarray(np.clip(room + texture, 0, 255), np.uint8)


def put(canvas: Pixels, head: Pixels, x: int, y: int) -> None:
    """Draw a head in an ellipse with its centre at (x, y), in place; parts outside the canvas are cut off."""
    side = head.shape[0]
    mask = np.zeros((side, side), np.float32)
    centre = (side // 2, side // 2)
    cv2.ellipse(mask, centre, (int(0.42 * side), int(0.49 * side)), 0, 0, 360, 1.0, -1)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.01 * side), np.float32)[:, :, None]
    left, top = x - side // 2, y - side // 2
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(canvas.shape[1], left + side), min(canvas.shape[0], top + side)
    if x0 >= x1 or y0 >= y1:
        return
    inside = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    target = canvas[y0:y1, x0:x1]
    blended = mask[inside] * head[inside] + (1 - mask[inside]) * target
    target[:] = np.asarray(np.round(blended), np.uint8)


def green(rgb: Pixels, strength: int = 70) -> Pixels:
    """The picture with a green cast, which the tests' face model takes for a manipulation."""
    shifted = rgb.astype(np.int16) + np.array([-strength // 2, strength // 2, -strength // 2], np.int16)
    return np.asarray(np.clip(shifted, 0, 255), np.uint8)


@dataclass(frozen=True)
class Actor:
    """Somebody in a scene.

    Attributes:
        face_side: pixels.
        place: frame number to the head's centre as shares of the picture's width and height, None when away.
        manipulated: frame numbers (or everything, for True) whose face has a green cast.
        speaks: whether the mouth opens and closes; else the head is the photograph that it comes from.
    """

    portrait: Portrait = ASTRONAUT
    face_side: int = 100
    place: Callable[[int], tuple[float, float] | None] = lambda _: (0.5, 0.5)
    manipulated: bool | range = False
    speaks: bool = True


def speaking(head: Pixels, face_side: int, number: int) -> Pixels:
    """The head with its mouth as far open as at a frame of this number, about twice a second."""
    side, opening = head.shape[0], abs(np.sin(number * np.pi / MOUTH_FRAMES))
    mask = np.zeros((side, side), np.float32)
    centre = (side // 2, round(side / 2 + 0.27 * face_side))
    cv2.ellipse(mask, centre, (round(0.17 * face_side), round(0.12 * face_side * opening)), 0, 0, 360, 1.0, -1)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.02 * face_side), np.float32)[:, :, None]
    return np.asarray(np.round(mask * np.array([60, 20, 20], np.float32) + (1 - mask) * head), np.uint8)


def scene(*actors: Actor, room: Callable[[int], int] = lambda _: 0) -> Callable[[int, int, int], Pixels]:
    """A picture of the actors for `testbed.media.Film`; `room`: frame number to the backdrop's seed."""
    heads = {actor: actor.portrait.head(actor.face_side) for actor in actors}
    mouths: dict[tuple[Actor, int], Pixels] = {}

    def picture(number: int, width: int, height: int) -> Pixels:
        canvas = backdrop(width, height, room(number)).copy()
        for actor in actors:
            place = actor.place(number)
            if place is None:
                continue
            head = heads[actor]
            if actor.speaks:
                phase = number % MOUTH_FRAMES
                if (actor, phase) not in mouths:
                    mouths[actor, phase] = speaking(head, actor.face_side, phase)
                head = mouths[actor, phase]
            tinted = actor.manipulated if isinstance(actor.manipulated, bool) else number in actor.manipulated
            put(canvas, green(head) if tinted else head, round(place[0] * width), round(place[1] * height))
        return canvas

    return picture
