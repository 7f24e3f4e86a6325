"""What `model.json` may say, task by task. Nothing else is accepted: a misspelled key must not become a default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar, get_args

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from sg_common.bundle.calibration import FaceCalibration, VoiceCalibration
from sg_common.errors import BundleError
from sg_common.verdict import Part

Shape = tuple[int | None, ...]
"""Lengths of an array's axes; None: any length."""
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Input(Part):
    """The graph's main input."""

    name: str = Field(description="the graph's name for it")
    layout: str = Field(description="axes in order, one letter each: N batch, T samples, C channels, H, W")
    dtype: str = Field(description="NumPy's name of its type")

    @property
    def shape(self) -> Shape:
        """Lengths of the axes."""
        raise NotImplementedError


class Output(Part):
    """The graph's main answer."""

    name: str = Field(description="the graph's name for it")
    kind: Literal["logit", "probability", "raw"]


class ScoreOutput(Output):
    """One fake logit, or probability, a row (N,)."""

    kind: Literal["logit", "probability"]


class Variant(Part):
    """One ONNX file."""

    file: str = Field(description="an ONNX file beside model.json")
    sha256: Sha256
    auc_loss: float = Field(default=0.0, ge=0, le=1, description="AUC lost against fp32, on held-out files")
    probability_difference: float = Field(
        default=0.0, ge=0, le=1, description="largest difference from fp32 of a held-out file's probability"
    )
    requires: tuple[str, ...] = Field(default=(), description="instruction sets, as /proc/cpuinfo names them")


class Golden(Part):
    """An `.npz` with every graph input by name (`input`: the main one), and fp32's `output` for them."""

    file: str = Field(description="an .npz beside model.json")
    sha256: Sha256
    tolerance: dict[str, Annotated[float, Field(ge=0)]] = Field(description="largest allowed difference, by variant")


class Spec(Part):
    """`model.json`, whatever the task."""

    schema_version: Literal[1] = Field(alias="schema", description="of this table")
    name: str = Field(min_length=1, description="the model's name, as answers give it")
    version: str = Field(
        min_length=1, pattern=r"^[A-Za-z0-9._+-]+$", description="another one for every change of an answer"
    )
    task: str
    license: str = Field(description="of the code and of the weights, in words")
    input: Input
    output: Output
    calibration: Part
    variants: dict[str, Variant] = Field(min_length=1)
    golden: Golden
    card: str = Field(
        description="a page beside model.json: what the model can and cannot do, and what it learned from"
    )

    @model_validator(mode="after")
    def _all_tested(self) -> Self:
        if untested := set(self.variants) ^ set(self.golden.tolerance):
            raise ValueError(f"golden.tolerance and variants disagree on {', '.join(sorted(untested))}")
        return self

    @property
    def graph_inputs(self) -> dict[str, tuple[str, Shape]]:
        """Every input that the graph must have: its dtype and shape."""
        return {self.input.name: (self.input.dtype, self.input.shape)}

    @property
    def graph_outputs(self) -> tuple[str, ...]:
        """Outputs that the graph must have, the main one first."""
        return (self.output.name,)


S = TypeVar("S", bound=Spec)


class VoiceInput(Input):
    """Windows of speech, samples of any level at 16 kHz."""

    layout: Literal["NT"]
    dtype: Literal["float32"]
    sample_rate: Literal[16000]
    window_seconds: float = Field(gt=0.25, le=10, description="what the graph takes at a time")
    hop_seconds: float = Field(gt=0, description="from one window's start to the next's")
    min_speech_seconds: float = Field(default=2.0, ge=0, description="less speech in a file is not judged")
    padding: Literal["repeat"] = Field(default="repeat", description="shorter speech is repeated to a window")

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

    @property
    def shape(self) -> Shape:
        return None, self.window


class VoiceSpec(Spec):
    """Voices judged: is this speech synthetic, cloned or converted?"""

    task: Literal["audio-deepfake"]
    input: VoiceInput
    output: ScoreOutput
    calibration: VoiceCalibration


class FaceInput(Input):
    """Crops around faces, RGB 0..255."""

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
        if self.std is not None and min(self.std) <= 0:
            raise ValueError("std must be above 0")
        return self

    @property
    def shape(self) -> Shape:
        return None, 3, self.size * (1 if self.native_face_pixels is None else 2), self.size


class FaceSpec(Spec):
    """Faces judged: is this face swapped, animated or generated?"""

    task: Literal["face-manipulation"]
    input: FaceInput
    output: ScoreOutput
    calibration: FaceCalibration


class FrameInput(Input):
    """How frames are scaled for a face detector and which of its cells count as faces.

    `long_sides` are the lengths, in pixels, to which a frame's longer side is scaled, one pass each: the network sees
    faces of about 14 to 100 pixels, so the first pass finds small faces and the others large ones. Both sides are
    padded to a multiple of `multiple`.
    """

    name: str = "image"
    layout: Literal["NHWC"] = "NHWC"
    dtype: Literal["uint8"] = "uint8"
    long_sides: tuple[Annotated[int, Field(ge=32, le=4096)], ...] = Field(
        default=(320, 128), min_length=1, description="a frame's longer side, pixels, one pass each"
    )
    multiple: int = Field(default=32, ge=1, description="both sides are padded to a multiple of this, pixels")
    stride: int = Field(default=4, ge=1, description="pixels of the scaled frame to a cell")
    score_threshold: float = Field(default=0.5, gt=0, lt=1, description="least confidence of a face")
    iou_threshold: float = Field(default=0.3, gt=0, lt=1, description="boxes that overlap more are one face")

    @property
    def shape(self) -> Shape:
        return 1, None, None, 3


