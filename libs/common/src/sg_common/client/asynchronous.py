"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import httpx

from sg_common.analysis import Report
from sg_common.client.connection import Connection, R
from sg_common.client.exchange import Call, Media, Pause, Steps
from sg_common.errors import ServiceError
from sg_common.jobs import JobDocument

T = TypeVar("T")

_BLOCK = 1 << 18


class AsyncClient(Connection[R]):
    """As `Client`, with coroutines; for one event loop."""

    @cached_property
    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(**self._arguments())

    async def analyze(self, media: Media, **options: Any) -> R:
        """As `Client.analyze`."""
        return await self._run(self._analyze(media, options))

    async def submit(self, media: Media, **options: Any) -> JobDocument[R]:
        """As `Client.submit`."""
        return await self._run(self._submit(media, options))

    async def job(self, identifier: str) -> JobDocument[R]:
        """As `Client.job`."""
        return await self._run(self._job(identifier))

    async def wait(self, job: JobDocument[R], timeout_seconds: float = 3600) -> R:
        """As `Client.wait`."""
        return await self._run(self._wait(job, timeout_seconds))

    async def forget(self, identifier: str) -> None:
        """As `Client.forget`."""
        await self._run(self._forget(identifier))

    async def kind(self) -> str:
        """As `Client.kind`."""
        return await self._run(self._kind())

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
        with self._errors():
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
