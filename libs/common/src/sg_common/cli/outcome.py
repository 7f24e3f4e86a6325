"""What analyzers said of a file, for those who print it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from sg_common.analysis import Report
from sg_common.errors import ServiceError

Outcomes: TypeAlias = Mapping[str, Report | ServiceError]
"""What each analyzer said of one file, by kind."""


def problem(error: ServiceError) -> dict[str, object]:
    """A failure as part of a document."""
    return {"code": error.code, "status": error.status, "detail": error.detail}
