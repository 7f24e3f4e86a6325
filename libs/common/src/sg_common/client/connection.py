"""What both clients know of one service, and what they ask of it, as steps that each of them runs in its own way."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, cast

import httpx
from pydantic import SecretStr
from typing_extensions import TypeVar  # which has defaults before Python 3.13

from sg_common.analysis import Report
from sg_common.client.exchange import (
    PREFER_JOB,
    Call,
    Media,
    Pause,
    Steps,
    answered,
    call_about,
    job_of,
    job_path,
    kind_of,
    report_of,
)
from sg_common.errors import DeadlineExceeded, MalformedRequest, Unavailable
from sg_common.jobs import JobDocument, JobStatus
from sg_common.problem import failure_of

R = TypeVar("R", bound=Report, default=Report)

CONNECT_SECONDS = 10.0
WRITE_SECONDS = 60.0
_LOOK_SECONDS = 1.0
"""Between two looks at a job."""


class Connection(Generic[R]):
    """A service's address, and how it is asked.

    Args:
        address: of the service, such as http://localhost:8000.
        report: the class of its reports; without it, the class that an installed service's package registers for the
            answer, else `AnyReport`.
        api_key: where the service asks for one.
        patience_seconds: how long to wait in all, for each call, for a busy service.
        timeout_seconds: longest silence before an answer: the analysis and the wait for a turn.

    Raises:
        MalformedRequest: the address is none.
    """

    def __init__(
        self,
        address: str,
        report: type[R] | None = None,
        *,
        api_key: str | None = None,
        patience_seconds: float = 120,
        timeout_seconds: float = 900,
    ) -> None:
        try:
            url = httpx.URL(address)
        except httpx.InvalidURL:
            url = httpx.URL()
        if url.scheme not in ("http", "https") or not url.host:
            raise MalformedRequest(f"{address}: a service's address looks like http://localhost:8000")
        self._address, self._report, self._patience_seconds = address, report, patience_seconds
        self._key = SecretStr(api_key or "")
        self._timeout = httpx.Timeout(timeout_seconds, connect=CONNECT_SECONDS, write=WRITE_SECONDS)

    def _arguments(self) -> dict[str, Any]:
        """Arguments of httpx's clients."""
        headers = {"X-API-Key": self._key.get_secret_value()} if self._key else {}
        return {"base_url": self._address, "headers": headers, "timeout": self._timeout}

    def _analyze(self, media: Media, options: Mapping[str, Any]) -> Steps[R]:
        answer = yield from self._answer(call_about(media, options))
        return cast("R", report_of(answer, self._report))

    def _submit(self, media: Media, options: Mapping[str, Any]) -> Steps[JobDocument[R]]:
        answer = yield from self._answer(call_about(media, options, PREFER_JOB))
        return job_of(answer, self._report)

    def _job(self, identifier: str) -> Steps[JobDocument[R]]:
        answer = yield from self._answer(Call("GET", job_path(identifier)))
        return job_of(answer, self._report)

    def _wait(self, job: JobDocument[R], timeout_seconds: float) -> Steps[R]:
        end = time.monotonic() + timeout_seconds
        while job.status not in (JobStatus.DONE, JobStatus.FAILED):
            if time.monotonic() >= end:
                raise DeadlineExceeded(f"job {job.id} has not ended within {timeout_seconds:g} s; ask again later")
            yield Pause(min(_LOOK_SECONDS, max(0.0, end - time.monotonic())))
            job = yield from self._job(job.id)
        if job.problem is not None:
            raise failure_of(job.problem)
        return cast("R", job.result)

    def _forget(self, identifier: str) -> Steps[None]:
        yield from self._answer(Call("DELETE", job_path(identifier)))

    def _kind(self) -> Steps[str]:
        return kind_of((yield from self._answer(Call("GET", ""))))

    def _answer(self, call: Call) -> Steps[httpx.Response]:
        return answered(call, self._patience_seconds)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn failures of the connection into ours."""
        try:
            yield
        except httpx.ConnectTimeout as error:
            raise Unavailable(f"{self._address} cannot be reached") from error
        except httpx.TimeoutException as error:
            raise DeadlineExceeded(f"{self._address} fell silent") from error
        except httpx.TransportError as error:
            raise Unavailable(f"{self._address} cannot be reached, or broke off ({error})") from error
