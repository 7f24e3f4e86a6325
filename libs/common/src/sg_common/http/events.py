"""Progress and outcome of one request as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from pydantic import BaseModel

from sg_common.http.failures import as_failure
from sg_common.jobs import StageProgress
from sg_common.problem import Problem

LOOK_SECONDS = 0.25
"""How often the stream looks how far the work is: only the latest counts, and nothing ever waits for the caller."""
KEEP_ALIVE_SECONDS = 15.0
"""The longest silence on the connection: proxies and load balancers close it after 60 s."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass
class Work:
    """Work that is told of: `service` names it where there are several."""

    task: asyncio.Task[Any]
    progress: Callable[[], StageProgress]
    service: str | None = None
    over: bool = field(default=False, init=False)
    _told: StageProgress | None = field(default=None, init=False)

    def event(self) -> bytes | None:
        """What is new; None where nothing is. It is over once it has told its outcome."""
        if self.task.done():
            self.over = True
            try:
                return self._event("result", self.task.result())
            except Exception as error:
                return self._event("problem", Problem.of(as_failure(error)))
        if (progress := self.progress()) == self._told:
            return None
        self._told = progress
        return self._event("progress", progress)

    def _event(self, name: str, data: BaseModel) -> bytes:
        text = data.model_dump_json()
        if self.service is not None:
            text = json.dumps({"service": self.service, **json.loads(text)}, ensure_ascii=False)
        return format_sse_event(event=name, data_str=text)


def event_stream(works: Sequence[Work]) -> EventSourceResponse:
    """Tell how works go that have begun: `progress`, then one `result` or `problem` of each. To leave cancels them."""
    return EventSourceResponse(_events(works), headers=HEADERS)


async def _events(works: Sequence[Work]) -> AsyncIterator[bytes]:
    silent = 0.0
    try:
        while unfinished := [work for work in works if not work.over]:
            for event in filter(None, [work.event() for work in unfinished]):
                yield event
                silent = 0.0
            if silent >= KEEP_ALIVE_SECONDS:
                yield KEEPALIVE_COMMENT
                silent = 0.0
            if tasks := [work.task for work in unfinished if not work.over]:
                await asyncio.wait(tasks, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                silent += LOOK_SECONDS
    finally:
        for work in works:
            work.task.cancel()
