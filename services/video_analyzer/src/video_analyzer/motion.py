"""Whether anything moves in a face but the camera, or the picture that it is on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from video_analyzer.detector import Face

Grey = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

SIDE = 64
SCALES = (4, 2, 1)
STEPS = 12
SETTLED = 1e-3
BLOCK = 8
STRONGEST_BLOCKS = 4
LEAST_OVERLAP = 0.5
DIFFERENT = 2.0
"""Mean difference in brightness, 0..255, of two pictures of one place that are not one picture twice: more than what a
codec makes of one."""
MOST_DIFFERENT = 8
"""Pictures that are told apart; no verdict needs more."""
MOVES = 0.1
"""Residual from which something in the face moves."""
LEAST_MOVING = 2
"""Frames that must show it: an alignment may fail once."""
LEAST_TRAVEL = 0.1
"""Way of the face through the picture, in face sizes, or the logarithm of its growth, from which its picture should
have changed, were it alive. Live people who keep their head still may keep their face still too."""


class FaceMotion:
    """What moves in one face over its judged frames.

    Limits: `python -m benchmarks.face_motion`.

    Attributes:
        seconds: from the first judged frame to the last.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start: float | None = None
        self._pictures: list[tuple[Face, Grey]] = []
        self._reference: tuple[Alignment, Face] | None = None
        self._moving = 0
        self._travel = 0.0

    @property
    def different(self) -> int:
        """Pictures of the face that are not any of those before, at most `MOST_DIFFERENT`."""
        return len(self._pictures)

    @property
    def still(self) -> bool:
        """Whether the face was moved through the picture, and nothing moved in it but as a flat picture does."""
        return self._travel >= LEAST_TRAVEL and self._moving < LEAST_MOVING

    def see(self, time: float, box: Face, view: Callable[[Face], Grey]) -> None:
        """Take in the face of the next judged frame.

        Args:
            time: seconds.
            box: where the face is.
            view: the brightness of the frame in a box, float32 [64, 64].
        """
        self._start = time if self._start is None else self._start
        self.seconds = time - self._start
        if self.different == MOST_DIFFERENT and self._moving >= LEAST_MOVING:
            return  # nothing more is asked of this face
        face = view(box)
        # At one place, since a box that trembles makes many pictures of one; a face that travels leaves its place.
        if self.different < MOST_DIFFERENT and all(
            float(np.abs(view(place) - picture).mean()) >= DIFFERENT for place, picture in self._pictures
        ):
            self._pictures.append((box, face))
        if self._reference is None:
            self._reference = Alignment(face), box
        elif self._moving < LEAST_MOVING:
            alignment, first = self._reference
            self._travel = max(self._travel, travel(first, box))
            self._moving += alignment.residual(face) >= MOVES


def travel(first: Face, box: Face) -> float:
    """How far a box has moved in face sizes, or grown in the natural logarithm, whichever is more."""
    size, later = np.sqrt(first.width * first.height), np.sqrt(box.width * box.height)
    across = box.x + box.width / 2 - first.x - first.width / 2
    down = box.y + box.height / 2 - first.y - first.height / 2
    return float(max(np.hypot(across, down) / size, abs(np.log(later / size))))


class Alignment:
    """A face at one moment, to which the same face at others is aligned by a homography and a change of light.

    The inverse compositional algorithm: Baker and Matthews, "Lucas-Kanade 20 Years On", IJCV 2004, coarse to fine.

    Args:
        reference: brightness, float32 [64, 64].
    """

    def __init__(self, reference: Grey) -> None:
        self._levels = [_Level(_shrunk(reference, scale)) for scale in SCALES]

    def residual(self, other: Grey) -> float:
        """What no movement of a flat picture explains: the mean difference in the few blocks of 8x8 pixels where it is
        largest, over the contrast; infinite where the two have hardly a part in common.

        Args:
            other: brightness, float32 [64, 64].
        """
        warp: Matrix = np.eye(3)
        for level, scale in zip(self._levels, SCALES, strict=True):
            warp = level.align(_shrunk(other, scale), warp)
        return self._levels[-1].difference(other, warp)


class _Level:
    """One scale of the reference. Coordinates are -1..1 in both axes, so that a warp holds at every scale."""

    def __init__(self, reference: Grey) -> None:
        side = reference.shape[0]
        self._side = side
        axis = (np.arange(side) + 0.5) * 2 / side - 1
        x, y = (plane.ravel() for plane in np.meshgrid(axis, axis))
        self._points = np.stack([x, y, np.ones_like(x)])
        self._values = reference.ravel().astype(np.float64)
        down, across = (part.ravel() * side / 2 for part in np.gradient(reference.astype(np.float64)))
        tilt = -(across * x + down * y)
        ones = np.ones_like(x)
        light = [self._values, ones]
        moves = [across * x, across * y, across, down * x, down * y, down, tilt * x, tilt * y]
        self._steepest = np.stack([*moves, *light])

    def align(self, other: Grey, warp: Matrix) -> Matrix:
        """The homography from the reference's coordinates to the other's, starting from `warp`."""
        for _ in range(STEPS):
            values, inside = self._sampled(other, warp)
            if inside.mean() < LEAST_OVERLAP:
                return warp
            steepest = self._steepest[:, inside]
            difference = values[inside] - self._values[inside]
            step = np.linalg.lstsq(steepest @ steepest.T, steepest @ difference, rcond=None)[0]
            change = np.array([[1 + step[0], step[1], step[2]], [step[3], 1 + step[4], step[5]], [step[6], step[7], 1]])
            if abs(np.linalg.det(change)) < 1e-3:
                return warp
            warp = warp @ np.linalg.inv(change)
            warp = warp / warp[2, 2]
            if np.abs(step[:8]).max() < SETTLED:
                break
        return warp

    def difference(self, other: Grey, warp: Matrix) -> float:
        values, inside = self._sampled(other, warp)
        if inside.mean() < LEAST_OVERLAP:
            return np.inf
        light = np.stack([self._values[inside], np.ones(int(inside.sum()))])
        gain = np.linalg.lstsq(light.T, values[inside], rcond=None)[0]
        error = np.zeros_like(values)
        error[inside] = values[inside] - gain @ light
        blocks = error.reshape(self._side // BLOCK, BLOCK, self._side // BLOCK, BLOCK).mean(axis=(1, 3))
        strongest = np.sort(np.abs(blocks), axis=None)[-STRONGEST_BLOCKS:]
        return float(strongest.mean()) / max(float(values[inside].std()), 1e-3)

    def _sampled(self, other: Grey, warp: Matrix) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """The other's values at the warped points, and which of these lie inside it."""
        x, y, w = warp @ self._points
        safe = np.where(np.abs(w) < 1e-6, 1e-6, w)
        column, row = ((coordinate / safe + 1) * self._side / 2 - 0.5 for coordinate in (x, y))
        last = self._side - 1
        inside = (w > 1e-6) & (column >= 0) & (column <= last) & (row >= 0) & (row <= last)
        column, row = np.clip(column, 0, last - 1e-6), np.clip(row, 0, last - 1e-6)
        left, top = column.astype(np.intp), row.astype(np.intp)
        right, down = column - left, row - top
        upper = other[top, left] * (1 - right) + other[top, left + 1] * right
        lower = other[top + 1, left] * (1 - right) + other[top + 1, left + 1] * right
        return upper * (1 - down) + lower * down, inside


def _shrunk(image: Grey, scale: int) -> Grey:
    side = image.shape[0] // scale
    return np.asarray(image.reshape(side, scale, side, scale).mean(axis=(1, 3)), np.float32)
