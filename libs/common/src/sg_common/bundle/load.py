"""A bundle with one variant loaded, checked before it may judge anything."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from pathlib import Path
from typing import Any, Generic

import numpy as np
import numpy.typing as npt

from sg_common.analysis import LoadedModel
from sg_common.bundle.calibration import Logits
from sg_common.bundle.spec import S, Shape, Spec, read_task
from sg_common.bundle.variants import Choice, choose, lacking_instructions
from sg_common.errors import BundleError
from sg_common.runtime import Runtime, Session, Tensors

log = logging.getLogger(__name__)

LEAST_PROBABILITY = 1e-6
"""Probabilities of a graph that answers them are clipped to this distance from 0 and 1 before they become logits."""
TIMED_RUNS = 5
_ORT_TYPES = {"float32": "tensor(float)", "uint8": "tensor(uint8)"}

AnyTensor = npt.NDArray[Any]


class Bundle(Generic[S]):
    """A checked bundle with one variant loaded. `run` and `logits` may be called from several threads."""

    def __init__(self, spec: S, model: LoadedModel, session: Session, golden: Tensors) -> None:
        self.spec = spec
        self.model = model
        self._session = session
        self._golden = golden

    def run(self, feeds: Tensors) -> list[AnyTensor]:
        """Run the graph; the arrays come in the order of `spec.graph_outputs`."""
        return self._session.run(feeds, self.spec.graph_outputs)

    def logits(self, batch: AnyTensor) -> Logits:
        """The fake logits of a detector's rows: (N,), whether the graph answers logits or probabilities."""
        scores = self.run({self.spec.input.name: batch})[0].astype(np.float64).reshape(len(batch))
        if self.spec.output.kind == "probability":
            scores = np.clip(scores, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
            return np.asarray(np.log(scores) - np.log1p(-scores))
        return scores

    def seconds(self) -> float:
        """Wall time of a row of the golden input, the fastest of a few runs."""
        best = math.inf
        for _ in range(TIMED_RUNS):
            start = time.perf_counter()
            self.run(self._golden)
            best = min(best, time.perf_counter() - start)
        return best / len(self._golden[self.spec.input.name])


def load_bundle(directory: Path, task: type[S], runtime: Runtime, variant: str = "auto") -> Bundle[S]:
    """Read, check and load a bundle; its golden input is run once.

    Args:
        task: the spec's class of what the bundle must be for.
        variant: a variant's name, or `auto` for what `variants.choose` says.

    Raises:
        BundleError: a file is missing, altered or refused, or its graph or its answers are not as `model.json` says.
    """
    spec = read_task(directory, task)
    return load_variant(directory, spec, choose(spec.variants, runtime.cpu.features, variant), runtime)


def load_variant(directory: Path, spec: S, choice: Choice, runtime: Runtime) -> Bundle[S]:
    """Load a chosen variant of a bundle.

    Raises:
        BundleError: as `load_bundle`.
    """
    feeds, expected = _golden(_checked_file(directory, spec.golden.file, spec.golden.sha256), spec)
    entry = spec.variants[choice.variant]
    session = runtime.session(_checked_file(directory, entry.file, entry.sha256))
    model = LoadedModel(name=spec.name, version=spec.version, variant=choice.variant, reason=choice.reason)
    bundle = Bundle(spec, model, session, feeds)
    try:
        _check_graph(spec, session)
        _check_answer(spec, bundle.run(feeds), feeds, expected, spec.golden.tolerance[choice.variant])
    except BundleError as error:
        raise BundleError(f"{directory}: {choice.variant}: {error}") from error
    except Exception as error:  # the binding raises many unrelated types
        raise BundleError(f"{directory}: {choice.variant}: the graph refuses the golden input: {error}") from error
    log.info(
        "model loaded",
        extra={
            "model": spec.name,
            "model_version": spec.version,
            "variant": choice.variant,
            "reason": choice.reason,
            "threads": runtime.session_threads,
            "cpu": runtime.cpu.model_name,
        },
    )
    return bundle


def check_bundle(directory: Path, spec: Spec, runtime: Runtime) -> dict[str, str]:
    """Check every file of a bundle, and every variant that this CPU can run; what was found, by variant.

    Raises:
        BundleError: as `load_bundle`, whichever variant it is, or the card is missing.
    """
    if not (directory / spec.card).is_file():
        raise BundleError(f"{directory / spec.card}: the model card is missing")
    found = {}
    for name, entry in spec.variants.items():
        if lacking := lacking_instructions(entry, runtime.cpu.features):
            _checked_file(directory, entry.file, entry.sha256)
            found[name] = f"whole, but not run: it {lacking}"
        else:
            load_variant(directory, spec, Choice(name, "checked"), runtime)
            found[name] = "answers the golden input"
    return found


def _golden(path: Path, spec: Spec) -> tuple[dict[str, AnyTensor], AnyTensor]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            stored = dict(arrays)
        expected, feeds = stored.pop("output"), {spec.input.name: stored.pop("input"), **stored}
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: cannot be read: {error}") from error
    except KeyError as error:
        raise BundleError(f"{path}: must hold arrays 'input' and 'output'") from error
    if feeds.keys() != spec.graph_inputs.keys():
        raise BundleError(f"{path}: holds inputs for {sorted(feeds)}, model.json names {sorted(spec.graph_inputs)}")
    for name, (dtype, shape) in spec.graph_inputs.items():
        own = feeds[name]
        if own.dtype != dtype or not _fits(own.shape, shape):
            raise BundleError(f"{path}: '{name}' is {own.dtype} {own.shape}, by model.json {_words(dtype, shape)}")
    return feeds, expected


def _checked_file(directory: Path, name: str, sha256: str) -> Path:
    path = directory / name
    if path.parent != directory:
        raise BundleError(f"{name}: a bundle's files lie in its own folder")
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror})") from error
    if digest != sha256:
        raise BundleError(f"{path}: its SHA-256 is not the one in model.json; the file was altered or half copied")
    return path


