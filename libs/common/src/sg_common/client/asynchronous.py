"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
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

_BLOCK = 1 << 18


class AsyncClient(Generic[R]):
    """As `Client`, with coroutines; for one event loop."""

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
        self._http = httpx.AsyncClient(**self._connection.arguments())

    async def analyze(self, media: Media, **options: Any) -> R:
        """As `Client.analyze`."""
        answer = await self._run(answered(call_about(media, options, {}), self._patience_seconds))
        return cast("R", report_of(answer, self._report))

    async def submit(self, media: Media, **options: Any) -> JobDocument[R]:
        """As `Client.submit`."""
        call = call_about(media, options, PREFER_JOB)
        return job_of(await self._run(answered(call, self._patience_seconds)), self._report)

    async def job(self, identifier: str) -> JobDocument[R]:
        """As `Client.job`."""
        call = Call("GET", job_path(identifier))
        return job_of(await self._run(answered(call, self._patience_seconds)), self._report)

    async def wait(self, job: JobDocument[R], timeout_seconds: float = 3600) -> R:
        """As `Client.wait`."""
        steps = ended(job, self._report, timeout_seconds, self._patience_seconds)
        return cast("R", await self._run(steps))

    async def forget(self, identifier: str) -> None:
        """As `Client.forget`."""
        await self._run(answered(Call("DELETE", job_path(identifier)), self._patience_seconds))

    async def kind(self) -> str:
        """As `Client.kind`."""
        return self._connection.kind_of(await self._run(answered(Call("GET", ""), self._patience_seconds)))

    async def _run(self, steps: Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    step = next(steps)
                else:
                    step = steps.send(await self._send(step))
        except StopIteration as ended:
            return cast("T", ended.value)

    async def _send(self, call: Call) -> httpx.Response:
        headers, content = dict(call.headers), None
        if call.file is not None:
            size = (await asyncio.to_thread(call.file.stat)).st_size
            headers["Content-Length"] = str(size)
            content = _blocks(call.file)
        with connection_errors(self._connection):
            return await self._http.request(
                call.method, call.path, params=call.query, headers=headers, json=call.json, content=content
            )

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _blocks(path: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while block := await asyncio.to_thread(file.read, _BLOCK):
            yield block
    finally:
        file.close()


async def analyze_all_async(
    clients: Mapping[str, AsyncClient[Any]], media: Media, **options: Any
) -> dict[str, Report | ServiceError]:
    """As `analyze_all`."""

    async def ask(client: AsyncClient[Any]) -> Report | ServiceError:
        try:
            return cast("Report", await client.analyze(media, **options))
        except ServiceError as error:
            return error

    answers = await asyncio.gather(*map(ask, clients.values()))
    return dict(zip(clients, answers, strict=True))
