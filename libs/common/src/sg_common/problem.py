"""A failure as a problem document (RFC 9457), in HTTP's answers and in results."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field

from sg_common.errors import MalformedRequest, ServiceError, UnexpectedFailure, failures
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


def failure_of(problem: Problem, retry_after: int | None = None) -> ServiceError:
    """The failure that a problem document tells of, of the class that its code has in `sg_common.errors`."""
    kinds = list(failures())
    alike = [kind for kind in kinds if kind.code == problem.code] or [
        kind for kind in kinds if kind.status == problem.status
    ]
    other: type[ServiceError] = MalformedRequest if 400 <= problem.status < 500 else UnexpectedFailure
    error = (alike[0] if alike else other)(problem.detail, retry_after=retry_after)
    if problem.request_id:
        error.add_note(f"request id {problem.request_id}")
    return error
