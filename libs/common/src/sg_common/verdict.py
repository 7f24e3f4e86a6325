"""What a probability means: verdicts, and the operating points at which they are given."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

DECIMALS = 4
"""Of every number in an answer: a verdict depends on no digit that the answer does not show."""

Policy = Literal["low_false_alarm", "balanced", "high_recall"]
DEFAULT_POLICY: Policy = "low_false_alarm"


class Verdict(StrEnum):
    LIKELY_AUTHENTIC = "likely_authentic"
    UNCERTAIN = "uncertain"
    LIKELY_DEEPFAKE = "likely_deepfake"
    INCONCLUSIVE = "inconclusive"


def rounded(value: object) -> object:
    """A number, or numbers, to `DECIMALS`; anything else as it is."""
    if isinstance(value, float):
        return round(value, DECIMALS)
    return tuple(map(rounded, value)) if isinstance(value, tuple) else value


class Part(BaseModel):
    """A part of `model.json`: what it does not know, and what is no number, is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())


class Rates(Part):
    """What thresholds are worth, measured on held-out sources."""

    false_alarm_rate: float = Field(ge=0, le=1, description="genuine files called likely_deepfake")
    false_alarm_interval: tuple[float, float] = Field(description="95% confidence interval of that rate")
    detection_rate: float = Field(ge=0, le=1, description="fakes called likely_deepfake")

    _shown = field_validator("*")(rounded)

    @model_validator(mode="after")
    def _around_the_rate(self) -> Self:
        low, high = self.false_alarm_interval
        if not 0 <= low <= self.false_alarm_rate <= high <= 1:
            raise ValueError("false_alarm_interval must hold false_alarm_rate and lie within 0..1")
        return self


class Thresholds(Part):
    """Below the first `likely_authentic`, from the second on `likely_deepfake`, `uncertain` between."""

    likely_authentic: float = Field(gt=0, lt=1, description="the verdict below this probability")
    likely_deepfake: float = Field(gt=0, lt=1, description="the verdict from this probability on")

    _shown = field_validator("*")(rounded)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.likely_authentic > self.likely_deepfake:
            raise ValueError("likely_authentic must not be above likely_deepfake")
        return self

    def verdict(self, probability: float) -> Verdict:
        if probability < self.likely_authentic:
            return Verdict.LIKELY_AUTHENTIC
        return Verdict.LIKELY_DEEPFAKE if probability >= self.likely_deepfake else Verdict.UNCERTAIN

    @property
    def alone(self) -> Thresholds:
        """The thresholds without what they are worth."""
        return Thresholds(likely_authentic=self.likely_authentic, likely_deepfake=self.likely_deepfake)

    @property
    def rates(self) -> Rates | None:
        """What they are worth; None where nobody has measured it."""
        return None


class OperatingPoint(Rates, Thresholds):
    """A policy's thresholds and what they are worth, measured on held-out sources."""

    @property
    def rates(self) -> Rates:
        return Rates.model_validate(self.model_dump(include=set(Rates.model_fields)))
