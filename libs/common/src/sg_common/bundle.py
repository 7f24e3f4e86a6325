"""Model bundles: a folder with `model.json` and its ONNX files, checked before it may judge anything."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sg_common.analysis import ModelInfo
from sg_common.errors import BundleError
from sg_common.runtime import Runtime, Session, Tensors

log = logging.getLogger(__name__)

Task = Literal["audio-deepfake", "face-manipulation", "face-detection", "voice-activity"]
_ORT_TYPES = {
    "float32": "tensor(float)",
    "uint8": "tensor(uint8)",
    "int64": "tensor(int64)",
    "float16": "tensor(float16)",
}
_RANKED_LAYOUTS = set("NTCHW")
TIMED_RUNS = 5


class InputSpec(BaseModel):
    """The graph's main input; further fields belong to the task and are read by its service."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str
    layout: str = Field(description="axes in order, one letter each: N batch, T samples, C channels, H, W")
    dtype: str


class OutputSpec(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)

    name: str
    kind: Literal["logit", "probability", "raw"]


class VariantSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    auc_loss: float = Field(default=0.0, description="AUC lost against fp32, as measured when the bundle was made")
    requires: list[str] = Field(default=[], description="instruction sets, as /proc/cpuinfo names them")


class GoldenSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    tolerance: dict[str, float] = Field(description="largest allowed difference per variant")


class BundleSpec(BaseModel):
    """`model.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    schema_version: Literal[1] = Field(alias="schema")
    name: str = Field(min_length=1)
    version: str = Field(min_length=1, pattern=r"^[A-Za-z0-9._+-]+$")
    task: Task
    license: str
    input: InputSpec
    output: OutputSpec
    calibration: dict[str, Any] = {}
    variants: dict[str, VariantSpec] = Field(min_length=1)
    golden: GoldenSpec
    card: str


class Bundle:
    """A checked bundle with one variant loaded. `run` may be called from several threads."""

    def __init__(self, directory: Path, spec: BundleSpec, variant: str, session: Session, golden: Golden) -> None:
        self.directory = directory
        self.spec = spec
        self.variant = variant
        self._session = session
        self._golden = golden

    @property
    def model(self) -> ModelInfo:
        return ModelInfo(name=self.spec.name, version=self.spec.version, variant=self.variant)

    @property
    def output_names(self) -> list[str]:
        return self._session.outputs

    def run(self, feeds: Tensors) -> list[npt.NDArray[Any]]:
        """Run the graph; the arrays come in the order of `output_names`."""
        return self._session.run(feeds)

    def scores(self, batch: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """The named output for a batch of the main input: (N,) float32."""
        outputs = self._session.run({self.spec.input.name: batch})
        return outputs[self.output_names.index(self.spec.output.name)].astype(np.float32).reshape(len(batch))

    def self_test(self) -> None:
        """Compare the golden input's answer with the one recorded when the bundle was made.

        Raises:
            BundleError: the loaded variant answers differently.
        """
        self._golden.check(self._session, self.spec, self.variant)


class Golden:
    """The bundle's golden input (every graph input by name, `input` for the main one) and its fp32 output."""

    def __init__(self, path: Path, main_input: str) -> None:
        try:
            with np.load(path, allow_pickle=False) as arrays:
                stored = dict(arrays)
        except (OSError, ValueError) as error:
            raise BundleError(f"golden file {path.name} cannot be read: {error}") from error
        if "output" not in stored or "input" not in stored:
            raise BundleError(f"golden file {path.name} must hold arrays 'input' and 'output'")
        self.expected = stored.pop("output")
        self.feeds = {main_input: stored.pop("input"), **stored}

    def check(self, session: Session, spec: BundleSpec, variant: str) -> None:
        tolerance = spec.golden.tolerance.get(variant)
        if tolerance is None:
            raise BundleError(f"golden.tolerance lacks the variant {variant}")
        answer = session.run(self.feeds)[session.outputs.index(spec.output.name)]
        if answer.shape != self.expected.shape:
            raise BundleError(f"golden test of {variant}: output shape {answer.shape}, expected {self.expected.shape}")
        difference = float(np.max(np.abs(answer.astype(np.float64) - self.expected.astype(np.float64)), initial=0.0))
        if not difference <= tolerance:
            raise BundleError(f"golden test of {variant}: answers differ by {difference:g}, allowed is {tolerance:g}")

    def seconds(self, session: Session) -> float:
        """Wall time of the fastest of a few runs."""
        best = math.inf
        for _ in range(TIMED_RUNS):
            start = time.perf_counter()
            session.run(self.feeds)
            best = min(best, time.perf_counter() - start)
        return best


