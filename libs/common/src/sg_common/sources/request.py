"""A caller's request to judge one S3 object, as HTTP and the queue carry it."""

from __future__ import annotations

from pydantic import BaseModel, Field, ValidationError

from sg_common.analysis import AnalysisOptions
from sg_common.errors import InvalidOption


class S3Request(BaseModel):
    """The JSON body."""

    s3_bucket: str = Field(min_length=1, max_length=255)
    s3_key: str = Field(min_length=1, max_length=1024)
    sample_rate: int | None = Field(default=None, description="video only: analyse exactly one frame in N")


def options_for(kind: str, sample_rate: str | int | None) -> AnalysisOptions:
    """The options that an analyzer of this kind heeds.

    Raises:
        InvalidOption: an option is out of range.
    """
    if sample_rate is None or kind != "video":
        return AnalysisOptions()
    try:
        return AnalysisOptions.model_validate({"sample_rate": sample_rate})
    except ValidationError as error:
        raise InvalidOption(f"sample_rate: {error.errors()[0]['msg']}") from error