class FrameOutput(Output):
    """Cells' face logits (N, h, w, 1), and each cell's box and six landmarks (N, h, w, 16)."""

    name: str = "logits"
    kind: Literal["raw"] = "raw"
    points: str = Field(default="regressors", description="the graph's name for boxes and landmarks")


class NoCalibration(Part):
    """The task has none."""


class FaceDetectionSpec(Spec):
    """Faces found in a frame."""

    task: Literal["face-detection"]
    input: FrameInput
    output: FrameOutput
    calibration: NoCalibration = NoCalibration()

    @property
    def graph_outputs(self) -> tuple[str, ...]:
        return self.output.name, self.output.points


class RecurrentState(Part):
    """The graph's state: fed as `inputs`, read back from `outputs` in the same order, zeros at the start."""

    inputs: tuple[str, ...] = Field(description="the graph's names")
    outputs: tuple[str, ...] = Field(description="the graph's names, in the same order")
    shape: tuple[int, ...] = Field(description="of each of them")

    @model_validator(mode="after")
    def _paired(self) -> Self:
        if len(self.inputs) != len(self.outputs):
            raise ValueError("state inputs and outputs must pair up")
        return self


class SpeechInput(Input):
    """A voice-activity graph's frames: each row holds `context_samples` samples of the past and a new frame."""

    layout: Literal["NT"]
    dtype: Literal["float32"]
    sample_rate: Literal[16000]
    frame_samples: int = Field(gt=0, le=16000, description="new samples of a row")
    context_samples: int = Field(ge=0, le=16000, description="samples of the past before them")
    state: RecurrentState

    @property
    def shape(self) -> Shape:
        return None, self.context_samples + self.frame_samples


class SpeechOutput(Output):
    """Speech probabilities, one a frame (N,)."""

    kind: Literal["probability"]


class SpeechRules(Part):
    """When frames count as speech: the hysteresis of `audio_analyzer.speech.SpeechGate`."""

    threshold: float = Field(gt=0, lt=1, description="speech begins at this probability")
    negative_threshold: float = Field(gt=0, lt=1, description="and may end below this one")
    min_speech_seconds: float = Field(ge=0, description="speech of this length or less is ignored")
    min_silence_seconds: float = Field(gt=0, description="how long no frame may reach the threshold at its end")
    padding_seconds: float = Field(ge=0, description="added on either side")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.negative_threshold > self.threshold:
            raise ValueError("negative_threshold must not be above threshold")
        if self.padding_seconds > self.min_silence_seconds:
            raise ValueError("padding_seconds must not be above min_silence_seconds")
        return self


class VoiceActivitySpec(Spec):
    """Speech found in a recording."""

    task: Literal["voice-activity"]
    input: SpeechInput
    output: SpeechOutput
    calibration: SpeechRules

    @property
    def graph_inputs(self) -> dict[str, tuple[str, Shape]]:
        state = self.input.state
        return {**super().graph_inputs, **dict.fromkeys(state.inputs, ("float32", state.shape))}

    @property
    def graph_outputs(self) -> tuple[str, ...]:
        return self.output.name, *self.input.state.outputs


AnySpec = Annotated[VoiceSpec | FaceSpec | FaceDetectionSpec | VoiceActivitySpec, Field(discriminator="task")]
ANY_SPEC: TypeAdapter[VoiceSpec | FaceSpec | FaceDetectionSpec | VoiceActivitySpec] = TypeAdapter(AnySpec)


def read_spec(directory: Path) -> VoiceSpec | FaceSpec | FaceDetectionSpec | VoiceActivitySpec:
    """Read a bundle's `model.json`.

    Raises:
        BundleError: it is missing, not JSON, or not as the schema says; the message names the field.
    """
    path = directory / "model.json"
    try:
        return ANY_SPEC.validate_json(path.read_bytes())
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); SG_MODEL_DIR must name a bundle") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"][1:])  # the first step is the task
        raise BundleError(f"{path}: {place or 'the file'}: {first['msg']}") from error


def read_task(directory: Path, task: type[S]) -> S:
    """Read the `model.json` of a bundle for one task, given as its spec's class.

    Raises:
        BundleError: as `read_spec`, or the bundle is for another task.
    """
    spec = read_spec(directory)
    if not isinstance(spec, task):
        raise BundleError(f"{directory}: the bundle's task is {spec.task}, {task_name(task)} is needed here")
    return spec


def task_name(task: type[Spec]) -> str:
    """What `task` says in the `model.json` that a class reads."""
    (name,) = get_args(task.model_fields["task"].annotation)
    return str(name)
