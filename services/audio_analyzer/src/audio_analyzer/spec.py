"""What the audio bundles say beyond the common schema, checked when they are loaded."""

from __future__ import annotations

from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sg_common.bundle import Bundle
from sg_common.errors import BundleError

SAMPLE_RATE = 16000
"""Hz that both models see."""


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Thresholds(_Spec):
    """Below the first `likely_authentic`, from the second on `likely_deepfake`, `uncertain` between."""

    likely_authentic: float = Field(gt=0, lt=1)
    likely_deepfake: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.likely_authentic > self.likely_deepfake:
            raise ValueError("likely_authentic must not be above likely_deepfake")
        return self


class Aggregation(_Spec):
    """How the windows' logits become the clip's.

    `fraction`: of the windows, dropped at each end (`trimmed_mean`) or kept at the top (`top_mean`).
    """

    kind: Literal["mean", "trimmed_mean", "top_mean"] = "mean"
    fraction: float | None = Field(default=None, gt=0, le=1)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind == "mean":
            return self
        if self.fraction is None:
            raise ValueError(f"{self.kind} needs a fraction")
        if self.kind == "trimmed_mean" and self.fraction >= 0.5:
            raise ValueError("trimmed_mean drops less than half at each end")
        return self


class CodecCalibration(_Spec):
    """What a lossy codec's streams of at most `bit_rate` bits per second need in place of the common calibration.

    `codec`: FFmpeg's name of the decoder.
    """

    codec: str = Field(min_length=1)
    bit_rate: float = Field(gt=0)
    temperature: float = Field(gt=0)
    bias: float


class Calibration(_Spec):
    """Probability = sigmoid(logit / temperature + bias). `codecs`: where that differs, see `for_stream`."""

    temperature: float = Field(gt=0)
    bias: float
    thresholds: Thresholds
    aggregation: Aggregation = Aggregation()
    codecs: tuple[CodecCalibration, ...] = ()

    def for_stream(self, codec: str, bit_rate: float) -> Calibration:
        """The calibration for a stream by its decoder's name and its bits per second: of the codec's entries that
        reach so far, the one for the lowest rate; this one where there is none."""
        fitting = [entry for entry in self.codecs if entry.codec == codec and bit_rate <= entry.bit_rate]
        if not fitting:
            return self
        entry = min(fitting, key=lambda entry: entry.bit_rate)
        return self.model_copy(update={"temperature": entry.temperature, "bias": entry.bias})


class DetectorInput(_Spec):
    """The detector's windows."""

    sample_rate: Literal[16000]
    window_seconds: float = Field(gt=0.25, le=10)
    hop_seconds: float = Field(gt=0)
    min_speech_seconds: float = Field(default=2.0, ge=0)
    padding: Literal["repeat"] = "repeat"

    @model_validator(mode="after")
    def _overlapping(self) -> Self:
        if self.hop_seconds > self.window_seconds:
            raise ValueError("hop_seconds must not be above window_seconds")
        return self

    @property
    def window(self) -> int:
        """Samples of a window."""
        return round(self.window_seconds * self.sample_rate)

    @property
    def hop(self) -> int:
        """Samples from one window's start to the next."""
        return round(self.hop_seconds * self.sample_rate)


class RecurrentState(_Spec):
    """The graph's state: fed as `inputs`, read back from `outputs` in the same order, zeros at the start."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    shape: tuple[int, ...]

    @model_validator(mode="after")
    def _paired(self) -> Self:
        if len(self.inputs) != len(self.outputs):
            raise ValueError("state inputs and outputs must pair up")
        return self


class VoiceActivityInput(_Spec):
    """The voice-activity graph's frames: each row holds `context_samples` samples of the past and a new frame."""

    sample_rate: Literal[16000]
    frame_samples: int = Field(gt=0, le=16000)
    context_samples: int = Field(ge=0, le=16000)
    state: RecurrentState


class SpeechRules(_Spec):
    """When frames count as speech; see `speech.SpeechGate`."""

    threshold: float = Field(gt=0, lt=1)
    negative_threshold: float = Field(gt=0, lt=1)
    min_speech_seconds: float = Field(ge=0)
    min_silence_seconds: float = Field(gt=0)
    padding_seconds: float = Field(ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.negative_threshold > self.threshold:
            raise ValueError("negative_threshold must not be above threshold")
        if self.padding_seconds > self.min_silence_seconds:
            raise ValueError("padding_seconds must not be above min_silence_seconds")
        return self


SpecT = TypeVar("SpecT", bound=BaseModel)


def read_part(bundle: Bundle, part: Literal["input", "calibration"], model: type[SpecT]) -> SpecT:
    """A part of `model.json` as its task's model.

    Raises:
        BundleError: a field is missing or impossible; the message names it.
    """
    value = getattr(bundle.spec, part)
    document: dict[str, Any] = value if isinstance(value, dict) else value.model_dump()
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([part, *(str(step) for step in first["loc"])])
        raise BundleError(f"{bundle.directory / 'model.json'}: {place}: {first['msg']}") from error
