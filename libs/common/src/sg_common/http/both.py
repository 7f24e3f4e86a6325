"""Both services about one file: this one's report beside its peer's, never merged into one number."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel, create_model

from sg_common.analysis import Report, Stage
from sg_common.errors import Cancelled, InvalidOption
from sg_common.http.events import Work, event_stream
from sg_common.http.failures import as_failure
from sg_common.http.judging import Judging, in_a_task
from sg_common.http.peer import CREDENTIALS, Peer, PeerReport
from sg_common.http.pool import Ticket
from sg_common.http.preferences import wants_events, wants_job
from sg_common.http.receive import Asked, check_peer, gone
from sg_common.http.state import ServiceState
from sg_common.jobs import StageProgress
from sg_common.problem import Problem


def both_class(report: type[Report], kind: str, peer: str) -> type[BaseModel]:
    """What is answered where both are asked, for the API's description."""
    answers: dict[str, Any] = {kind: report | Problem, peer: PeerReport | Problem}
    fields: Any = {name: (answers[name], ...) for name in sorted(answers)}
    made: type[BaseModel] = create_model(
        "BothReports", __doc__="The report of each service, or why it has none.", **fields
    )
    return made


async def answer_both(
    state: ServiceState, judging: Judging, ticket: Ticket, asked: Asked, request: Request
) -> Response:
    """Answer a request that asks for both.

    Raises:
        InvalidOption: there is no peer, or the request asks for a job.
        Cancelled: the caller went away.
    """
    peer = check_peer(state, asked.options)
    if peer is None or (state.jobs is not None and wants_job(request.headers)):
        raise InvalidOption("peer: a job is one service's own; leave out 'Prefer', or ask each service for a job")
    credentials = {name: value for name in CREDENTIALS if (value := request.headers.get(name))}
    beside = _Beside(peer, judging, asked, credentials)
    works = [
        Work(judging.start(lambda: gone(request)), lambda: judging.progress, state.service.kind),
        # It holds the place too: the file must not go before it has been sent on.
        Work(in_a_task(ticket, beside.report(request)), lambda: beside.progress, peer.kind),
    ]
    if wants_events(request.headers):
        return event_stream(works)
    try:
        await asyncio.wait([work.task for work in works])
    finally:
        for work in works:
            work.task.cancel()
    documents = {work.service: _document(work.task) for work in sorted(works, key=lambda work: work.service or "")}
    headers = {"Content-Language": asked.language, "Vary": "Accept-Language"}
    return Response(json.dumps(documents), headers=headers, media_type="application/json")


def _document(task: asyncio.Task[Any]) -> Any:
    try:
        outcome: BaseModel = task.result()
    except Cancelled:
        raise
    except Exception as error:
        outcome = Problem.of(as_failure(error))
    return outcome.model_dump(mode="json")


@dataclass
class _Beside:
    """The peer's part of one request."""

    peer: Peer
    judging: Judging
    asked: Asked
    credentials: Mapping[str, str]
    progress: StageProgress = field(default_factory=lambda: StageProgress(stage=Stage.FETCHING, done=None))

    async def report(self, request: Request) -> PeerReport:
        asking = asyncio.create_task(self._ask())
        leaving = asyncio.create_task(gone(request))
        try:
            await asyncio.wait({asking, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise Cancelled("the caller went away; the work was cancelled")
            return asking.result()
        finally:
            leaving.cancel()
            asking.cancel()

    async def _ask(self) -> PeerReport:
        await self.judging.fetched()
        return await self.peer.judge(self.asked.path, self.asked.options.options(), self.credentials, self._tell)

    def _tell(self, progress: StageProgress) -> None:
        self.progress = progress
