"""Results as objects beside their media: one for each version of an object, model version and choice of options."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sg_common.analysis import UNKNOWN_PROBABILITY, AnalysisOptions, ModelInfo, Report, Status
from sg_common.aws.objects import ObjectStore, S3Object, S3Version
from sg_common.errors import Forbidden, MissingStream, NotFound, ServiceError
from sg_common.problem import Problem
from sg_common.verdict import Policy, Verdict
from sg_common.words import shared
from sg_common.words.languages import LANGUAGES, SOURCE, Language
from sg_common.words.told import Reason, Words

MAX_KEY_BYTES = 1024
_NAME = re.compile(
    r"(?P<kind>[a-z]+)-(?P<model>.+?)(?:-sample-rate-(?P<sample_rate>\d+))?"
    rf"(?:-policy-(?P<policy>{'|'.join(get_args(Policy))}))?\.json"
)


class ResultStatus(StrEnum):
    """A report's status, or why there is none."""

    SUCCESS = Status.SUCCESS
    INCONCLUSIVE = Status.INCONCLUSIVE
    NOT_APPLICABLE = "not_applicable"
    FAILED = "failed"


class Source(BaseModel):
    """The version of the object that was judged."""

    model_config = ConfigDict(frozen=True)

    s3_bucket: str
    s3_key: str
    version_id: str | None
    etag: str


class Translation(BaseModel):
    """A result's words in another language."""

    model_config = ConfigDict(frozen=True)

    summary: str
    reasons: tuple[Reason, ...]


class Result(BaseModel):
    """What a worker says of one object: the body that `/analyze` answers, and its source.

    A service's own evidence is kept as further fields. The score stays a number that reads "unknown" where nothing
    was judged, for clients that ignore `status`.
    """

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())

    probability: float = Field(ge=0, le=1)
    verdict: Verdict
    status: ResultStatus
    model: ModelInfo
    message: str | None
    source: Source
    problem: Problem | None = Field(default=None, description="why the object could not be judged, where it failed")
    # Those of earlier versions come without words.
    summary: str | None = None
    reasons: tuple[Reason, ...] = ()
    translations: dict[Language, Translation] = {}

    @classmethod
    def judged(cls, version: S3Version, report: Report) -> Self:
        """The result for a report."""
        fields = {
            **report.model_dump(mode="json"),
            "source": _source(version),
            "translations": _translated(report.told),
        }
        return cls.model_validate(fields)

    @classmethod
    def unjudged(cls, version: S3Version, report: type[Report], model: ModelInfo, error: ServiceError) -> Self:
        """A result without a judgement: `not_applicable` where the needed stream is missing, else `failed` and why."""
        failed: dict[str, Any] = {"status": ResultStatus.FAILED, "problem": Problem.of(error)}
        missing = {"status": ResultStatus.NOT_APPLICABLE}
        why = (shared.NOT_APPLICABLE if isinstance(error, MissingStream) else shared.FAILED)(detail=error.detail)

        def told(language: Language) -> Words:
            return Words.of(why, [why, *shared.next_steps(Verdict.INCONCLUSIVE)], [], language)

        return cls.model_validate(
            {
                report.score_field: UNKNOWN_PROBABILITY,
                "probability": UNKNOWN_PROBABILITY,
                "verdict": Verdict.INCONCLUSIVE,
                "model": model,
                **told(SOURCE).model_dump(),
                "message": error.detail,
                "source": _source(version),
                "translations": _translated(told),
                **(missing if isinstance(error, MissingStream) else failed),
            }
        )

    def document(self) -> dict[str, Any]:
        """The result as JSON values."""
        return self.model_dump(mode="json", exclude_unset=True)


def _source(version: S3Version) -> Source:
    target = version.target
    return Source(s3_bucket=target.bucket, s3_key=target.key, version_id=version.version_id, etag=version.etag)


def _translated(told: Callable[[Language], Words]) -> dict[Language, dict[str, Any]]:
    """The words in the languages beside ours: whoever reads a result may be another person than who asked for it."""
    return {
        language: told(language).model_dump(include=set(Translation.model_fields))
        for language in LANGUAGES
        if language != SOURCE
    }


@dataclass(frozen=True)
class ResultName:
    """A result's file name. Options are part of it: they change the answer."""

    kind: str
    model_version: str
    options: AnalysisOptions

    def __str__(self) -> str:
        chosen = self.options.model_dump(exclude_defaults=True)
        options = "".join(f"-{name.replace('_', '-')}-{value}" for name, value in chosen.items())
        return f"{self.kind}-{self.model_version}{options}.json"

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Read a name; None for any other file's."""
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        found = {name: value for name, value in match.groupdict().items() if value is not None}
        return cls(found.pop("kind"), found.pop("model"), AnalysisOptions.model_validate(found))


class ResultStore:
    """Reads and writes results.

    Args:
        prefix: where they lie in each object's bucket.
    """

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix.strip("/") + "/"

    def is_media(self, key: str) -> bool:
        """Whether an object may be judged: it is neither a result nor the mark that stands for a folder."""
        return not key.startswith(self._prefix) and not key.endswith("/")

    def folder(self, version: S3Version) -> str:
        """Where the results of one version of an object lie, with a slash at its end.

        A key too long to be part of another is replaced by its digest.
        """
        key = version.target.key
        folder = f"{self._prefix}{key}/{version.identity}/"
        if len(folder.encode()) <= MAX_KEY_BYTES - 128:
            return folder
        return f"{self._prefix}sha256/{hashlib.sha256(key.encode()).hexdigest()}/{version.identity}/"

    def place(self, version: S3Version, name: ResultName) -> S3Object:
        """Where that result lies."""
        return S3Object(version.target.bucket, f"{self.folder(version)}{name}")

    def named(self, version: S3Version) -> list[tuple[ResultName, S3Object]]:
        """The names and places of the results for a version of an object, newest first.

        Raises:
            ServiceError: as the store says.
        """
        bucket, folder = version.target.bucket, self.folder(version)
        found = sorted(self._store.keys(bucket, folder), key=lambda entry: entry[1], reverse=True)
        names = ((ResultName.parse(key.removeprefix(folder)), S3Object(bucket, key)) for key, _ in found)
        return [(name, place) for name, place in names if name is not None]

    def read(self, place: S3Object) -> Result | None:
        """The result there; None where there is none, or no result.

        Raises:
            StorageUnavailable: the store does not answer.
        """
        try:
            with self._store.open(place) as download:
                return Result.model_validate_json(b"".join(download.blocks))
        except (NotFound, ValidationError):
            return None
        except Forbidden:
            # Without the right to list, a store answers "forbidden" for what is not there; the conditional write tells.
            return None

    def write(self, place: S3Object, result: Result) -> bool:
        """Write a result unless there is one; whether this call wrote it.

        Raises:
            ServiceError: as the store says.
        """
        body = result.model_dump_json(exclude_unset=True).encode()
        return self._store.put_new(place, body, "application/json")
