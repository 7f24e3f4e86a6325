"""What a bundle's graph is given of a frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sg_common.bundle.spec import FaceInput
from sg_common.runtime import Runtime
from video_analyzer.crops import crop_face
from video_analyzer.detector import Face
from video_analyzer.model import FaceModel, tensor

from testbed.face_model import SIZE, green_logit, write_green_bundle

INPUT: dict[str, Any] = {
    "name": "faces",
    "layout": "NCHW",
    "dtype": "uint8",
    "size": 32,
    "crop_scale": 1.3,
    "min_face_pixels": 64,
}


def test_a_face_becomes_a_logit(tmp_path: Path) -> None:
    model = FaceModel.load(write_green_bundle(tmp_path), Runtime(threads=1))
    frame = np.random.default_rng(2).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    crops = [crop_face(frame, Face(x, 10, 40, 40, 0.9), model.input) for x in (5, 30)]
    np.testing.assert_allclose(model.logits(crops), green_logit(np.stack(crops).transpose(0, 3, 1, 2)), atol=1e-4)
    assert model.info.variant == "fp32"


def test_the_bundle_says_whether_native_pixels_are_looked_at(tmp_path: Path) -> None:
    frame, face = np.zeros((80, 80, 3), np.uint8), Face(20, 20, 40, 40, 0.9)
    plain = FaceModel.load(write_green_bundle(tmp_path / "plain"), Runtime(threads=1))
    assert crop_face(frame, face, plain.input).shape == (SIZE, SIZE, 3)
    native = FaceModel.load(write_green_bundle(tmp_path / "native", native_face_pixels=30), Runtime(threads=1))
    assert crop_face(frame, face, native.input).shape == (2 * SIZE, SIZE, 3)


def test_the_tensor_is_planar_and_normalised_as_the_bundle_says() -> None:
    crop = np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3)
    plain = tensor(FaceInput.model_validate(INPUT), [crop, crop])
    assert plain.shape == (2, 3, 32, 32)
    assert plain.dtype == np.uint8
    np.testing.assert_array_equal(plain[1, 2], crop[:, :, 2])
    scaled = tensor(
        FaceInput.model_validate({**INPUT, "dtype": "float32", "mean": (1, 2, 3), "std": (2, 4, 8)}), [crop]
    )
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled[0, 1], (crop[:, :, 1].astype(float) - 2) / 4)
