"""The contract between doors and analyzers: a local file in, a report out."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    computed_field,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from sg_common.errors import Cancelled, DeadlineExceeded
from sg_common.provenance import Provenance
from sg_common.verdict import DEFAULT_POLICY, Policy, Rates, Thresholds, Verdict, rounded
from sg_common.words import origin, shared
from sg_common.words.languages import SOURCE, Language
from sg_common.words.phrases import Finding
from sg_common.words.told import Reason, Words

if TYPE_CHECKING:  # which needs jobs itself
    from sg_common.media.zygote import Decoders

UNKNOWN_PROBABILITY = 0.5
"""What a score reads when nothing could be judged: a client that ignores `status` must never read "authentic"."""
_BLOCK_BYTES = 1 << 20


class Status(StrEnum):
    SUCCESS = "success"
    INCONCLUSIVE = "inconclusive"


class ModelInfo(BaseModel):
    """Which model produced a score."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    variant: str = Field(description="the bundle's variant that this CPU runs, such as fp32 or int8")


class LoadedModel(ModelInfo):
    """The model that a process has loaded."""

    reason: str = Field(description="why this CPU runs this variant")


class Answer(BaseModel):
    """A report, or a part of one: every number in it has `DECIMALS`."""

    model_config = ConfigDict(frozen=True)

    _shown = field_validator("*")(rounded)


Findings = Annotated[SkipJsonSchema[tuple[Finding, ...]], Field(exclude=True, repr=False)]


