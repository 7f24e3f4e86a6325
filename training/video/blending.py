"""Self-blended images: a genuine face blended into itself, as a swap or lip-sync leaves it.

After Shiohara and Yamasaki, "Detecting Deepfakes with Self-Blended Images", CVPR 2022, with masks of the
lower face and the mouth added for lip-sync, and a source that may have been through a generator's decoder.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]
Rng = np.random.Generator

# FaceMesh landmark numbers
LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
NOSE_BRIDGE, NOSE_TIP, CHIN = 168, 4, 152
EYES_AND_BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 263, 249, 390, 373, 374, 380, 33, 7, 163, 144, 145)

# share of each mask among self-blended images
MASKS = {"whole": 0.45, "inner": 0.15, "lower": 0.2, "mouth": 0.12, "eyes": 0.08}


def hull_mask(points: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """Filled convex hull of points (x, y) as float32 [H, W], 0 or 1."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points).astype(np.int32)), 255)
    return np.asarray(mask, np.float32) / np.float32(255)


def ellipse_points(centre: FloatArray, radii: tuple[float, float], count: int = 24) -> FloatArray:
    """Points of an ellipse, for faces without landmarks."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.asarray(centre + np.stack([np.cos(angles), np.sin(angles)], 1) * radii, np.float32)


def region_points(kind: str, landmarks: FloatArray, size: int, box_share: float) -> FloatArray:
    """Points that outline a region of the face.

    Without landmarks (NaN) ellipses stand in, placed where a face in the middle of a square crop has them;
    ``box_share`` is the face box's share of the crop's side.
    """
    if not np.isfinite(landmarks).all():
        middle, side = np.array([size / 2, size / 2], np.float32), size * box_share
        place = {
            "whole": ((0, 0), (0.45, 0.52)),
            "inner": ((0, 0.05), (0.36, 0.38)),
            "lower": ((0, 0.22), (0.36, 0.3)),
            "mouth": ((0, 0.22), (0.2, 0.12)),
            "eyes": ((0, -0.15), (0.38, 0.14)),
        }[kind]
        return ellipse_points(middle + np.array(place[0], np.float32) * side, (place[1][0] * side, place[1][1] * side))
    if kind == "whole":
        return landmarks
    if kind == "mouth":
        lips = landmarks[list(LIPS)]
        return np.asarray(lips.mean(0) + (lips - lips.mean(0)) * np.float32(1.35), np.float32)
    if kind == "eyes":
        return landmarks[list(EYES_AND_BROWS)]
    if kind == "lower":
        axis = landmarks[CHIN] - landmarks[NOSE_BRIDGE]
        along = (landmarks - landmarks[NOSE_TIP]) @ axis
        return np.asarray(landmarks[along > -0.15 * float(axis @ axis)], np.float32)
    return np.asarray(landmarks.mean(0) + (landmarks - landmarks.mean(0)) * np.float32(0.8), np.float32)


def deform(mask: FloatArray, strength: float, rng: Rng) -> FloatArray:
    """Bend a mask by a smooth random field whose displacements reach about ``strength`` pixels."""
    height, width = mask.shape
    field = rng.uniform(-strength, strength, (5, 5, 2)).astype(np.float32)
    shift = cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    bent = cv2.remap(mask, columns + shift[..., 0], rows + shift[..., 1], cv2.INTER_LINEAR)
    return np.asarray(bent, np.float32)


def blending_mask(landmarks: FloatArray, size: int, box_share: float, rng: Rng) -> FloatArray:
    """A soft mask of a random region: float32 [size, size], 0..1, with a random share of opacity."""
    kind = str(rng.choice(list(MASKS), p=list(MASKS.values())))
    mask = hull_mask(region_points(kind, landmarks, size, box_share), (size, size))
    mask = deform(mask, size * rng.uniform(0.01, 0.04), rng)
    for _ in range(2):
        kernel = 2 * int(rng.integers(1, max(2, size // 20))) + 1
        mask = np.asarray(cv2.GaussianBlur(mask, (kernel, kernel), 0), np.float32)
        if rng.random() < 0.5:
            mask = np.clip(mask * 2 - rng.uniform(0, 1), 0, 1).astype(np.float32)
    return np.asarray(mask * rng.choice([0.4, 0.6, 0.8, 1, 1, 1]), np.float32)


def shift_colour(image: Pixels, rng: Rng) -> Pixels:
    """Change tint, saturation, brightness and contrast a little, as a badly matched swap does."""
    x = image.astype(np.float32)
    x += rng.uniform(-18, 18, 3).astype(np.float32)
    grey = x.mean(2, keepdims=True)
    x = grey + (x - grey) * np.float32(rng.uniform(0.7, 1.3))
    x = (x - 128) * np.float32(rng.uniform(0.88, 1.12)) + np.float32(128 + rng.uniform(-15, 15))
    return np.asarray(np.clip(x, 0, 255), np.uint8)


def change_sharpness(image: Pixels, rng: Rng) -> Pixels:
    """Sharpen, blur, or lose resolution: the synthesized face has not its surroundings' sharpness."""
    size = image.shape[0]
    choice = rng.random()
    if choice < 0.35:
        soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.6, 1.6))
        return np.asarray(cv2.addWeighted(image, 1.0 + (a := rng.uniform(0.4, 1.4)), soft, -a, 0), np.uint8)
    if choice < 0.55:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.5)), np.uint8)
    small = max(16, round(size / rng.uniform(1.3, 3)))
    down = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    up = int(
        rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4, cv2.INTER_NEAREST], p=[0.4, 0.3, 0.2, 0.1])
    )
    return np.asarray(cv2.resize(down, (size, size), interpolation=up), np.uint8)


def move(image: Pixels, mask: FloatArray, rng: Rng) -> tuple[Pixels, FloatArray]:
    """Shift, scale and turn the source and its mask slightly, so that contours do not quite meet."""
    size = image.shape[0]
    matrix = cv2.getRotationMatrix2D((size / 2, size / 2), rng.uniform(-2, 2), rng.uniform(0.96, 1.04))
    matrix[:, 2] += rng.uniform(-0.02, 0.02, 2) * size
    moved = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.uint8), np.asarray(cv2.warpAffine(mask, matrix, (size, size)), np.float32)


def self_blend(
    image: Pixels, landmarks: FloatArray, box_share: float, rng: Rng, resynthesized: Pixels | None = None
) -> Pixels:
    """Blend a changed copy of a face over itself.

    ``image`` uint8 [S, S, 3], ``landmarks`` [468, 2] in its pixels (NaN without), ``box_share`` as in
    `region_points`. ``resynthesized``, the same picture out of a generator's decoder, serves as the copy
    where it is given. Returns uint8 [S, S, 3].
    """
    size = image.shape[0]
    mask = blending_mask(landmarks, size, box_share, rng)
    source = image if resynthesized is None else resynthesized
    target = image
    changes: list[Callable[[Pixels, Rng], Pixels]] = []
    if rng.random() < 0.75:
        changes.append(shift_colour)
    if rng.random() < (0.7 if changes else 1.0):
        changes.append(change_sharpness)
    # mostly the source differs; sometimes its surroundings do
    if rng.random() < 0.75:
        for change in changes:
            source = change(source, rng)
    else:
        for change in changes:
            target = change(target, rng)
    source, mask = move(source, mask, rng)
    weight = mask[..., None]
    return np.clip(source * weight + target * (1 - weight) + 0.5, 0, 255).astype(np.uint8)
