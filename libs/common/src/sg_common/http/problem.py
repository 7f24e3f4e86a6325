"""Failures as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from sg_common.errors import MalformedRequest, ServiceError
from sg_common.observability import request_id

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:silver-guardian:problem:"


class Problem(BaseModel):
    """A problem document; `detail` says what the caller can do."""

    type: str = Field(examples=[TYPE_PREFIX + "not-media"])
    title: str
    status: int
    detail: str
    request_id: str | None


def problem_document(error: ServiceError) -> Problem:
    """The document for a failure."""
    return _document(error.status, error.code, error.title, error.detail)


def problem_response(error: ServiceError) -> JSONResponse:
    """The answer for a failure, with `Retry-After` where a retry makes sense."""
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if error.ends_connection:
        headers["Connection"] = "close"
    return _response(problem_document(error), headers)


def install_problem_handlers(app: FastAPI) -> None:
    """Make every expected failure of the application a problem document."""

    async def on_service_error(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ServiceError)  # noqa: S101 - registered for this type only
        return problem_response(error)

    async def on_http_exception(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type only
        phrase = HTTPStatus(error.status_code).phrase
        code = phrase.lower().replace(" ", "-")
        return _response(_document(error.status_code, code, phrase, str(error.detail)), dict(error.headers or {}))

    async def on_validation_error(_: Request, error: Exception) -> JSONResponse:
        return problem_response(MalformedRequest(str(error)))

    app.add_exception_handler(ServiceError, on_service_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_validation_error)


def _document(status: int, code: str, title: str, detail: str) -> Problem:
    return Problem(type=TYPE_PREFIX + code, title=title, status=status, detail=detail, request_id=request_id.get())


def _response(body: Problem, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse(body.model_dump(), body.status, headers, media_type=MEDIA_TYPE)
