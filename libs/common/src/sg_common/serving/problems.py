"""Failures as HTTP answers: problem documents, and their description for OpenAPI."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.routing import Match

from sg_common.errors import EncodedBody, MalformedRequest, ServiceError, Unauthorized
from sg_common.problem import MEDIA_TYPE, Problem

_SCHEMAS = "#/components/schemas/{model}"


def problem_response(error: ServiceError) -> JSONResponse:
    """The answer for a failure, with `Retry-After` where a retry makes sense."""
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if error.ends_connection:
        headers["Connection"] = "close"
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, EncodedBody):
        headers["Accept-Encoding"] = "identity"
    return _response(Problem.of(error), headers)


def described(*failures: type[ServiceError]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's description of these failures' answers, by status."""
    titles: dict[int | str, list[str]] = {}
    for failure in failures:
        title = failure.title + ("; carries Retry-After" if failure.default_retry_after else "")
        titles.setdefault(failure.status, []).append(title)
    content = {MEDIA_TYPE: {"schema": reference(Problem)}}
    return {status: {"description": ", or: ".join(said), "content": content} for status, said in titles.items()}


def reference(model: type[BaseModel]) -> dict[str, str]:
    """A schema that stands for a model which `name_models` has named."""
    return {"$ref": _SCHEMAS.format(model=model.__name__)}


def name_models(app: FastAPI, *models: type[BaseModel]) -> None:
    """Give models a place in the application's description, beside those that FastAPI finds by itself."""
    describe = app.openapi
    _, definitions = models_json_schema([(model, "validation") for model in models], ref_template=_SCHEMAS)

    def openapi() -> dict[str, Any]:
        description = describe()
        description.setdefault("components", {}).setdefault("schemas", {}).update(definitions["$defs"])
        return description

    app.openapi = openapi  # type: ignore[method-assign]


def install_problem_handlers(app: FastAPI) -> None:
    """Make every expected failure of the application a problem document."""

    async def on_service_error(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ServiceError)  # noqa: S101 - registered for this type only
        return problem_response(error)

    async def on_http_exception(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type only
        phrase = HTTPStatus(error.status_code).phrase
        code = phrase.lower().replace(" ", "-")
        problem = Problem.coded(code, phrase, error.status_code, str(error.detail))
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            # Starlette names the methods of the first route of this path, and there may be others.
            headers["Allow"] = ", ".join(sorted(_methods(request)))
        return _response(problem, headers)

    async def on_validation_error(_: Request, error: Exception) -> JSONResponse:
        return problem_response(MalformedRequest(str(error)))

    app.add_exception_handler(ServiceError, on_service_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_validation_error)


def _methods(request: Request) -> set[str]:
    """What the application's routes take at the path of a request."""
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in routes for method in getattr(route, "methods", None) or ()}


def _response(body: Problem, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse(body.model_dump(), body.status, headers, media_type=MEDIA_TYPE)
