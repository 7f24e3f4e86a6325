"""From a detector's logits to calibrated probabilities and verdicts, as its bundle says."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sg_common.analysis import Verdict

Logits = npt.NDArray[np.float64]
Policy = Literal["low_false_alarm", "balanced", "high_recall"]
DEFAULT_POLICY: Policy = "low_false_alarm"
PROBABILITY_DIGITS = 4
"""Decimals of a probability: a verdict depends on no digit that the answer does not show."""


class Part(BaseModel):
    """A part of `model.json`: what it does not know, and what is no number, is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())


class PlattScaling(Part):
    """Probability = sigmoid(logit / temperature + bias) (Platt 1999)."""

    temperature: float = Field(gt=0, description="probability = sigmoid(logit / temperature + bias)")
    bias: float

    def probability(self, logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Calibrated probabilities of logits, same shape, 0..1, to `PROBABILITY_DIGITS`."""
        scaled = np.asarray(logits, np.float64) / self.temperature + self.bias
        return np.asarray(np.round(0.5 * (1 + np.tanh(scaled / 2)), PROBABILITY_DIGITS), np.float64)


class Thresholds(Part):
    """Below the first `likely_authentic`, from the second on `likely_deepfake`, `uncertain` between."""

    likely_authentic: float = Field(gt=0, lt=1, description="the verdict below this probability")
    likely_deepfake: float = Field(gt=0, lt=1, description="the verdict from this probability on")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.likely_authentic > self.likely_deepfake:
            raise ValueError("likely_authentic must not be above likely_deepfake")
        return self

    def verdict(self, probability: float) -> Verdict:
        if probability < self.likely_authentic:
            return Verdict.LIKELY_AUTHENTIC
        return Verdict.LIKELY_DEEPFAKE if probability >= self.likely_deepfake else Verdict.UNCERTAIN


class OperatingPoint(Thresholds):
    """A policy's thresholds and what they are worth, measured on held-out sources."""

    false_alarm_rate: float = Field(ge=0, le=1, description="genuine files called likely_deepfake")
    false_alarm_interval: tuple[float, float] = Field(description="95% confidence interval of that rate")
    detection_rate: float = Field(ge=0, le=1, description="fakes called likely_deepfake")

    @model_validator(mode="after")
    def _around_the_rate(self) -> Self:
        low, high = self.false_alarm_interval
        if not 0 <= low <= self.false_alarm_rate <= high <= 1:
            raise ValueError("false_alarm_interval must hold false_alarm_rate and lie within 0..1")
        return self


class Aggregation(Part):
    """How the logits of a file's windows, or of a face's frames, become one.

    `mean` and `median` of all; `trimmed_mean` leaves out `fraction` of them at either end; `top_mean` is the mean of
    the highest `fraction`, at least of one.
    """

    kind: Literal["mean", "median", "trimmed_mean", "top_mean"] = "mean"
    fraction: float | None = Field(
        default=None, gt=0, le=1, description="left out at either end (trimmed_mean), or kept at the top (top_mean)"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        takes_fraction = self.kind in ("trimmed_mean", "top_mean")
        if takes_fraction != (self.fraction is not None):
            raise ValueError(f"{self.kind} {'needs a' if takes_fraction else 'takes no'} fraction")
        if self.kind == "trimmed_mean" and self.fraction is not None and self.fraction >= 0.5:
            raise ValueError("trimmed_mean needs a fraction under 0.5")
        return self

    def __call__(self, logits: npt.ArrayLike) -> float:
        """One logit of (N,) logits, N at least 1."""
        ordered, fraction = np.sort(np.asarray(logits, np.float64)), self.fraction or 0.0
        if self.kind == "median":
            return float(np.median(ordered))
        if self.kind == "trimmed_mean":
            cut = int(fraction * ordered.size)
            ordered = ordered[cut : ordered.size - cut]
        elif self.kind == "top_mean":
            ordered = ordered[-max(1, round(fraction * ordered.size)) :]
        return float(ordered.mean())


class Calibration(PlattScaling):
    """What a detector's logits mean. `thresholds` are those of `low_false_alarm`, the default policy."""

    thresholds: Thresholds
    operating_points: dict[Policy, OperatingPoint] = Field(
        default={}, description="what each policy's thresholds are worth; empty where nobody has measured it"
    )
    aggregation: Aggregation = Aggregation()

    @model_validator(mode="after")
    def _agreeing(self) -> Self:
        if not self.operating_points:
            return self
        point, own = self.operating_points.get(DEFAULT_POLICY), self.thresholds
        if point is None:
            raise ValueError(f"operating_points lacks {DEFAULT_POLICY}, the default policy")
        if (point.likely_authentic, point.likely_deepfake) != (own.likely_authentic, own.likely_deepfake):
            raise ValueError(f"operating_points.{DEFAULT_POLICY} and thresholds differ")
        return self

    def at(self, policy: Policy = DEFAULT_POLICY) -> Thresholds:
        """A policy's thresholds, an `OperatingPoint` where the bundle says what they are worth.

        Raises:
            KeyError: the bundle has no such operating point.
        """
        if policy == DEFAULT_POLICY:
            return self.operating_points.get(policy, self.thresholds)
        return self.operating_points[policy]

    def aggregate(self, logits: npt.ArrayLike) -> float:
        """The calibrated probability of the logits (N,) that count as one, N at least 1."""
        return float(self.probability(self.aggregation(logits)))

    def verdict(self, probability: float, policy: Policy = DEFAULT_POLICY) -> Verdict:
        """What a probability means at a policy's thresholds (raises KeyError as `at` does)."""
        return self.at(policy).verdict(probability)


class CodecCalibration(PlattScaling):
    """What a lossy codec's streams of at most `bit_rate` bits per second need in place of the common calibration."""

    codec: str = Field(min_length=1, description="FFmpeg's name of the decoder")
    bit_rate: float = Field(gt=0, description="bits per second")


class VoiceCalibration(Calibration):
    """`calibration` of an `audio-deepfake` bundle."""

    codecs: tuple[CodecCalibration, ...] = ()

    def for_stream(self, codec: str, bit_rate: float) -> Self:
        """The calibration for a stream by its decoder's name and its bits per second: of the codec's entries that
        reach so far, the one for the lowest rate; this one where there is none."""
        fitting = [entry for entry in self.codecs if entry.codec == codec and bit_rate <= entry.bit_rate]
        if not fitting:
            return self
        entry = min(fitting, key=lambda entry: entry.bit_rate)
        return self.model_copy(update={"temperature": entry.temperature, "bias": entry.bias})


class TrackCombination(Part):
    """How a clip's faces become the clip: the most suspicious one decides."""

    kind: Literal["max"] = "max"


class Fusion(Part):
    """How the graph scales and shifts its experts' logits before it joins them. For training alone."""

    scale: tuple[float, ...] = Field(description="an expert each; for training alone")
    offset: tuple[float, ...] = Field(description="an expert each; for training alone")


class FaceCalibration(Calibration):
    """`calibration` of a `face-manipulation` bundle."""

    track_combination: TrackCombination = TrackCombination()
    held_out_folds: tuple[tuple[int, ...], ...] | None = Field(
        default=None, description="the folds that each member of the graph never saw; for training alone"
    )
    fusion: Fusion | None = None
