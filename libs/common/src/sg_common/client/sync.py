"""The client for ordinary code."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cached_property
from typing import Any, Self, TypeVar, cast

import httpx

from sg_common.analysis import Report
from sg_common.client.connection import Connection, R
from sg_common.client.exchange import Call, Media, Pause, Steps
from sg_common.errors import ServiceError
from sg_common.jobs import JobDocument

T = TypeVar("T")


class Client(Connection[R]):
    """Asks one service. Safe to use from several threads.

    Every method raises what the service tells, as the classes of `sg_common.errors`: `NotMedia`, `TooBusy`, ...;
    `Unavailable` where the service can't be reached, `DeadlineExceeded` where it does not answer in time.
    """

    @cached_property
    def _http(self) -> httpx.Client:
        return httpx.Client(**self._arguments())

    def analyze(self, media: Media, **options: Any) -> R:
        """Judge a file, `https://HOST/PATH` or `s3://BUCKET/KEY`.

        Args:
            media: a path is read here and uploaded; the service reads the others itself, within its allow-lists.
            options: as the service has them: `policy`, `sample_rate`, ...

        Raises:
            ServiceError: see the class.
            OSError: the file cannot be read.
        """
        return self._run(self._analyze(media, options))

    def submit(self, media: Media, **options: Any) -> JobDocument[R]:
        """Ask as `analyze` does, without waiting: the job that the service has made of it. Where the service keeps none
        (`SG_JOBS=off`), it has answered and the job is done.
        """
        return self._run(self._submit(media, options))

    def job(self, identifier: str) -> JobDocument[R]:
        """How far a job is, and its report once it is done (raises NotFound when it has expired)."""
        return self._run(self._job(identifier))

    def wait(self, job: JobDocument[R], timeout_seconds: float = 3600) -> R:
        """The report of a job, when it is done.

        Raises:
            DeadlineExceeded: it has not ended within `timeout_seconds`; it goes on.
            ServiceError: why it failed.
        """
        return self._run(self._wait(job, timeout_seconds))

    def forget(self, identifier: str) -> None:
        """Cancel a job, or remove its report."""
        self._run(self._forget(identifier))

    def kind(self) -> str:
        """The kind of stream that the service judges: `audio` or `video`."""
        return self._run(self._kind())

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
            with self._errors():
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
