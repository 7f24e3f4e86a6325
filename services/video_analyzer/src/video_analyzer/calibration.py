"""From the model's logits to calibrated probabilities and a verdict, as the bundle says."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sg_common.analysis import Verdict
from sg_common.bundle import BundleSpec
from sg_common.errors import BundleError

from video_analyzer.crops import face_views
from video_analyzer.detector import Face

Logits = npt.NDArray[np.float64]


class FaceInput(BaseModel):
    """`input` of a `face-manipulation` bundle."""

    model_config = ConfigDict(frozen=True, extra="allow")

    layout: Literal["NCHW"]
    dtype: Literal["uint8", "float32"]
    size: int = Field(ge=16, le=1024, description="side of the crop that the graph takes, pixels")
    crop_scale: float = Field(ge=0.5, le=4, description="side of the square crop over the face box's longer side")
    native_face_pixels: float | None = Field(
        default=None,
        ge=16,
        description="below the crop the graph takes its middle in the frame's pixels, of larger faces at this size",
    )
    min_face_pixels: float = Field(ge=1, description="longer side of the smallest face box that can be judged")
    mean: tuple[float, float, float] | None = Field(default=None, description="subtracted from 0..255 RGB")
    std: tuple[float, float, float] | None = Field(default=None, description="divides after that")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.mean is not None or self.std is not None) and self.dtype != "float32":
            raise ValueError("mean and std need dtype float32")
        return self

    def crop(self, frame_rgb: npt.NDArray[np.uint8], face: Face) -> npt.NDArray[np.uint8]:
        """What the graph looks at of a face: uint8 [S, S, 3] RGB, or [2S, S, 3] with its own pixels below.

        Raises:
            ValueError: the face's box is empty or does not touch the frame.
        """
        return face_views(frame_rgb, face, self.crop_scale, self.size, self.native_face_pixels)

    def tensor(self, crops: list[npt.NDArray[np.uint8]]) -> npt.NDArray[Any]:
        """The graph's input [N, 3, H, S] for what `crop` cut, each uint8 [H, S, 3] RGB."""
        batch = np.ascontiguousarray(np.stack(crops).transpose(0, 3, 1, 2))
        if self.dtype == "uint8":
            return batch
        floats = batch.astype(np.float32)
        if self.mean is not None:
            floats -= np.asarray(self.mean, np.float32).reshape(1, 3, 1, 1)
        if self.std is not None:
            floats /= np.asarray(self.std, np.float32).reshape(1, 3, 1, 1)
        return floats


class Thresholds(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    likely_authentic: float = Field(ge=0, le=1)
    likely_deepfake: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.likely_authentic > self.likely_deepfake:
            raise ValueError("likely_authentic must not be above likely_deepfake")
        return self


class Aggregation(BaseModel):
    """How a track's frames become the track's logit.

    `mean` and `median` of all; `trimmed_mean` leaves out `fraction` of them at either end; `top_mean` is the mean
    of the highest `fraction`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["mean", "median", "trimmed_mean", "top_mean"]
    fraction: float | None = Field(default=None, gt=0, le=1)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind in {"trimmed_mean", "top_mean"} and self.fraction is None:
            raise ValueError(f"{self.kind} needs a fraction")
        if self.kind == "trimmed_mean" and self.fraction is not None and self.fraction >= 0.5:
            raise ValueError("trimmed_mean needs a fraction under 0.5")
        return self

    def __call__(self, logits: Logits) -> float:
        """One logit of (N,) logits, N at least 1."""
        fraction = self.fraction or 0.0
        if self.kind == "median":
            return float(np.median(logits))
        if self.kind == "trimmed_mean":
            cut = int(fraction * logits.size)
            return float(np.sort(logits)[cut : logits.size - cut].mean())
        if self.kind == "top_mean":
            return float(np.sort(logits)[-max(1, round(fraction * logits.size)) :].mean())
        return float(logits.mean())


class TrackCombination(BaseModel):
    """How the tracks become the clip: the most suspicious one decides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["max"] = "max"


class Calibration(BaseModel):
    """`calibration` of a `face-manipulation` bundle: probability = sigmoid(logit / temperature + bias)."""

    model_config = ConfigDict(frozen=True, extra="allow")

    temperature: float = Field(gt=0)
    bias: float
    thresholds: Thresholds
    aggregation: Aggregation
    track_combination: TrackCombination = TrackCombination()

    def probability(self, logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Calibrated probabilities of logits, same shape, to six digits."""
        scaled = np.asarray(logits, np.float64) / self.temperature + self.bias
        return np.asarray(np.round(0.5 * (1 + np.tanh(scaled / 2)), 6), np.float64)

    def verdict(self, probability: float) -> Verdict:
        if probability >= self.thresholds.likely_deepfake:
            return Verdict.LIKELY_DEEPFAKE
        if probability < self.thresholds.likely_authentic:
            return Verdict.LIKELY_AUTHENTIC
        return Verdict.UNCERTAIN


def read_task_fields(spec: BundleSpec) -> tuple[FaceInput, Calibration]:
    """The fields of `model.json` that only this service knows.

    Raises:
        BundleError: one is missing or wrong; the message names it.
    """
    if spec.output.kind == "raw":
        raise BundleError(f"{spec.name}: output.kind: this service needs logit or probability")
    try:
        return FaceInput.model_validate(spec.input.model_dump()), Calibration.model_validate(spec.calibration)
    except ValidationError as error:
        first = error.errors()[0]
        part = "input" if error.title == FaceInput.__name__ else "calibration"
        place = ".".join([part, *(str(name) for name in first["loc"])])
        raise BundleError(f"{spec.name}: {place}: {first['msg']}") from error


def as_logits(scores: npt.NDArray[np.float32], kind: str) -> Logits:
    """The output's scores (N,) as logits, whether they are logits or probabilities."""
    values = scores.astype(np.float64)
    if kind == "logit":
        return values
    clipped = np.clip(values, 1e-7, 1 - 1e-7)
    return np.asarray(np.log(clipped) - np.log1p(-clipped), np.float64)
