"""`/jobs`: what became of requests that nobody waits for."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response, params
from pydantic import create_model

from sg_common.analysis import Report
from sg_common.errors import NotFound, Unauthorized, Unavailable
from sg_common.http.jobs import Jobs
from sg_common.http.preferences import RESPOND_ASYNC
from sg_common.jobs import JobDocument
from sg_common.serving.problems import described

RETRY_AFTER = "1"
"""Seconds between two looks at an unfinished job."""


def add_job_routes(
    app: FastAPI, jobs: Jobs, document: type[JobDocument[Any]], authentication: params.Depends, extra: dict[str, Any]
) -> None:
    """Routes to read and to remove a job."""
    failures = described(Unauthorized, NotFound, Unavailable)

    @app.get(
        "/jobs/{id}",
        summary="How far a job is, and its report once it is done",
        response_model=document,
        responses=failures,
        dependencies=[authentication],
        openapi_extra=extra,
    )
    async def read_job(id: str) -> Response:
        return _response(await jobs.read(id))

    @app.delete(
        "/jobs/{id}",
        summary="Cancel a job and forget it",
        status_code=204,
        responses=failures,
        dependencies=[authentication],
        openapi_extra=extra,
    )
    async def delete_job(id: str) -> None:
        await jobs.remove(id)


def document_class(report: type[Report]) -> type[JobDocument[Any]]:
    """The document of this service's jobs, under a name that clients can be generated with."""
    return create_model("Job", __base__=JobDocument[report], __doc__=JobDocument.__doc__)  # type: ignore[valid-type]


def accepted(document: JobDocument[Any], request: Request) -> Response:
    """The answer to a request that has become a job."""
    root = request.scope.get("root_path", "")
    place = request.app.url_path_for("read_job", id=document.id)
    return _response(document, 202, {"Location": f"{root}{place}", "Preference-Applied": RESPOND_ASYNC})


def _response(document: JobDocument[Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    waits = {} if document.expires else {"Retry-After": RETRY_AFTER}
    headers = {"Cache-Control": "no-store", **waits, **(headers or {})}
    return Response(document.model_dump_json(), status, headers, media_type="application/json")
