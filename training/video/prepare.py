"""Find the face in every picture of a corpus and cut the crops that training and evaluation read.

python -m training.video.prepare --corpus ../shared/data/video
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from video_analyzer.crops import face_views, native_crop, square_crop
from video_analyzer.detector import Face, FaceDetector, largest

from training.common.bundle import session
from training.common.manifest import Sample
from training.common.paths import cache_folder
from training.video.corpus import FloatArray, Pixels, read_corpus, read_landmarks, read_picture

# what training cuts its own crops from: wider than any of them
STORED_SCALE, STORED_SIZE = 1.6, 208
# what the service cuts: as wide as the middle of a stored crop that `synthesize` passes through a decoder
CROP_SCALE, CROP_SIZE = 1.3538, 176
# faces larger than most of the corpus's are shrunk before their own pixels are looked at
NATIVE_FACE_PIXELS, NATIVE_STORED_SIZE = 208, 224


class OnnxSession:
    """The detector's session, as `video_analyzer.detector` wants it."""

    def __init__(self, path: Path) -> None:
        self._session = session(path)

    def run(self, feeds: dict[str, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        return list(self._session.run(None, feeds))


def load_detector(bundle: Path) -> FaceDetector:
    """The face detector of a bundle folder."""
    document = json.loads((bundle / "model.json").read_text(encoding="utf-8"))
    return FaceDetector(OnnxSession(bundle / document["variants"]["fp32"]["file"]), document["input"])


@dataclass(frozen=True)
class Prepared:
    """A corpus cut into crops, in the manifest's order.

    ``stored`` uint8 [N, 208, 208, 3] are wide crops for training and ``native`` uint8 [N, 224, 224, 3] their middles
    in the picture's own pixels, ``views`` uint8 [N, 352, 176, 3] are cut as the service cuts them: the crop, and below
    it the native one. ``points`` float32 [N, 468, 2] are landmarks in pixels of ``stored`` (NaN: none), ``face_pixels``
    [N] is the larger side of the face's box in the picture, ``detected`` [N] says whether the detector found it (else
    the box comes from the landmarks or the picture's middle).
    """

    samples: list[Sample]
    stored: Pixels
    native: Pixels
    views: Pixels
    points: FloatArray
    face_pixels: FloatArray
    detected: npt.NDArray[np.bool_]

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


def prepare(corpus: Path, folder: Path, detector: FaceDetector) -> Prepared:
    """Cut every picture of a corpus and write the crops to ``folder``."""
    samples = read_corpus(corpus)
    landmarks = read_landmarks(corpus, samples)
    count = len(samples)
    folder.mkdir(parents=True, exist_ok=True)

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
    (folder / "corpus.json").write_text(json.dumps({"corpus": str(corpus.resolve()), "samples": count}))
    return Prepared(samples, stored, native, views, points, boxes[:, 2:].max(1), detected)


def load_prepared(corpus: Path, folder: Path) -> Prepared:
    """Open what `prepare` wrote.

    Raises:
        FileNotFoundError: nothing was prepared there, or for another corpus.
    """
    described = folder / "corpus.json"
    samples = read_corpus(corpus)
    if not described.is_file() or json.loads(described.read_text())["samples"] != len(samples):
        raise FileNotFoundError(f"{folder} does not hold this corpus; run python -m training.video.prepare first")
    with np.load(folder / "faces.npz") as faces:
        boxes, detected, points = faces["boxes"], faces["detected"], faces["points"]
    stored, native, views = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("stored", "native", "views"))
    return Prepared(samples, stored, native, views, points, boxes[:, 2:].max(1), detected)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options that every step shares."""
    parser.add_argument("--corpus", type=Path, default=Path("../shared/data/video"), help="folder with manifest.tsv")
    parser.add_argument("--work", type=Path, default=cache_folder("video"), help="folder for crops and checkpoints")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser)
    parser.add_argument("--detector", type=Path, default=Path("models/face_detector"))
    options = parser.parse_args()
    done = prepare(options.corpus, options.work / "prepared", load_detector(options.detector))
    print(f"{len(done.samples)} pictures, face found in {done.detected.mean():.1%}")


if __name__ == "__main__":
    main()