def _check_graph(spec: Spec, session: Session) -> None:
    for name, (dtype, shape) in spec.graph_inputs.items():
        if name not in session.inputs:
            raise BundleError(f"the graph has no input '{name}' (it has {', '.join(session.inputs)})")
        kind, own = session.inputs[name]
        if kind != _ORT_TYPES[dtype] or not _takes(own, shape):
            raise BundleError(f"the graph's '{name}' is {kind} {own}, by model.json {_words(dtype, shape)}")
    if unknown := session.inputs.keys() - spec.graph_inputs.keys():
        raise BundleError(f"the graph wants an input '{min(unknown)}', of which model.json says nothing")
    if missing := set(spec.graph_outputs) - set(session.outputs):
        raise BundleError(f"the graph has no output '{min(missing)}' (it has {', '.join(session.outputs)})")


def _check_answer(spec: Spec, answers: list[AnyTensor], feeds: Tensors, expected: AnyTensor, tolerance: float) -> None:
    rows, answer = len(feeds[spec.input.name]), answers[0].astype(np.float64)
    if spec.output.kind != "raw" and answer.size != rows:
        raise BundleError(
            f"output '{spec.graph_outputs[0]}' has shape {answer.shape} for {rows} rows; one value each is needed"
        )
    if spec.output.kind == "probability" and not ((answer >= 0) & (answer <= 1)).all():
        raise BundleError(f"output.kind is probability, but the golden input's answers reach {answer.max():g}")
    if answer.shape != expected.shape:
        raise BundleError(f"golden test: output shape {answer.shape}, expected {expected.shape}")
    difference = float(np.max(np.abs(answer - expected.astype(np.float64)), initial=0.0))
    if not difference <= tolerance:
        raise BundleError(f"golden test: answers differ by {difference:g}, allowed is {tolerance:g}")


def _fits(own: tuple[int, ...], needed: Shape) -> bool:
    """Whether an array's shape is as needed."""
    return len(own) == len(needed) and all(want in (None, length) for length, want in zip(own, needed, strict=True))


def _takes(own: list[int | str | None], needed: Shape) -> bool:
    """Whether a graph's shape takes what is needed: axes of any length must be free, the others may be."""
    return len(own) == len(needed) and all(
        not isinstance(length, int) or length == want for length, want in zip(own, needed, strict=True)
    )


def _words(dtype: str, shape: Shape) -> str:
    return f"{dtype} [{', '.join('any' if length is None else str(length) for length in shape)}]"
