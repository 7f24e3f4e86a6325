"""What a caller asks for, as HTTP and the queue carry it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sg_common.analysis import AnalysisOptions, undeclared_default
from sg_common.errors import InvalidOption, MalformedRequest, ServiceError

M = TypeVar("M", bound=BaseModel)

URL_PATTERN = r"^https://([A-Za-z0-9.-]+)(?::([0-9]{1,5}))?(/[!-\"$->@-\[\]-~]*)?(\?[!-\"$-~]*)?(?:#[!-~]*)?$"
"""Host, port, path and query. Whatever a library could read in another way than the allow-list's check does is left
out: credentials, backslashes, IPv6, what is not percent-encoded."""


class AskedOptions(AnalysisOptions):
    """What a caller of HTTP may choose."""

    peer: bool = Field(
        default=False,
        strict=True,
        description="ask the other service too; answers {audio, video}, each a report or a problem document",
        json_schema_extra=undeclared_default,
    )

    def options(self) -> AnalysisOptions:
        """Those of the analysis itself."""
        return AnalysisOptions.model_validate(
            self.model_dump(include=set(AnalysisOptions.model_fields), exclude_unset=True)
        )

    def chosen(self) -> dict[str, Any]:
        """Those that the caller has set."""
        return self.model_dump(include=set(AskedOptions.model_fields), exclude_unset=True)


class S3Request(AskedOptions):
    """A request to judge one S3 object: the JSON body."""

    s3_bucket: str = Field(min_length=1, max_length=255)
    s3_key: str = Field(min_length=1, max_length=1024, examples=["uploads/u1/clip.mp4"])


class UrlRequest(AskedOptions):
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


def read_asked(values: Mapping[str, str]) -> AskedOptions:
    """Read options that came as text: in a query, in a form or on a command line.

    Raises:
        InvalidOption: one is unknown or cannot have that value.
    """
    # Other spellings of a truth that pydantic would take are in no description of the API.
    truths: dict[str, object] = {"true": True, "false": False}
    given = {name: truths.get(value.lower(), value) if name == "peer" else value for name, value in values.items()}
    try:
        return AskedOptions.model_validate(given)
    except ValidationError as error:
        raise _failure(error) from error


def unknown_option(name: str) -> InvalidOption:
    return InvalidOption(f"{name[:100]}: no such option; there are {', '.join(AskedOptions.model_fields)}")


def _failure(error: ValidationError) -> ServiceError:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return unknown_option(place)
    failure = InvalidOption if place in AskedOptions.model_fields else MalformedRequest
    return failure(f"{place or 'the body'}: {first['msg']}")
