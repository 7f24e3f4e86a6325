"""What OpenAPI says of `POST /analyze` beyond its report."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from sg_common.errors import Cancelled, QueueUnavailable, UnexpectedFailure, failures
from sg_common.http.preferences import EVENTS, RESPOND_ASYNC
from sg_common.jobs import JobDocument, StageProgress
from sg_common.serving.problems import reference
from sg_common.sources.request import AskedOptions, S3Request, UrlRequest

FAILURES = [kind for kind in failures() if kind not in (Cancelled, QueueUnavailable, UnexpectedFailure)]
"""What a caller may be answered instead of a report; anything else is a bug."""


def _as_text(schema: dict[str, Any]) -> None:
    """An option that comes as text is left out where it is not chosen: there is no text for null."""
    variants = [entry for entry in schema.pop("anyOf", []) if entry.get("type") != "null"]
    schema.update(*variants)


def _options_as_text(schema: dict[str, Any]) -> None:
    for name in AskedOptions.model_fields:
        _as_text(schema["properties"][name])


class AnalyzeForm(AskedOptions):
    """A form with the file and the options."""

    model_config = ConfigDict(json_schema_extra=_options_as_text)

    file: bytes = Field(description="the media file")


def _parameters() -> list[dict[str, Any]]:
    properties = AskedOptions.model_json_schema()["properties"]
    for schema in properties.values():
        _as_text(schema)
    return [
        {"name": name, "in": "query", "required": False, "description": schema.pop("description"), "schema": schema}
        for name, schema in properties.items()
    ]


MODELS: tuple[type[BaseModel], ...] = (AnalyzeForm, S3Request, UrlRequest, StageProgress)
"""What the description refers to by name."""


_PREFER = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": f"'{RESPOND_ASYNC}' asks for a job: 202 at once, the report later",
    "schema": {"type": "string"},
    "example": RESPOND_ASYNC,
}


def answers(job: type[JobDocument[Any]] | None) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's description of what is answered but failures and the plain report.

    Args:
        job: the class of the documents of jobs, where there are any.
    """
    events = (
        "To `Accept: text/event-stream`: events `progress` (a StageProgress), then one `result` (the report) or "
        "`problem` (a Problem); with `peer`, one of each service, which their `service` names."
    )
    described: dict[int | str, dict[str, Any]] = {
        200: {"description": f"The report. {events}", "content": {EVENTS: {"schema": {"type": "string"}}}}
    }
    if job is not None:
        headers = {
            "Location": {"description": "where the job is", "schema": {"type": "string"}},
            "Preference-Applied": {"schema": {"type": "string"}},
            "Retry-After": {"schema": {"type": "integer"}},
        }
        described[202] = {"description": "The job that the request has become", "model": job, "headers": headers}
    return described


def security(*, keys: bool) -> dict[str, Any]:
    """Where callers need no key, the description says so.

    Args:
        keys: whether callers need one.
    """
    return {} if keys else {"security": [{}]}


def operation(*, keys: bool, jobs: bool) -> dict[str, Any]:
    """The parts of the operation that FastAPI can't tell from the route.

    Args:
        keys: whether callers need one.
        jobs: whether they may ask for a job.
    """
    body = {
        "required": True,
        "description": "A form, JSON that names an S3 object or a URL, or the media file itself under any other type.",
        "content": {
            "multipart/form-data": {"schema": reference(AnalyzeForm)},
            "application/json": {"schema": {"oneOf": [reference(S3Request), reference(UrlRequest)]}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary", "minLength": 1}},
        },
    }
    parameters = _parameters() + ([_PREFER] if jobs else [])
    return {"requestBody": body, "parameters": parameters, **security(keys=keys)}
