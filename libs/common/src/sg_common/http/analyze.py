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
from pydantic import ValidationError

from sg_common.analysis import AnalysisOptions, Job, Report
from sg_common.errors import Cancelled, MalformedRequest, ServiceError, Unauthorized
from sg_common.http.problem import MEDIA_TYPE, Problem
from sg_common.http.state import ServiceState
from sg_common.http.upload import UploadLimits, receive_upload
from sg_common.sources.request import S3Request, options_for
from sg_common.sources.s3 import S3Object

log = logging.getLogger(__name__)

MAX_JSON_BYTES = 64 * 1024


async def analyze(state: ServiceState, request: Request) -> Response:
    """Answer one request; the place taken for it and its work files are given back in every case."""
    authenticate(state, request)
    analyzer = state.accepting()
    ticket = state.pool.admit()
    try:
        folder = state.workspace.request_folder()
        ticket.on_release(lambda: state.workspace.release(folder))
        path = folder / "media"
        started = time.perf_counter()
        source, options = await _receive(state, request, path)
        state.metrics.receive_seconds.labels(source).observe(time.perf_counter() - started)
        job = state.job(state.settings.request_timeout_seconds)
    except BaseException as error:
        ticket.release()
        _count(state, error)
        raise

    try:
        report = await state.pool.run(ticket, job, lambda: analyzer.analyze(path, options, job), _gone(request))
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


async def _receive(state: ServiceState, request: Request, path: Path) -> tuple[str, AnalysisOptions]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        settings = state.settings
        limits = UploadLimits(
            settings.max_upload_bytes, settings.upload_stall_seconds, settings.upload_min_bytes_per_second
        )
        text = await receive_upload(request, path, limits)
        return "upload", options_for(state.service.kind, text)
    if kind == "application/json":
        body = await _read_json(state, request)
        options = options_for(state.service.kind, body.sample_rate)
        target = S3Object(body.s3_bucket, body.s3_key)
        job = Job(state.settings.request_timeout_seconds)
        download = asyncio.to_thread(state.s3.fetch, target, path, job)
        try:
            await asyncio.shield(running := asyncio.ensure_future(download))
        except asyncio.CancelledError:
            job.cancel()
            await asyncio.wait({running})
            raise
        return "s3", options
    raise MalformedRequest("send multipart/form-data with a 'file', or application/json with 's3_bucket' and 's3_key'")


async def _read_json(state: ServiceState, request: Request) -> S3Request:
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
        return S3Request.model_validate(json.loads(body), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        raise MalformedRequest(f"{'.'.join(map(str, first['loc'])) or 'the body'}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise MalformedRequest("the body is not valid JSON") from error


async def _gone(request: Request) -> None:
    """Return when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _count(state: ServiceState, error: BaseException) -> None:
    code = error.code if isinstance(error, ServiceError) else Cancelled.code
    if isinstance(error, Exception) and not isinstance(error, ServiceError):
        code = ServiceError.code
    state.metrics.analyses.labels(code).inc()
    if isinstance(error, ServiceError):
        log.info("not analysed", extra={"code": error.code, "detail": error.detail})


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


_PROBLEMS = {
    400: "Malformed request",
    401: "API key configured and missing or wrong",
    403: "Bucket or key prefix not on the allow-list, or S3 denies access",
    404: "No such object",
    408: "The upload stalls or is too slow",
    413: "Larger, longer or with more pixels than the limits",
    415: "Not a media file",
    422: "Media that cannot be decoded, or without the needed stream; option out of range",
    429: "Too busy; carries Retry-After",
    502: "S3 does not answer or throttles; carries Retry-After",
    503: "Not ready or draining; carries Retry-After",
    504: "Deadline passed; the work was cancelled",
}

RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "model": Problem, "content": {MEDIA_TYPE: {}}} for status, text in _PROBLEMS.items()
}

_SAMPLE_RATE = {"type": "integer", "minimum": 1, "description": "video only: analyse exactly one frame in N"}
REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}, "sample_rate": _SAMPLE_RATE},
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["s3_bucket", "s3_key"],
                    "properties": {
                        "s3_bucket": {"type": "string"},
                        "s3_key": {"type": "string", "examples": ["uploads/u1/clip.mp4"]},
                        "sample_rate": _SAMPLE_RATE,
                    },
                }
            },
        },
    }
}
