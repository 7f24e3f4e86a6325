"""Read a corpus of pictures of faces, on which the face detector is measured: manifest, pictures and landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from training.common.manifest import ManifestError, Sample, read_manifest

LANDMARKS = 468
LANDMARKS_FILE = "landmarks468.npz"

Pixels = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]


def read_corpus(folder: Path) -> list[Sample]:
    """Samples of ``folder/manifest.tsv``.

    Raises:
        ManifestError: there is no usable manifest.
    """
    path = folder / "manifest.tsv"
    if not path.is_file():
        raise ManifestError(f"{path} is missing; see docs/own-detector.md for its columns")
    return read_manifest(path)


def read_landmarks(folder: Path, samples: Sequence[Sample]) -> FloatArray:
    """FaceMesh landmarks [N, 468, 2] in pixels of each picture; NaN for pictures without.

    They are read from ``folder/landmarks468.npz``: ``paths``, and x, y in quarter pixels stored as the
    first point (``x4_first``) and differences from point to point (``x4_delta``).
    """
    landmarks = np.full((len(samples), LANDMARKS, 2), np.nan, np.float32)
    path = folder / LANDMARKS_FILE
    if path.is_file():
        with np.load(path) as stored:
            points = np.cumsum(np.concatenate([stored["x4_first"], stored["x4_delta"]], axis=1), axis=1) / 4
            rows = {name: i for i, name in enumerate(stored["paths"])}
        for i, sample in enumerate(samples):
            row = rows.get(sample.path.relative_to(folder).as_posix())
            if row is not None:
                landmarks[i] = points[row]
    return landmarks


def read_picture(path: Path) -> Pixels:
    """An RGB picture, uint8 [H, W, 3].

    Raises:
        ManifestError: the file is no picture.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise ManifestError(f"{path} cannot be read as a picture")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
