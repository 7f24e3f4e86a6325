"""The parts of an answer that are words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from sg_common.words.languages import Language
from sg_common.words.phrases import Finding


class Reason(BaseModel):
    """One reason for a verdict."""

    model_config = ConfigDict(frozen=True)

    code: str = Field(description="what programs know it by; docs/verdicts.md lists them", examples=["cut_off"])
    text: str = Field(description="a sentence for a person")


class Words(BaseModel):
    """An answer in one language."""

    model_config = ConfigDict(frozen=True)

    summary: str = Field(description="the answer in one sentence for a person")
    reasons: tuple[Reason, ...] = Field(
        description="what was found and where, how sure that is, what it can't tell, and what to do next"
    )
    message: str | None = Field(description="what was missing for a full answer and what to do about it, or null")

    @classmethod
    def of(cls, summary: Finding, reasons: Iterable[Finding], limits: Iterable[Finding], language: Language) -> Self:
        """The findings in that language; `limits` are those of the reasons that make the message."""
        return cls(
            summary=summary.text(language),
            reasons=tuple(Reason(code=finding.code, text=finding.text(language)) for finding in reasons),
            message=" ".join(finding.text(language) for finding in limits) or None,
        )
