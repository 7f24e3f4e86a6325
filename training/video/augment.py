"""Changes that genuine and manipulated crops go through alike, so that none of them carries a label."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Rng = np.random.Generator
KERNELS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)


@dataclass(frozen=True)
class View:
    """Where a training crop is cut from the stored, wider crop."""

    scale: float
    shift: tuple[float, float]
    angle: float
    mirrored: bool


def random_view(rng: Rng, crop_scale: float) -> View:
    """A crop around ``crop_scale`` times the face, off-centre as a jittering detector leaves it."""
    return View(
        scale=float(np.clip(rng.normal(crop_scale, 0.08), 1.0, 1.45)),
        shift=(float(rng.normal(0, 0.025)), float(rng.normal(0, 0.025))),
        angle=float(rng.normal(0, 4)) if rng.random() < 0.3 else 0.0,
        mirrored=bool(rng.random() < 0.5),
    )


def cut(stored: Pixels, view: View, stored_scale: float, size: int) -> Pixels:
    """Cut a view from a stored square crop: uint8 [size, size, 3]."""
    full = stored.shape[0]
    side = view.scale / stored_scale * full
    centre = full / 2 + np.array(view.shift) * full / stored_scale
    if view.angle:
        matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), view.angle, 1.0)
        stored = np.asarray(
            cv2.warpAffine(stored, matrix, (full, full), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
            np.uint8,
        )
    left, top = (np.clip(np.round(centre - side / 2), 0, max(full - side, 0))).astype(int)
    square = stored[top : top + round(side), left : left + round(side)]
    out = cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_LINEAR)
    return np.ascontiguousarray(out[:, ::-1] if view.mirrored else out, np.uint8)


def cut_native(native: Pixels, view: View, face_pixels: float, size: int) -> Pixels:
    """A view's part of a stored native crop, in the same pixels: uint8 [size, size, 3].

    ``face_pixels`` is the face's larger side in the stored crop. What the view does not show is its edge repeated, as
    in `video_analyzer.crops.native_crop`; it is neither scaled nor turned, which would make other pixels of them.
    """
    full = native.shape[0]
    side = min(size, full, round(view.scale * face_pixels))
    centre = full / 2 + np.array(view.shift) * face_pixels
    left, top = np.clip(np.round(centre - side / 2), 0, full - side).astype(int)
    part = native[top : top + side, left : left + side]
    before = (size - side) // 2
    after = size - side - before
    out = cv2.copyMakeBorder(part, before, after, before, after, cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(out[:, ::-1] if view.mirrored else out, np.uint8)


def rescale(image: Pixels, rng: Rng) -> Pixels:
    """Lose resolution and come back to the same size: a face that was small in its frame."""
    height, width = image.shape[:2]
    factor = max(24 / width, rng.uniform(0.4, 1.0))
    down = cv2.resize(image, (round(width * factor), round(height * factor)), interpolation=int(rng.choice(KERNELS)))
    return np.asarray(cv2.resize(down, (width, height), interpolation=int(rng.choice(KERNELS[1:]))), np.uint8)


def compress(image: Pixels, quality: int, rng: Rng) -> Pixels:
    """JPEG at a random offset of its 8x8 grid."""
    dy, dx = rng.integers(0, 8, 2)
    padded = cv2.copyMakeBorder(image, int(dy), 0, int(dx), 0, cv2.BORDER_REPLICATE)
    _, data = cv2.imencode(".jpg", padded, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(decoded[dy:, dx:])


def video_like(image: Pixels, rng: Rng) -> Pixels:
    """Coarse quantization followed by smoothing inside blocks, as a video codec's loop filter leaves it."""
    coded = compress(image, int(rng.integers(18, 50)), rng)
    return np.asarray(cv2.bilateralFilter(coded, 5, rng.uniform(8, 20), 3), np.uint8)


def colour(image: Pixels, rng: Rng) -> Pixels:
    """Brightness, contrast, saturation, tint and gamma."""
    x = image.astype(np.float32)
    grey = x.mean(2, keepdims=True)
    saturation = 0.0 if rng.random() < 0.05 else rng.uniform(0.6, 1.4)
    x = grey + (x - grey) * np.float32(saturation)
    x = (x - 128) * np.float32(rng.uniform(0.75, 1.25)) + np.float32(128 + rng.uniform(-25, 25))
    x += rng.uniform(-10, 10, 3).astype(np.float32)
    return np.asarray(np.clip(x, 0, 255), np.uint8)


def noise(image: Pixels, rng: Rng, strongest: float = 9) -> Pixels:
    """Sensor noise of a deviation up to ``strongest``, sometimes the same in all channels."""
    channels = 1 if rng.random() < 0.5 else 3
    grain = rng.standard_normal((*image.shape[:2], channels), dtype=np.float32) * np.float32(rng.uniform(1, strongest))
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def smooth(image: Pixels, reach: float, rng: Rng) -> Pixels:
    """Skin as a beauty filter leaves it, mostly inside the face; ``reach`` is as in `retouch`."""
    soft = cv2.bilateralFilter(image, int(rng.integers(5, 10)), rng.uniform(10, 45), rng.uniform(2, 6))
    share: npt.NDArray[np.float32] | float = rng.uniform(0.3, 1.0)
    across, up, inside = rng.uniform(0.4, 0.6), rng.uniform(0.5, 0.75), rng.random() < 0.7
    if inside:
        axis = np.linspace(-reach, reach, image.shape[0])
        distance = np.hypot(axis / across, axis[:, None] / up)
        share = (np.clip((1.15 - distance) / 0.3, 0, 1) * share).astype(np.float32)[..., None]
    return np.asarray(np.rint(image + share * (soft.astype(np.float32) - image)), np.uint8)


def sharpen(image: Pixels, rng: Rng) -> Pixels:
    """Unsharp masking."""
    soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.7, 3.0))
    change = np.float32(rng.uniform(0.2, 1.2)) * (image.astype(np.float32) - soft)
    return np.clip(np.rint(image + change), 0, 255).astype(np.uint8)


def local_contrast(image: Pixels, rng: Rng) -> Pixels:
    """Contrast evened out over the picture (CLAHE), as phones and films do."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(rng.uniform(1.0, 2.5), (4, 4)).apply(lab[..., 0])
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def retouch(image: Pixels, reach: float, rng: Rng) -> Pixels:
    """What studios, films and phones do to genuine faces, uint8 [S, S, 3] in and out: none of it says "fake".

    The image shows ``reach`` half sides of the face's box on every side of its centre.
    """
    if rng.random() < 0.6:
        image = smooth(image, reach, rng)
    if rng.random() < 0.4:
        image = sharpen(image, rng)
    if rng.random() < 0.7:
        image = colour(image, rng)
    if rng.random() < 0.3:
        image = local_contrast(image, rng)
    if rng.random() < 0.3:
        image = noise(image, rng, strongest=5)
    return image


def degrade(image: Pixels, rng: Rng) -> Pixels:
    """A random chain of the changes above, and in a third of cases none; uint8 [H, W, 3] in and out."""
    if rng.random() < 0.33:
        return image
    if rng.random() < 0.45:
        image = colour(image, rng)
    if rng.random() < 0.4:
        image = rescale(image, rng)
    if rng.random() < 0.2:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.4)), np.uint8)
    if rng.random() < 0.25:
        image = noise(image, rng)
    coded = rng.random()
    if coded < 0.5:
        image = compress(image, int(rng.integers(30, 96)), rng)
    elif coded < 0.75:
        image = video_like(image, rng)
    return image
