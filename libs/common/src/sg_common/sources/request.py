"""What a caller asks for, as HTTP and the queue carry it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sg_common.analysis import AnalysisOptions
from sg_common.errors import InvalidOption, MalformedRequest, ServiceError

M = TypeVar("M", bound=BaseModel)

URL_PATTERN = r"^https://([A-Za-z0-9.-]+)(?::([0-9]{1,5}))?(/[!-\"$->@-\[\]-~]*)?(\?[!-\"$-~]*)?(?:#[!-~]*)?$"
"""Host, port, path and query. Whatever a library could read in another way than the allow-list's check does is left
out: credentials, backslashes, IPv6, what is not percent-encoded."""


class MediaRequest(AnalysisOptions):
    """Where the file lies, and the options."""

    def options(self) -> AnalysisOptions:
        return AnalysisOptions.model_validate(
            self.model_dump(include=set(AnalysisOptions.model_fields), exclude_unset=True)
        )


class S3Request(MediaRequest):
    """A request to judge one S3 object: the JSON body."""

    s3_bucket: str = Field(min_length=1, max_length=255)
    s3_key: str = Field(min_length=1, max_length=1024, examples=["uploads/u1/clip.mp4"])


class UrlRequest(MediaRequest):
    """A request to judge what an https URL leads to: the JSON body."""

    url: str = Field(
        max_length=8192,
        examples=["https://media.example/uploads/clip.mp4"],
        json_schema_extra={"pattern": URL_PATTERN},  # its reader has a better sentence than the pattern itself
    )


class S3Message(S3Request):
    """The same in a queue's message, whose other fields are ignored: senders add their own."""

    model_config = ConfigDict(extra="ignore")

    version_id: str | None = Field(default=None, max_length=1024)
    task_token: str | None = Field(default=None, max_length=4096, description="Step Functions waits for it")


def read_request(model: type[M], value: object) -> M:
    """Check a decoded JSON body; its values must have the right types.

    Raises:
        InvalidOption: an option is unknown or cannot have that value.
        MalformedRequest: anything else is wrong.
    """
    try:
        return model.model_validate(value, strict=True)
    except ValidationError as error:
        raise _failure(error) from error


def read_options(values: Mapping[str, str]) -> AnalysisOptions:
    """Read options that came as text: in a query, in a form or on a command line.

    Raises:
        InvalidOption: one is unknown or cannot have that value.
    """
    try:
        return AnalysisOptions.model_validate(values)
    except ValidationError as error:
        raise _failure(error) from error


def unknown_option(name: str) -> InvalidOption:
    return InvalidOption(f"{name[:100]}: no such option; there are {', '.join(AnalysisOptions.model_fields)}")


def _failure(error: ValidationError) -> ServiceError:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return unknown_option(place)
    failure = InvalidOption if place in AnalysisOptions.model_fields else MalformedRequest
    return failure(f"{place or 'the body'}: {first['msg']}")
