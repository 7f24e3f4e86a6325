"""`POST /analyze`: a file in, a report out."""

from __future__ import annotations

import logging
import time

from fastapi import Request
from fastapi.responses import Response

from sg_common.analysis import Report
from sg_common.errors import Cancelled, ServiceError, UnexpectedFailure
from sg_common.http.receive import gone, receive
from sg_common.http.state import ServiceState
from sg_common.words.languages import SOURCE

log = logging.getLogger(__name__)


async def answer(state: ServiceState, request: Request) -> Response:
    """Answer one request; the place taken for it and its work files are given back in every case."""
    analyzer = state.accepting()
    with state.pool.admit() as ticket:
        try:
            folder = state.workspace.request_folder()
            ticket.on_release(lambda: state.workspace.release(folder))
            path = folder / "media"
            started = time.perf_counter()
            source, options = await receive(state, request, ticket, path)
            state.metrics.receive_seconds.labels(source).observe(time.perf_counter() - started)
            heeded = state.service.heeded(options)
            job = state.job(state.settings.request_timeout_seconds)
            report = await state.pool.analyse(ticket, job, lambda: analyzer.analyze(path, heeded, job), gone(request))
        except BaseException as error:
            _count(state, error)
            raise
    state.metrics.judged(report)
    _log_report(report)
    language = options.lang or SOURCE
    headers = {"Content-Language": language, "Vary": "Accept-Language"}
    return Response(report.in_language(language).model_dump_json(), headers=headers, media_type="application/json")


def _count(state: ServiceState, error: BaseException) -> None:
    match error:
        case ServiceError():
            code = error.code
            log.info("not analysed", extra={"code": error.code, "detail": error.detail})
        case Exception():
            code = UnexpectedFailure.code
        case _:
            code = Cancelled.code
    state.metrics.analyses.labels(code).inc()


def _log_report(report: Report) -> None:
    log.info(
        "analysed",
        extra={
            "status": report.status,
            "verdict": report.verdict,
            "probability": report.probability,
            "seconds": report.processing_seconds,
            "model_version": report.model.version,
        },
    )