class Report(Answer):
    """What every analyzer answers; each service adds its own score and evidence, and says them in its own words.

    A report speaks English until it is asked for `in_language`; one that was read back keeps the words it came with.
    """

    score_field: ClassVar[str]

    limits: Findings = ()
    """What was missing for a full answer; the first one is why there is no verdict, where there is none."""
    notes: Findings = ()
    """What else a reader should know of the file."""
    _words: Words = PrivateAttr()
    _kept: bool = PrivateAttr(default=False)

    verdict: Verdict
    status: Status
    policy: Policy = Field(description="the operating point that the verdict was given at")
    thresholds: Thresholds
    policy_rates: Rates | None = Field(description="what they are worth; null where the model's bundle does not say")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="hex digest of the judged file")
    provenance: Provenance | None = Field(
        default=None, description="what the file itself claims, which no score depends on; null where it can't be read"
    )
    model: ModelInfo
    processing_seconds: float = Field(
        ge=0, description="wall time of the analysis, seconds; neither the file's way here nor the wait for a turn"
    )

    @computed_field(description="the score under the name that every service has")  # type: ignore[prop-decorator]
    @property
    def probability(self) -> float:
        return float(getattr(self, self.score_field))

    @computed_field(description=Words.model_fields["summary"].description)  # type: ignore[prop-decorator]
    @property
    def summary(self) -> str:
        return self._words.summary

    @computed_field(description=Words.model_fields["reasons"].description)  # type: ignore[prop-decorator]
    @property
    def reasons(self) -> tuple[Reason, ...]:
        return self._words.reasons

    @computed_field(description=Words.model_fields["message"].description)  # type: ignore[prop-decorator]
    @property
    def message(self) -> str | None:
        return self._words.message

    @model_validator(mode="wrap")
    @classmethod
    def _put_into_words(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        report = handler(data)
        if report is data:  # as a part of a document: it speaks already
            return report
        read_back = isinstance(data, dict) and "summary" in data
        report._words = Words.model_validate(data) if read_back else report.told(SOURCE)
        report._kept = read_back
        return report

    def in_language(self, language: Language) -> Self:
        """The same report in another language; for one that an analyzer has made."""
        report = self.model_copy()
        report._words = report.told(language)
        return report

    def told(self, language: Language) -> Words:
        """What the report says, in words; the words that it came with, where it was read back."""
        if self._kept:
            return self._words
        reasons = [*self.findings(), *origin.claims(self.provenance, self.verdict), *self.limits, *self.notes]
        if self.status is Status.SUCCESS:
            reasons += shared.certainty(self.probability, self.verdict, self.thresholds, self.policy_rates)
        reasons += [*self.scope(), *shared.next_steps(self.verdict)]
        return Words.of(self.headline(), reasons, self.limits, language)

    def headline(self) -> Finding:
        """The answer in one sentence: what, where, and what to do."""
        if self.verdict is Verdict.INCONCLUSIVE and self.limits:
            return shared.NO_VERDICT(why=self.limits[0])
        return shared.SUMMARIES[self.verdict]()

    def findings(self) -> list[Finding]:
        """What was found and where, the strongest first."""
        return []

    def scope(self) -> list[Finding]:
        """What this kind of judge can't tell."""
        return []


def undeclared_default(schema: dict[str, Any]) -> None:
    """Generated clients send every default that a description declares, as if their caller had chosen it."""
    del schema["default"]


class AnalysisOptions(BaseModel):
    """What a caller may choose; an analyzer makes use of those that its service names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample_rate: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="of pictures: analyse exactly one frame in N",
        json_schema_extra=undeclared_default,
    )
    policy: Policy = Field(
        default=DEFAULT_POLICY,
        description=f"the operating point that the verdict is given at; {DEFAULT_POLICY} where none is chosen",
        json_schema_extra=undeclared_default,
    )
    lang: Language | None = Field(
        default=None,
        description="the language of the answer's sentences; where none is chosen, what Accept-Language asks for",
        json_schema_extra=undeclared_default,
    )


@dataclass(frozen=True)
class Progress:
    """How far a stage is: `done` of `total`, in media seconds or bytes (total 0 where it is not known)."""

    done: float
    total: float

    @property
    def fraction(self) -> float | None:
        """`done` as a part of the whole, 0..1; None where the total is not known."""
        return min(1.0, self.done / self.total) if self.total > 0 else None


class Stage(StrEnum):
    """What a job is at."""

    FETCHING = "fetching"
    WAITING = "waiting"
    ANALYSING = "analysing"


class Job:
    """One request under way: its stage, deadline, cancellation and progress. Safe to share between threads.

    Args:
        deadline_seconds: wall time that it may take from now; None for no limit.
        on_progress: called from the working thread with each `Progress`; `latest` is the last one.
        decoders: where its decoder processes come from; None to start each afresh.
        stage: what it begins with.
    """

    def __init__(
        self,
        deadline_seconds: float | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        decoders: Decoders | None = None,
        stage: Stage = Stage.ANALYSING,
    ) -> None:
        self.decoders = decoders
        self._deadline_seconds = deadline_seconds
        self._on_progress = on_progress
        self._cancelled = threading.Event()
        self.begin(stage)
        self._deadline = None if deadline_seconds is None else self._began + deadline_seconds

    def begin(self, stage: Stage) -> None:
        """Go on with another stage."""
        self.stage = stage
        self.latest = Progress(0, 0)
        self._began = time.monotonic()

    def cancel(self) -> None:
        """Ask the work to stop at its next check."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def remaining(self) -> float | None:
        """Seconds until the deadline (0 when it has passed), or None without one."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def elapsed(self) -> float:
        """Seconds since its stage began: of an analysis, the time that the analysis itself took."""
        return time.monotonic() - self._began

    def check(self) -> None:
        """Raise `Cancelled` or `DeadlineExceeded` when the work should stop; call it between pieces of work."""
        if self._cancelled.is_set():
            raise Cancelled("the caller went away or the service is stopping; the work was cancelled")
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise self.late()

    def late(self) -> DeadlineExceeded:
        """The failure of a job whose deadline has passed: what to do about it depends on its stage."""
        within = f"within {self._deadline_seconds:g} s"
        match self.stage:
            case Stage.FETCHING:
                return DeadlineExceeded(f"the whole file did not come {within}; try again", retry_after=5)
            case Stage.WAITING:
                return DeadlineExceeded(f"others were first, and no turn came {within}; try again later", retry_after=5)
            case Stage.ANALYSING:
                return DeadlineExceeded(f"the analysis did not end {within} and was cancelled; send a shorter clip")

    def progress(self, done: float, total: float) -> None:
        """Report how much of the stage is done, as in `Progress`."""
        self.latest = Progress(done, total)
        if self._on_progress is not None:
            self._on_progress(self.latest)


def sha256_of(path: Path, job: Job) -> str:
    """A file's hex digest (raises Cancelled, DeadlineExceeded and OSError)."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            job.check()
            digest.update(block)
    return digest.hexdigest()


class Analyzer(Protocol):
    """An expert for one kind of stream; `analyze` may run in several threads.

    Its construction loads models and runs their golden inputs.
    """

    kind: ClassVar[str]
    """The kind of stream, as its service is named by."""

    @property
    def model(self) -> LoadedModel: ...

    def check(self, options: AnalysisOptions) -> None:
        """Whether its model can heed these options.

        Raises:
            InvalidOption: the bundle has no such operating point.
        """

    def analyze(self, path: Path, options: AnalysisOptions, job: Job) -> Report:
        """Judge one local media file.

        Raises:
            ServiceError: as in `sg_common.errors`; `MissingStream` when the file has no stream of this kind.
        """
