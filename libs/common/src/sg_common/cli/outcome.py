"""What an analyzer said of a file, for those who print it."""

from __future__ import annotations

from dataclasses import dataclass

from sg_common.analysis import Report
from sg_common.errors import ServiceError


@dataclass(frozen=True)
class Outcome:
    """What one analyzer said of one file: a report or a failure."""

    kind: str
    report: Report | None
    error: ServiceError | None


def problem(error: ServiceError) -> dict[str, object]:
    """A failure as part of a document."""
    return {"code": error.code, "status": error.status, "detail": error.detail}
