"""Failures as HTTP answers: problem documents, and their description for OpenAPI."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from sg_common.errors import MalformedRequest, ServiceError
from sg_common.problem import MEDIA_TYPE, Problem


def problem_response(error: ServiceError) -> JSONResponse:
    """The answer for a failure, with `Retry-After` where a retry makes sense."""
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if error.ends_connection:
        headers["Connection"] = "close"
    return _response(Problem.of(error), headers)


def described(*failures: type[ServiceError]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's description of these failures' answers, by status."""
    titles: dict[int | str, list[str]] = {}
    for failure in failures:
        title = failure.title + ("; carries Retry-After" if failure.default_retry_after else "")
        titles.setdefault(failure.status, []).append(title)
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    return {status: {"description": ", or: ".join(said), "content": content} for status, said in titles.items()}


def install_problem_handlers(app: FastAPI) -> None:
    """Make every expected failure of the application a problem document."""

    async def on_service_error(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ServiceError)  # noqa: S101 - registered for this type only
        return problem_response(error)

    async def on_http_exception(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type only
        phrase = HTTPStatus(error.status_code).phrase
        code = phrase.lower().replace(" ", "-")
        problem = Problem.coded(code, phrase, error.status_code, str(error.detail))
        return _response(problem, dict(error.headers or {}))

    async def on_validation_error(_: Request, error: Exception) -> JSONResponse:
        return problem_response(MalformedRequest(str(error)))

    app.add_exception_handler(ServiceError, on_service_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_validation_error)


def _response(body: Problem, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse(body.model_dump(), body.status, headers, media_type=MEDIA_TYPE)
