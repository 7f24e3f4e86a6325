"""`POST /analyze`: a file in, a report out, at once, after events that tell how it goes, or as a job."""

from __future__ import annotations

import time

from fastapi import Request
from fastapi.responses import Response

from sg_common.http.both import answer_both
from sg_common.http.events import Work, event_stream
from sg_common.http.job_routes import accepted
from sg_common.http.judging import Judging
from sg_common.http.preferences import wants_events, wants_job
from sg_common.http.receive import gone, receive
from sg_common.http.state import ServiceState


async def answer(state: ServiceState, request: Request) -> Response:
    """Answer one request; the place taken for it and its work files are given back in every case."""
    analyzer = state.accepting()
    with state.pool.admit() as ticket:
        with state.metrics.counting_failure():
            folder = state.workspace.request_folder()
            ticket.on_release(lambda: state.workspace.release(folder))
            started = time.perf_counter()
            asked = await receive(state, request, folder / "media")
        judging = Judging(state, analyzer, ticket, asked, started)
        if asked.options.peer:
            return await answer_both(state, judging, ticket, asked, request)
        if wants_events(request.headers):
            work = judging.start(lambda: gone(request))
            return event_stream([Work(work, lambda: judging.progress)])
        if state.jobs is not None and wants_job(request.headers):
            return accepted(await state.jobs.take(judging), request)
        report = await judging.report(lambda: gone(request))
    headers = {"Content-Language": asked.language, "Vary": "Accept-Language"}
    return Response(report.model_dump_json(), headers=headers, media_type="application/json")
