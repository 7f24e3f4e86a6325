"""The contract between doors and analyzers: a local file in, a report out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field

from sg_common.errors import Cancelled, DeadlineExceeded

if TYPE_CHECKING:  # which needs jobs itself
    from sg_common.media.zygote import Decoders

UNKNOWN_PROBABILITY = 0.5
"""What a score reads when nothing could be judged: a client that ignores `status` must never read "authentic"."""


class Verdict(StrEnum):
    LIKELY_AUTHENTIC = "likely_authentic"
    UNCERTAIN = "uncertain"
    LIKELY_DEEPFAKE = "likely_deepfake"
    INCONCLUSIVE = "inconclusive"


class Status(StrEnum):
    SUCCESS = "success"
    INCONCLUSIVE = "inconclusive"


class ModelInfo(BaseModel):
    """Which model produced a score."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    variant: str = Field(description="the bundle's variant that this CPU runs, such as fp32 or int8")


class Report(BaseModel):
    """What every analyzer answers; each service adds its own score and evidence."""

    model_config = ConfigDict(frozen=True)

    score_field: ClassVar[str]

    verdict: Verdict
    status: Status
    model: ModelInfo
    processing_seconds: float = Field(ge=0, description="wall time spent on this request, seconds")
    message: str | None = Field(default=None, description="a sentence a person can act on, or null")

    @property
    def probability(self) -> float:
        """The report's score, whatever its service calls it."""
        return float(getattr(self, self.score_field))


class AnalysisOptions(BaseModel):
    """What a caller may choose. `sample_rate`: analyse exactly one video frame in N."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample_rate: int | None = Field(default=None, ge=1, le=1_000_000)


@dataclass(frozen=True)
class Progress:
    """How far an analysis is: `done` of `total` media seconds (total 0 where it is not known)."""

    done: float
    total: float


class Job:
    """One analysis under way: its deadline, its cancellation and its progress. Safe to share between threads.

    Args:
        deadline_seconds: wall time that the analysis may take from now; None for no limit.
        on_progress: called from the analysing thread with each `Progress`.
        decoders: where its decoder processes come from; None to start each afresh.
    """

    def __init__(
        self,
        deadline_seconds: float | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        decoders: Decoders | None = None,
    ) -> None:
        self.decoders = decoders
        self.started = time.monotonic()
        self._deadline = None if deadline_seconds is None else self.started + deadline_seconds
        self._deadline_seconds = deadline_seconds
        self._on_progress = on_progress
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Ask the analysis to stop at its next check."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def remaining(self) -> float | None:
        """Seconds until the deadline (0 when it has passed), or None without one."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def elapsed(self) -> float:
        """Seconds since the job began."""
        return time.monotonic() - self.started

    def check(self) -> None:
        """Raise `Cancelled` or `DeadlineExceeded` when the analysis should stop; call it between pieces of work."""
        if self._cancelled.is_set():
            raise Cancelled("the caller went away or the service is stopping; the work was cancelled")
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise DeadlineExceeded(
                f"the analysis took longer than {self._deadline_seconds:g} s and was cancelled; send a shorter clip, "
                "or use the queue for long files"
            )

    def progress(self, done: float, total: float) -> None:
        """Report how many media seconds are done."""
        if self._on_progress is not None:
            self._on_progress(Progress(done, total))


class Analyzer(Protocol):
    """An expert for one kind of stream. Its construction loads models; `analyze` may run in several threads."""

    kind: ClassVar[str]
    """`audio` or `video`."""

    @property
    def model(self) -> ModelInfo: ...

    def self_test(self) -> None:
        """Run the bundle's golden input.

        Raises:
            BundleError: the model does not answer as its bundle says.
        """

    def analyze(self, path: Path, options: AnalysisOptions, job: Job) -> Report:
        """Judge one local media file.

        Raises:
            ServiceError: as in `sg_common.errors`; `MissingStream` when the file has no stream of this kind.
        """
