"""A failure as a problem document (RFC 9457), in HTTP's answers and in results."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field

from sg_common.errors import ServiceError, Unavailable, failures
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

    @classmethod
    def of(cls, error: ServiceError) -> Self:
        """The document for a failure of the running request."""
        return cls.coded(error.code, error.title, error.status, error.detail)

    @classmethod
    def coded(cls, code: str, title: str, status: int, detail: str) -> Self:
        return cls(type=TYPE_PREFIX + code, title=title, status=status, detail=detail, request_id=request_id.get())

    @property
    def code(self) -> str:
        """The failure's code, as in `ServiceError.code`."""
        return self.type.removeprefix(TYPE_PREFIX)


def failure_of(problem: Problem) -> ServiceError:
    """The failure that another service's document tells of, of the class that its code has in the tree of failures."""
    kinds = {kind.code: kind for kind in failures()}
    kind = kinds.get(problem.code, Unavailable)
    error = kind.__new__(kind)  # not all are made of a sentence where they happen
    ServiceError.__init__(error, problem.detail)
    return error
