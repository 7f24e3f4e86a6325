"""What a client says and how it understands the answers, without the connection: generators that yield calls and
pauses, and are sent the answer to each call. Both clients run the same ones."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from os import PathLike, fspath
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from sg_common.analysis import Report
from sg_common.backoff import doubled
from sg_common.client.reports import read_report
from sg_common.errors import MalformedRequest, ServiceError, UnexpectedFailure
from sg_common.jobs import JobDocument, JobStatus
from sg_common.problem import MEDIA_TYPE, Problem, failure_of

T = TypeVar("T")
Media = str | PathLike[str]

PASSING = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE})
"""Statuses of refusals that pass: the same request may succeed later."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
PREFER_JOB = {"Prefer": "respond-async"}


@dataclass(frozen=True)
class Call:
    """A request. `file`: its body is streamed from there, from the beginning at every try."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    file: Path | None = None


@dataclass(frozen=True)
class Pause:
    """Time to wait before the next call."""

    seconds: float


Steps = Generator[Call | Pause, httpx.Response, T]


def call_about(media: Media, options: Mapping[str, Any], headers: Mapping[str, str] = MappingProxyType({})) -> Call:
    """The call that asks for a judgement.

    Raises:
        MalformedRequest: an address of a kind that no service reads.
    """
    chosen = {name: value for name, value in options.items() if value is not None}
    if isinstance(media, str) and "://" in media:
        return Call("POST", "analyze", headers, json={**_place(media), **chosen})
    query = {name: str(value) for name, value in chosen.items()}
    return Call("POST", "analyze", headers, query, file=Path(fspath(media)))


def _place(address: str) -> dict[str, str]:
    scheme, _, rest = address.partition("://")
    match scheme.lower():
        case "https":
            return {"url": address}
        case "s3":
            bucket, _, key = rest.partition("/")
            return {"s3_bucket": bucket, "s3_key": key}
        case _:
            raise MalformedRequest(f"{scheme}://: a service reads https://HOST/PATH and s3://BUCKET/KEY")


def answered(call: Call, patience_seconds: float) -> Steps[httpx.Response]:
    """The answer to a call, which is made again after a refusal that passes: when the service says (`Retry-After`), or
    after a pause that doubles, for at most `patience_seconds` of pauses.

    Raises:
        ServiceError: as the service says.
    """
    tries = 0
    while True:
        answer = yield call
        if answer.is_success:
            return answer
        wait = _retry_after(answer)
        pause = doubled(_FIRST_PAUSE, _LONGEST_PAUSE, tries) if wait is None else wait
        if answer.status_code not in PASSING or pause > patience_seconds:
            raise _failure(answer, wait)
        patience_seconds -= pause
        tries += 1
        yield Pause(pause)


def report_of(answer: httpx.Response, wanted: type[Report] | None) -> Report:
    """The report that an answer holds.

    Raises:
        UnexpectedFailure: it holds none.
    """
    with _understood(answer):
        return read_report(answer.json(), wanted)


def job_of(answer: httpx.Response, wanted: type[Report] | None) -> JobDocument[Any]:
    """The job that an answer holds; of a service that keeps none and has answered at once, one that is done and
    has no name.

    Raises:
        UnexpectedFailure: it holds neither.
    """
    with _understood(answer):
        document = answer.json()
        if answer.request.method == "POST" and answer.status_code != HTTPStatus.ACCEPTED:
            report, now = read_report(document, wanted), datetime.now(UTC)
            return JobDocument[Any](
                id="", status=JobStatus.DONE, progress=None, result=report, problem=None, created=now, expires=now
            )
        job = JobDocument[Any].model_validate(document)
        if job.result is None:
            return job
        return job.model_copy(update={"result": read_report(job.result, wanted)})


def job_path(identifier: str) -> str:
    return f"jobs/{quote(identifier, safe='')}"


def kind_of(answer: httpx.Response) -> str:
    """The kind of the service that answered `GET /`.

    Raises:
        UnexpectedFailure: it is none.
    """
    with _understood(answer):
        return str(answer.json()["service"]).removesuffix("-analyzer")


@contextmanager
def _understood(answer: httpx.Response) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:  # perhaps the address is another's
        detail = f"{answer.url.host} answered {answer.request.method} {answer.url.path} in a way that no service does"
        raise UnexpectedFailure(detail) from error


def _failure(answer: httpx.Response, wait: float | None) -> ServiceError:
    try:
        if answer.headers.get("content-type", "").partition(";")[0] != MEDIA_TYPE:
            raise ValueError  # noqa: TRY301 - a proxy's own page, perhaps
        problem = Problem.model_validate_json(answer.content)
    except ValueError:
        status = answer.status_code
        detail = f"{answer.url.host} answered {status} {answer.reason_phrase}".rstrip()
        problem = Problem.coded("", "", status, detail)
    return failure_of(problem, None if wait is None else round(wait))


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds, of either form that the header has (RFC 9110, section 10.2.3)."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
