"""Answers as reports of the class that their service's package registers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from sg_common.analysis import Report
from sg_common.service import installed_services


class AnyReport(Report):
    """A report of a service whose package is not installed here, or of another version: what every service answers,
    and its own evidence as it came."""

    model_config = ConfigDict(frozen=True, extra="allow")

    score_field: ClassVar[str] = "score"

    score: float = Field(ge=0, le=1, validation_alias="probability", exclude=True)

    @model_validator(mode="after")
    def _once(self) -> Self:
        # What every report computes is no evidence of its own.
        for name in type(self).model_computed_fields:
            (self.model_extra or {}).pop(name, None)
        return self


@lru_cache(maxsize=1)
def _registered() -> tuple[type[Report], ...]:
    return tuple(service.report for service in installed_services())


def read_report(document: Any, wanted: type[Report] | None) -> Report:
    """A report of the wanted class; without one, of the registered class whose score the document has.

    Raises:
        ValidationError: it is no such report.
    """
    if wanted is not None:
        return wanted.model_validate(document)
    for report in _registered():
        if isinstance(document, dict) and report.score_field in document:
            try:
                return report.model_validate(document)
            except ValidationError:  # of another version
                break
    return AnyReport.model_validate(document)
