"""The client for ordinary code."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Generic, Self, cast

import httpx
from typing_extensions import TypeVar  # which has defaults before Python 3.13

from sg_common.analysis import Report
from sg_common.client.connection import Connection, connection_errors
from sg_common.client.exchange import (
    PREFER_JOB,
    Call,
    Media,
    Pause,
    Steps,
    answered,
    call_about,
    ended,
    job_of,
    job_path,
    report_of,
)
from sg_common.errors import ServiceError
from sg_common.jobs import JobDocument

R = TypeVar("R", bound=Report, default=Report)
T = TypeVar("T")


class Client(Generic[R]):
    """Asks one service. Safe to use from several threads.

    Every method raises what the service tells, as the classes of `sg_common.errors`: `NotMedia`, `TooBusy`, ...;
    `Unavailable` where the service can't be reached, `DeadlineExceeded` where it does not answer in time.

    Args:
        address: of the service, such as http://localhost:8000.
        report: the class of its reports; without it, the class that an installed service's package registers for the
            answer, else `AnyReport`.
        api_key: where the service asks for one.
        patience_seconds: how long to wait in all, for each call, for a busy service.
        timeout_seconds: longest silence before an answer: the analysis and the wait for a turn.
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
        self._connection = Connection(address, api_key, timeout_seconds)
        self._report, self._patience_seconds = report, patience_seconds
        self._http = httpx.Client(**self._connection.arguments())

    def analyze(self, media: Media, **options: Any) -> R:
        """Judge a file, `https://HOST/PATH` or `s3://BUCKET/KEY`.

        Args:
            media: a path is read here and uploaded; the service reads the others itself, within its allow-lists.
            options: as the service has them: `policy`, `sample_rate`, ...

        Raises:
            ServiceError: see the class.
            OSError: the file cannot be read.
        """
        answer = self._run(answered(call_about(media, options, {}), self._patience_seconds))
        return cast("R", report_of(answer, self._report))

    def submit(self, media: Media, **options: Any) -> JobDocument[R]:
        """Ask as `analyze` does, without waiting: the job that the service has made of it. Where the service keeps none
        (`SG_JOBS=off`), it has answered and the job is done.
        """
        call = call_about(media, options, PREFER_JOB)
        return job_of(self._run(answered(call, self._patience_seconds)), self._report)

    def job(self, identifier: str) -> JobDocument[R]:
        """How far a job is, and its report once it is done (raises NotFound when it has expired)."""
        call = Call("GET", job_path(identifier))
        return job_of(self._run(answered(call, self._patience_seconds)), self._report)

    def wait(self, job: JobDocument[R], timeout_seconds: float = 3600) -> R:
        """The report of a job, when it is done.

        Raises:
            DeadlineExceeded: it has not ended within `timeout_seconds`; it goes on.
            ServiceError: why it failed.
        """
        steps = ended(job, self._report, timeout_seconds, self._patience_seconds)
        return cast("R", self._run(steps))

    def forget(self, identifier: str) -> None:
        """Cancel a job, or remove its report."""
        self._run(answered(Call("DELETE", job_path(identifier)), self._patience_seconds))

    def kind(self) -> str:
        """The kind of stream that the service judges: `audio` or `video`."""
        return self._connection.kind_of(self._run(answered(Call("GET", ""), self._patience_seconds)))

    def _run(self, steps: Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    step = next(steps)
                else:
                    step = steps.send(self._send(step))
        except StopIteration as ended:
            return cast("T", ended.value)

    def _send(self, call: Call) -> httpx.Response:
        with ExitStack() as stack:
            content = None if call.file is None else stack.enter_context(call.file.open("rb"))
            with connection_errors(self._connection):
                return self._http.request(
                    call.method, call.path, params=call.query, headers=call.headers, json=call.json, content=content
                )

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def analyze_all(clients: Mapping[str, Client[Any]], media: Media, **options: Any) -> dict[str, Report | ServiceError]:
    """Ask several services about one file at a time, such as `{"audio": ..., "video": ...}`: the report of each, or
    its failure.

    Raises:
        OSError: the file cannot be read.
    """

    def ask(client: Client[Any]) -> Report | ServiceError:
        try:
            return cast("Report", client.analyze(media, **options))
        except ServiceError as error:
            return error

    with ThreadPoolExecutor(max(1, len(clients))) as pool:
        return dict(zip(clients, pool.map(ask, clients.values()), strict=True))
