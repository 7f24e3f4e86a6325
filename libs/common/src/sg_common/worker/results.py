"""Results as objects beside their media: one for each version of an object, model version and choice of options."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from sg_common.analysis import UNKNOWN_PROBABILITY, AnalysisOptions, ModelInfo, Report, Verdict
from sg_common.errors import Forbidden, MissingStream, NotFound, ServiceError, StorageUnavailable
from sg_common.http.problem import problem_document
from sg_common.sources.s3 import S3Object, S3Version, translated_errors
from sg_common.worker.backoff import jittered

log = logging.getLogger(__name__)

Document = dict[str, Any]

NOT_APPLICABLE = "not_applicable"
FAILED = "failed"

MAX_KEY_BYTES = 1024
_NAME = re.compile(r"(?P<kind>[a-z]+)-(?P<model>.+?)(?:-sample-rate-(?P<sample_rate>\d+))?\.json")
_CONFLICT_ATTEMPTS = 5


def normal_prefix(prefix: str) -> str:
    """A results prefix with exactly one slash at its end."""
    return prefix.strip("/") + "/"


def result_folder(prefix: str, key: str, identity: str) -> str:
    """Where the results of one version of an object lie, with a slash at its end.

    A key too long to be part of another is replaced by its digest.
    """
    folder = f"{prefix}{key}/{identity}/"
    if len(folder.encode()) <= MAX_KEY_BYTES - 128:
        return folder
    return f"{prefix}sha256/{hashlib.sha256(key.encode()).hexdigest()}/{identity}/"


def result_name(kind: str, model_version: str, options: AnalysisOptions) -> str:
    """A result's file name. Options are part of it: they change the answer."""
    chosen = "" if options.sample_rate is None else f"-sample-rate-{options.sample_rate}"
    return f"{kind}-{model_version}{chosen}.json"


@dataclass(frozen=True)
class ResultName:
    """What a result's file name says."""

    kind: str
    model_version: str
    options: AnalysisOptions

    @classmethod
    def parse(cls, name: str) -> ResultName | None:
        """Read a name that `result_name` made; None for any other."""
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        rate = match["sample_rate"]
        return cls(match["kind"], match["model"], AnalysisOptions(sample_rate=int(rate) if rate else None))


def source_of(version: S3Version) -> Document:
    """A result's `source`."""
    target = version.target
    versioned = target.version_id if target.version_id != "null" else None
    return {"s3_bucket": target.bucket, "s3_key": target.key, "version_id": versioned, "etag": version.etag}


def judged_document(version: S3Version, report: Report) -> Document:
    """The body that `/analyze` answers, and its source."""
    return {**report.model_dump(mode="json"), "source": source_of(version)}


def unjudged_document(version: S3Version, report: type[Report], model: ModelInfo, error: ServiceError) -> Document:
    """A result without a judgement: `not_applicable` where the needed stream is missing, else `failed` and why.

    The score stays a number that reads "unknown", for clients that ignore `status`.
    """
    missing = isinstance(error, MissingStream)
    document: Document = {
        report.score_field: UNKNOWN_PROBABILITY,
        "verdict": Verdict.INCONCLUSIVE,
        "status": NOT_APPLICABLE if missing else FAILED,
        "model": model.model_dump(mode="json"),
        "message": error.detail,
        "source": source_of(version),
    }
    return document if missing else {**document, "problem": problem_document(error).model_dump(mode="json")}


class ResultStore:
    """Reads and writes results. `client` gives the S3 client."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client

    def read(self, place: S3Object) -> Document | None:
        """The result there, or None.

        Raises:
            StorageUnavailable: the store does not answer.
        """
        try:
            with translated_errors(str(place)):
                answer = self._client().get_object(Bucket=place.bucket, Key=place.key)
                document = json.loads(answer["Body"].read())
        except NotFound:
            return None
        except Forbidden:
            # Without the right to list, a store answers "forbidden" for what is not there; the conditional write tells.
            return None
        return document if isinstance(document, dict) else None

    def write(self, place: S3Object, document: Document) -> bool:
        """Write a result unless there is one; whether this call wrote it.

        Raises:
            ServiceError: as the store says.
        """
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        for _ in range(_CONFLICT_ATTEMPTS):
            try:
                with translated_errors(str(place)):
                    return self._put(place, body)
            except _ConflictError:
                time.sleep(jittered(0.5))
        raise StorageUnavailable(f"{place} is being written by others; try again")

    def _put(self, place: S3Object, body: bytes) -> bool:
        try:
            self._client().put_object(
                Bucket=place.bucket, Key=place.key, Body=body, ContentType="application/json", IfNoneMatch="*"
            )
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            if code in ("PreconditionFailed", "412"):
                return False
            if code in ("ConditionalRequestConflict", "409"):
                raise _ConflictError from error
            raise
        return True


class _ConflictError(Exception):
    """Two conditional writes met; S3 asks to try again."""
