"""Progress and outcome of one request as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import Request
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from pydantic import BaseModel

from sg_common.analysis import Report
from sg_common.http.failures import as_failure
from sg_common.http.judging import Judging
from sg_common.http.receive import gone
from sg_common.jobs import StageProgress
from sg_common.problem import Problem

LOOK_SECONDS = 0.25
"""How often the stream looks how far the work is: only the latest counts, and nothing ever waits for the caller."""
KEEP_ALIVE_SECONDS = 15.0
"""The longest silence on the connection: proxies and load balancers close it after 60 s."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def event_stream(judging: Judging, request: Request) -> EventSourceResponse:
    """Begin to judge, and tell how it goes. A caller who leaves cancels the work."""
    work = judging.start(lambda: gone(request))
    return EventSourceResponse(_events(judging, work), headers=HEADERS)


async def _events(judging: Judging, work: asyncio.Task[Report]) -> AsyncIterator[bytes]:
    told: StageProgress | None = None
    silent = 0.0
    try:
        while not work.done():
            progress = judging.progress
            if progress != told:
                yield _event("progress", progress)
                told, silent = progress, 0.0
            elif silent >= KEEP_ALIVE_SECONDS:
                yield KEEPALIVE_COMMENT
                silent = 0.0
            await asyncio.wait({work}, timeout=LOOK_SECONDS)
            silent += LOOK_SECONDS
        try:
            yield _event("result", work.result())
        except Exception as error:
            yield _event("problem", Problem.of(as_failure(error)))
    finally:
        work.cancel()


def _event(name: str, data: BaseModel) -> bytes:
    return format_sse_event(event=name, data_str=data.model_dump_json())