def load_bundle(
    directory: Path, *, task: Task, runtime: Runtime, variant: str = "auto", accuracy_budget: float = 0.005
) -> Bundle:
    """Read, check and load a bundle.

    Args:
        task: what the bundle must be for.
        variant: a variant's name, or `auto` for the one that this CPU runs fastest of those whose `auc_loss` is
            within `accuracy_budget`.

    Raises:
        BundleError: a file is missing, altered or refused, or its shapes or answers are not as `model.json` says.
    """
    spec = read_spec(directory)
    if spec.task != task:
        raise BundleError(f"{directory}: the bundle's task is {spec.task}, this service needs {task}")
    golden = Golden(_checked_file(directory, spec.golden.file, spec.golden.sha256), spec.input.name)
    candidates = _candidates(spec, variant, accuracy_budget, runtime)
    timed: list[tuple[float, str, Session]] = []
    for name in candidates:
        chosen = spec.variants[name]
        session = runtime.session(_checked_file(directory, chosen.file, chosen.sha256))
        _check_shapes(spec, name, session)
        golden.check(session, spec, name)
        timed.append((golden.seconds(session) if len(candidates) > 1 else 0.0, name, session))
    _, name, session = min(timed, key=lambda entry: entry[0])
    log.info(
        "model loaded",
        extra={
            "model": spec.name,
            "model_version": spec.version,
            "variant": name,
            "milliseconds": {entry[1]: round(entry[0] * 1e3, 2) for entry in timed},
            "threads": runtime.session_threads,
            "cpu": runtime.cpu.model_name,
        },
    )
    return Bundle(directory, spec, name, session, golden)


def read_spec(directory: Path) -> BundleSpec:
    """Read `model.json`.

    Raises:
        BundleError: it is missing, not JSON, or not as the schema says.
    """
    path = directory / "model.json"
    try:
        return BundleSpec.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); SG_MODEL_DIR must name a bundle") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BundleError(f"{path}: {place}: {first['msg']}") from error


def _candidates(spec: BundleSpec, variant: str, accuracy_budget: float, runtime: Runtime) -> list[str]:
    if variant != "auto":
        if variant not in spec.variants:
            raise BundleError(f"variant {variant} is not in the bundle, which has {', '.join(sorted(spec.variants))}")
        missing = set(spec.variants[variant].requires) - runtime.cpu.features
        if missing:
            raise BundleError(f"variant {variant} needs {', '.join(sorted(missing))}, which this CPU lacks")
        return [variant]
    names = [
        name
        for name, entry in spec.variants.items()
        if entry.auc_loss <= accuracy_budget and set(entry.requires) <= runtime.cpu.features
    ]
    if not names:
        raise BundleError(f"no variant of {spec.name} fits this CPU within an AUC loss of {accuracy_budget:g}")
    return names


def _checked_file(directory: Path, name: str, sha256: str) -> Path:
    path = directory / name
    if path.parent != directory:
        raise BundleError(f"{name}: a bundle's files lie in its own folder")
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror})") from error
    if digest.hexdigest() != sha256:
        raise BundleError(f"{path}: its SHA-256 is not the one in model.json; the file was altered or half copied")
    return path


def _check_shapes(spec: BundleSpec, variant: str, session: Session) -> None:
    main = spec.input
    if main.name not in session.inputs:
        raise BundleError(f"{variant}: the graph has no input '{main.name}' (it has {', '.join(session.inputs)})")
    dtype, shape = session.inputs[main.name]
    if dtype != _ORT_TYPES.get(main.dtype):
        raise BundleError(f"{variant}: input '{main.name}' is {dtype}, model.json says {main.dtype}")
    if not set(main.layout) <= _RANKED_LAYOUTS or len(shape) != len(main.layout):
        raise BundleError(f"{variant}: input '{main.name}' has shape {shape}, model.json says {main.layout}")
    if spec.output.name not in session.outputs:
        raise BundleError(f"{variant}: the graph has no output '{spec.output.name}'")
