"""What a caller asks for, as HTTP and the queue carry it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sg_common.analysis import AnalysisOptions
from sg_common.errors import InvalidOption, MalformedRequest

M = TypeVar("M", bound=BaseModel)

_OUT_OF_RANGE = {"greater_than_equal", "less_than_equal"}


class S3Request(AnalysisOptions):
    """A request to judge one S3 object: the JSON body. Fields that are not known are ignored."""

    model_config = ConfigDict(extra="ignore")

    s3_bucket: str = Field(min_length=1, max_length=255)
    s3_key: str = Field(min_length=1, max_length=1024, examples=["uploads/u1/clip.mp4"])

    def options(self) -> AnalysisOptions:
        return AnalysisOptions.model_validate(self.model_dump(include=set(AnalysisOptions.model_fields)))


class S3Message(S3Request):
    """The same in a queue's message."""

    version_id: str | None = Field(default=None, max_length=1024)
    task_token: str | None = Field(default=None, max_length=4096, description="Step Functions waits for it")


def read_request(model: type[M], value: object) -> M:
    """Check a decoded JSON body; its values must have the right types.

    Raises:
        InvalidOption: an option is out of range.
        MalformedRequest: anything else is wrong.
    """
    try:
        return model.model_validate(value, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        failure = InvalidOption if first["type"] in _OUT_OF_RANGE else MalformedRequest
        raise failure(f"{'.'.join(map(str, first['loc'])) or 'the body'}: {first['msg']}") from error


def read_options(values: Mapping[str, str]) -> AnalysisOptions:
    """Read options that came as text, in a form or on a command line.

    Raises:
        InvalidOption: one is out of range.
    """
    try:
        return AnalysisOptions.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidOption(f"{first['loc'][0]}: {first['msg']}") from error
