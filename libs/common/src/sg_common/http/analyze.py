"""`POST /analyze`: a file in by upload or from S3, a report out."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from sg_common.analysis import AnalysisOptions, Job, Report
from sg_common.aws.objects import S3Object
from sg_common.errors import (
    Cancelled,
    MalformedRequest,
    QueueUnavailable,
    ServiceError,
    Unauthorized,
    UnexpectedFailure,
    failures,
)
from sg_common.http.pool import Ticket
from sg_common.http.state import ServiceState
from sg_common.http.upload import UploadLimits, receive_upload
from sg_common.sources.request import S3Request, read_options, read_request

log = logging.getLogger(__name__)

MAX_JSON_BYTES = 64 * 1024


async def analyze(state: ServiceState, request: Request) -> Response:
    """Answer one request; the place taken for it and its work files are given back in every case."""
    authenticate(state, request)
    analyzer = state.accepting()
    with state.pool.admit() as ticket:
        try:
            folder = state.workspace.request_folder()
            ticket.on_release(lambda: state.workspace.release(folder))
            path = folder / "media"
            started = time.perf_counter()
            source, options = await _receive(state, request, ticket, path)
            state.metrics.receive_seconds.labels(source).observe(time.perf_counter() - started)
            heeded = state.service.heeded(options)
            job = state.job(state.settings.request_timeout_seconds)
            report = await state.pool.analyse(ticket, job, lambda: analyzer.analyze(path, heeded, job), _gone(request))
        except BaseException as error:
            _count(state, error)
            raise
    state.metrics.judged(report)
    _log_report(report)
    return Response(report.model_dump_json(), media_type="application/json")


def authenticate(state: ServiceState, request: Request) -> None:
    """Raise `Unauthorized` where keys are configured and the request has none of them."""
    keys = state.settings.api_keys
    if not keys:
        return
    given = request.headers.get("x-api-key", "").encode()
    # Every key is compared, in constant time, so that timing tells nothing.
    matches = [secrets.compare_digest(given, key.get_secret_value().encode()) for key in keys]
    if not any(matches):
        raise Unauthorized("send one of this service's keys in the X-API-Key header")


async def _receive(state: ServiceState, request: Request, ticket: Ticket, path: Path) -> tuple[str, AnalysisOptions]:
    settings = state.settings
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        limits = UploadLimits(
            settings.max_upload_bytes, settings.upload_stall_seconds, settings.upload_min_bytes_per_second
        )
        return "upload", read_options(await receive_upload(request, path, limits))
    if kind == "application/json":
        body = read_request(S3Request, await _read_json(state, request))
        target = S3Object(body.s3_bucket, body.s3_key)
        job = Job(settings.request_timeout_seconds)
        await state.pool.fetch(ticket, job, lambda: state.s3.fetch(target, path, job), _gone(request))
        return "s3", body.options()
    raise MalformedRequest("send multipart/form-data with a 'file', or application/json with 's3_bucket' and 's3_key'")


async def _read_json(state: ServiceState, request: Request) -> Any:
    body = bytearray()
    try:
        async with asyncio.timeout(state.settings.upload_stall_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_JSON_BYTES:
                    raise MalformedRequest("the JSON body is far larger than a bucket and a key need")
    except TimeoutError as error:
        raise MalformedRequest("the JSON body did not arrive in time") from error
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest("the body is not valid JSON") from error


async def _gone(request: Request) -> None:
    """Return when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


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
            "probability": round(report.probability, 4),
            "seconds": round(report.processing_seconds, 3),
            "model_version": report.model.version,
        },
    )


FAILURES = [kind for kind in failures() if kind not in (Cancelled, QueueUnavailable, UnexpectedFailure)]
"""What a caller may be answered instead of a report; anything else is a bug."""

_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        **AnalysisOptions.model_json_schema()["properties"],
    },
}
REQUEST_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {"schema": _FORM},
        "application/json": {"schema": S3Request.model_json_schema()},
    },
}
