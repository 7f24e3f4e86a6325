"""From a detector's logits to calibrated probabilities and verdicts, as its bundle says."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from sg_common.errors import InvalidOption
from sg_common.verdict import DECIMALS, DEFAULT_POLICY, OperatingPoint, Part, Policy, Thresholds, Verdict

Logits = npt.NDArray[np.float64]


class PlattScaling(Part):
    """Probability = sigmoid(logit / temperature + bias) (Platt 1999)."""

    temperature: float = Field(gt=0, description="probability = sigmoid(logit / temperature + bias)")
    bias: float

    def probability(self, logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Calibrated probabilities of logits, same shape, 0..1, to `DECIMALS`."""
        scaled = np.asarray(logits, np.float64) / self.temperature + self.bias
        return np.asarray(np.round(0.5 * (1 + np.tanh(scaled / 2)), DECIMALS), np.float64)


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
            InvalidOption: the bundle has no such operating point.
        """
        points: dict[Policy, Thresholds] = {DEFAULT_POLICY: self.thresholds, **self.operating_points}
        if policy not in points:
            raise InvalidOption(f"policy: this model has not been measured for {policy}; it has {', '.join(points)}")
        return points[policy]

    def verdict(self, probability: float, policy: Policy = DEFAULT_POLICY) -> Verdict:
        """What a probability means at a policy's thresholds (raises as `at` does)."""
        return self.at(policy).verdict(probability)


class CodecCalibration(PlattScaling):
    """What a lossy codec's streams of at most `bit_rate` bits per second need in place of the common calibration."""

    codec: str = Field(min_length=1, description="FFmpeg's name of the decoder")
    bit_rate: float = Field(gt=0, description="bits per second")


class SpeechCalibration(PlattScaling):
    """What so much speech needs in place of the common calibration: less speech, less certainty."""

    seconds: float = Field(ge=0, description="of speech from which on it counts, up to the next entry")


class StretchCalibration(PlattScaling):
    """What a run of consecutive windows within a longer voice is worth.

    Its evidence is the mean of its n windows' logits, the further from genuine speech's the more windows there are,
    less what the strongest of so many would reach by chance:

        level + (mean - level) * sqrt((between + within) / (between + within / n)) - chances * log(all / n),

    where `all` is the number of the file's windows. Its probability is sigmoid(evidence / temperature + bias). A scan
    statistic (Glaz, Naus & Wallenstein 2001) under a random effect of the recording.
    """

    level: float = Field(description="mean logit of genuine recordings")
    between: float = Field(gt=0, description="variance of genuine recordings' mean logits")
    within: float = Field(gt=0, description="variance of windows' logits about their recording's mean")
    chances: float = Field(ge=0, description="logit by which e times as many places lower a stretch's evidence")
    doubtful: float = Field(
        default=0.5, ge=0, le=0.5, description="probability from which the strongest run counts for its voice"
    )

    def evidence(self, means: npt.ArrayLike, windows: int, of: int) -> Logits:
        """The evidence of runs of so many windows out of `of`, by the runs' mean logits; same shape."""
        drawn = np.sqrt((self.between + self.within) / (self.between + self.within / windows))
        above = np.asarray(means, np.float64) - self.level
        return np.asarray(self.level + above * drawn - self.chances * np.log(of / windows), np.float64)


class VoiceCalibration(Calibration):
    """`calibration` of an `audio-deepfake` bundle."""

    codecs: tuple[CodecCalibration, ...] = ()
    speech: tuple[SpeechCalibration, ...] = Field(
        default=(), description="by the amount of speech, ascending; the common calibration below the first"
    )
    stretches: StretchCalibration | None = Field(
        default=None, description="of stretches within a voice; null: voices are judged as a whole alone"
    )

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        seconds = [entry.seconds for entry in self.speech]
        if seconds != sorted(set(seconds)):
            raise ValueError("speech must be in order of seconds, each once")
        return self

    def for_stream(self, codec: str, bit_rate: float) -> PlattScaling:
        """The calibration for a stream by its decoder's name and its bits per second: of the codec's entries that
        reach so far, the one for the lowest rate; this one where there is none."""
        fitting = [entry for entry in self.codecs if entry.codec == codec and bit_rate <= entry.bit_rate]
        return min(fitting, key=lambda entry: entry.bit_rate) if fitting else self

    def for_speech(self, seconds: float) -> PlattScaling:
        """The calibration for a voice of so many seconds of speech."""
        reached: list[PlattScaling] = [entry for entry in self.speech if entry.seconds <= seconds]
        return reached[-1] if reached else self

    def as_common(self, logits: npt.ArrayLike, stream: PlattScaling) -> Logits:
        """Logits of another calibration's stream, shifted and scaled to mean the same by this one."""
        values = np.asarray(logits, np.float64)
        if stream is self:
            return values
        return np.asarray((values / stream.temperature + stream.bias - self.bias) * self.temperature, np.float64)


class TrackCombination(Part):
    """How a clip's faces become the clip: the most suspicious one decides."""

    kind: Literal["max"] = "max"


class FaceSize(Part):
    """How a face's logit follows the size at which the face is shown. Without that it is

    logit - slope * log(pixels / sqrt(smallest * largest)),

    where sizes outside `smallest` to `largest`, which nobody has measured, count as the nearer of the two.
    """

    slope: float = Field(description="how much higher the logit of a face is that is shown e times as large")
    smallest: float = Field(gt=0, description="smaller faces count as this: the box's longer side, pixels of the frame")
    largest: float = Field(gt=0, description="larger faces count as this, pixels")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.largest < self.smallest:
            raise ValueError("largest must not be below smallest")
        return self

    def without(self, logits: npt.ArrayLike, pixels: npt.ArrayLike) -> Logits:
        """Logits without what the sizes of their faces, in pixels, put into them; all of one shape."""
        sizes = np.clip(np.asarray(pixels, np.float64), self.smallest, self.largest)
        steps = np.log(sizes / np.sqrt(self.smallest * self.largest))
        return np.asarray(np.asarray(logits, np.float64) - self.slope * steps, np.float64)


class FaceCalibration(Calibration):
    """`calibration` of a `face-manipulation` bundle."""

    track_combination: TrackCombination = TrackCombination()
    face_size: FaceSize | None = Field(
        default=None, description="what is taken out of every face's logit for its size; null: nothing"
    )
    held_out_folds: tuple[tuple[int, ...], ...] | None = Field(
        default=None, description="the folds that each member of the graph never saw; for training alone"
    )

    def without_size(self, logits: npt.ArrayLike, pixels: npt.ArrayLike) -> Logits:
        """The graph's logits as the calibration reads them: see `FaceSize.without`."""
        return np.asarray(logits, np.float64) if self.face_size is None else self.face_size.without(logits, pixels)
