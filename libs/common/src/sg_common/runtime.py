"""The one place that builds ONNX Runtime sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from sg_common.cpu import CpuFacts, read_cpu_facts
from sg_common.errors import BundleError

Tensors = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Runtime:
    """How sessions run here.

    Attributes:
        threads: threads of a session's pool; None takes what the quota grants.
        arena: keep ONNX Runtime's memory arena (faster for changing batch sizes, never gives memory back).
    """

    threads: int | None = None
    arena: bool = False
    cpu: CpuFacts = field(default_factory=read_cpu_facts)

    @property
    def session_threads(self) -> int:
        return self.threads or self.cpu.threads

    def session(self, path: Path) -> Session:
        """Build a session from a file.

        Raises:
            BundleError: ONNX Runtime refuses the file.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.session_threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.enable_cpu_mem_arena = self.arena
        options.log_severity_level = 3
        # Idle pool threads spin by default and steal the decoder's processor.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return Session(ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]))
        except Exception as error:  # the binding raises many unrelated types
            raise BundleError(f"{path.name}: ONNX Runtime refuses the file: {error}") from error


class Session:
    """An ONNX Runtime session with plain arrays in and out. `run` may be called from several threads."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session
        self.inputs: dict[str, tuple[str, list[int | str | None]]] = {
            value.name: (value.type, value.shape) for value in session.get_inputs()
        }
        self.outputs: list[str] = [value.name for value in session.get_outputs()]

    def run(self, feeds: Tensors, outputs: Sequence[str] | None = None) -> list[npt.NDArray[Any]]:
        """Run the graph for the named outputs, or all of them in the graph's order."""
        return [np.asarray(value) for value in self._session.run(outputs, dict(feeds))]
