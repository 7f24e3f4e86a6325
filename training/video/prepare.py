"""Find the face in every picture of the corpora and cut the crops that training reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sg_common.bundle.spec import FaceDetectionSpec, read_task
from sg_common.runtime import Runtime
from video_analyzer.crops import face_views, native_crop, square_crop
from video_analyzer.detector import Face, FaceDetector, largest

from training.common.content import digest, files_key, key_of
from training.common.manifest import Sample
from training.video.corpus import LANDMARKS_FILE, FloatArray, Pixels, read_corpora, read_picture

DETECTOR = Path("models/face_detector")
# what training cuts its own crops from: wider than any of them
STORED_SCALE, STORED_SIZE = 1.6, 208
# what the service cuts: as wide as the middle of a stored crop that `synthesize` passes through a decoder
CROP_SCALE, CROP_SIZE = 1.3538, 176
# faces larger than most of the corpus's are shrunk before their own pixels are looked at
NATIVE_FACE_PIXELS, NATIVE_STORED_SIZE = 208, 224


@dataclass(frozen=True)
class Prepared:
    """A corpus cut into crops, in the manifest's order.

    ``stored`` uint8 [N, 208, 208, 3] are wide crops for training and ``native`` uint8 [N, 224, 224, 3] their middles
    in the picture's own pixels, ``views`` uint8 [N, 352, 176, 3] are cut as the service cuts them: the crop, and below
    it the native one. ``points`` float32 [N, 468, 2] are landmarks in pixels of ``stored`` (NaN: none), ``face_pixels``
    [N] is the larger side of the face's box in the picture, ``detected`` [N] says whether the detector found it (else
    the box comes from the landmarks or the picture's middle). ``key`` changes with all of it.
    """

    samples: list[Sample]
    stored: Pixels
    native: Pixels
    views: Pixels
    points: FloatArray
    face_pixels: FloatArray
    detected: npt.NDArray[np.bool_]
    key: str

    @property
    def crops(self) -> Pixels:
        """The crops alone, uint8 [N, 176, 176, 3]."""
        return self.views[:, :CROP_SIZE]


def face_of(picture: Pixels, landmarks: FloatArray, detector: FaceDetector) -> tuple[Face, bool]:
    """The picture's main face, and whether the detector found it."""
    height, width = picture.shape[:2]
    if np.isfinite(landmarks).all():
        (left, top), (right, bottom) = landmarks.min(0), landmarks.max(0)
        expected = Face(float(left), float(top), float(right - left), float(bottom - top), 0.0)
    else:
        side = min(height, width) / 1.75
        expected = Face((width - side) / 2, (height - side) / 2, side, side, 0.0)
    centre = np.array([expected.x + expected.width / 2, expected.y + expected.height / 2])
    near = [
        face
        for face in detector.detect(picture)
        if np.abs(np.array([face.x + face.width / 2, face.y + face.height / 2]) - centre).max() < expected.width / 2
    ]
    found = largest(near)
    return (found, True) if found else (expected, False)


def prepared_key(corpora: Sequence[Path], samples: Sequence[Sample], detector: Path) -> str:
    """A name for crops: the pictures' and landmarks' contents, the detector that finds the faces, how they are cut."""
    spec = read_task(detector, FaceDetectionSpec)
    landmarks = [digest(path) for corpus in corpora if (path := corpus / LANDMARKS_FILE).is_file()]
    cuts = (STORED_SCALE, STORED_SIZE, CROP_SCALE, CROP_SIZE, NATIVE_FACE_PIXELS, NATIVE_STORED_SIZE)
    return key_of(files_key(samples), landmarks, spec.variants, spec.input, cuts)


def prepare(corpora: Sequence[Path], folder: Path, detector_bundle: Path = DETECTOR) -> Prepared:
    """Cut every picture of the corpora and write the crops to ``folder``."""
    samples, landmarks = read_corpora(corpora)
    detector = FaceDetector.load(detector_bundle, Runtime(threads=1))
    count = len(samples)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "key").unlink(missing_ok=True)

    def kept(name: str, height: int, width: int) -> Pixels:
        return np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.uint8, (count, height, width, 3))

    stored = kept("stored", STORED_SIZE, STORED_SIZE)
    native = kept("native", NATIVE_STORED_SIZE, NATIVE_STORED_SIZE)
    views = kept("views", 2 * CROP_SIZE, CROP_SIZE)
    boxes = np.zeros((count, 4), np.float32)
    detected = np.zeros(count, np.bool_)
    points = np.full_like(landmarks, np.nan)
    for i, sample in enumerate(samples):
        picture = read_picture(sample.path)
        face, detected[i] = face_of(picture, landmarks[i], detector)
        boxes[i] = face.x, face.y, face.width, face.height
        stored[i] = square_crop(picture, face, STORED_SCALE, STORED_SIZE)
        native[i] = native_crop(picture, face, STORED_SCALE, NATIVE_STORED_SIZE, NATIVE_FACE_PIXELS)
        views[i] = face_views(picture, face, CROP_SCALE, CROP_SIZE, NATIVE_FACE_PIXELS)
        side = round(STORED_SCALE * max(face.width, face.height))
        corner = np.array([face.x + face.width / 2, face.y + face.height / 2]) - side / 2
        points[i] = (landmarks[i] - corner) * (STORED_SIZE / side)
    np.savez(folder / "faces.npz", boxes=boxes, detected=detected, points=points)
    key = prepared_key(corpora, samples, detector_bundle)
    (folder / "key").write_text(key)
    return Prepared(samples, stored, native, views, points, boxes[:, 2:].max(1), detected, key)


def load_prepared(corpora: Sequence[Path], folder: Path, detector_bundle: Path = DETECTOR) -> Prepared:
    """Open what `prepare` wrote.

    Raises:
        FileNotFoundError: nothing was prepared there, or other pictures, or with another detector.
    """
    samples = read_corpora(corpora)[0]
    key = prepared_key(corpora, samples, detector_bundle)
    if not (folder / "key").is_file() or (folder / "key").read_text() != key:
        raise FileNotFoundError(f"{folder} does not hold the crops of these pictures: run prepare first")
    with np.load(folder / "faces.npz") as faces:
        boxes, detected, points = faces["boxes"], faces["detected"], faces["points"]
    stored, native, views = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("stored", "native", "views"))
    return Prepared(samples, stored, native, views, points, boxes[:, 2:].max(1), detected, key)
