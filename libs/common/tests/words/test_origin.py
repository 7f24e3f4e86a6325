"""What is said of a file's claims: each strength in its own words, in both languages, and nothing without cause."""

from __future__ import annotations

from typing import Any

import pytest
from sg_common.provenance import ContentCredentials, Declaration, Provenance
from sg_common.verdict import Verdict
from sg_common.words import origin
from sg_common.words.phrases import Finding

from testbed.words import codes_of


def claims(*tags: tuple[str, str], verdict: Verdict = Verdict.LIKELY_DEEPFAKE, **credentials: Any) -> list[Finding]:
    c2pa = ContentCredentials.model_validate({"present": bool(credentials), **credentials})
    declared = tuple(Declaration(source=source, text=text) for source, text in tags)
    return origin.claims(Provenance(c2pa=c2pa, declared=declared), verdict)


GENERATOR = ("generator", "comment: made with suno")
ENCODER = ("encoder", "Lavf62")
SIGNED: dict[str, Any] = {"valid": True, "trusted": False, "signer": "Acme"}


CASES: list[tuple[list[Finding], list[str]]] = [
    (claims(**SIGNED, ai_generated=True), ["declared_ai_signed"]),
    (claims(**{**SIGNED, "trusted": True}, ai_generated=True), ["declared_ai_trusted"]),
    (claims(GENERATOR, ENCODER), ["declared_ai"]),
    (claims(GENERATOR, GENERATOR, **SIGNED, ai_generated=True), ["declared_ai_signed", "declared_ai"]),
    (claims(**SIGNED), ["credentials_hold"]),
    (claims(**{**SIGNED, "trusted": True}, ai_generated=False), ["credentials_trusted"]),
    (claims(valid=False, trusted=False, ai_generated=True), ["credentials_broken", "declared_ai"]),
    (claims(valid=False, trusted=False), ["credentials_broken"]),
    (claims(valid=None, ai_generated=True), ["declared_ai"]),
    (claims(valid=None), []),
    (claims(ENCODER), []),
    (claims(ENCODER, verdict=Verdict.LIKELY_AUTHENTIC), ["no_ai_declared"]),
    (claims(GENERATOR, verdict=Verdict.LIKELY_AUTHENTIC), ["declared_ai"]),
    (claims(**SIGNED, ai_generated=True, verdict=Verdict.LIKELY_AUTHENTIC), ["declared_ai_signed"]),
    (origin.claims(None, Verdict.LIKELY_AUTHENTIC), []),
]


@pytest.mark.parametrize(("found", "codes"), CASES)
def test_what_is_said(found: list[Finding], codes: list[str]) -> None:
    assert [finding.code for finding in found] == codes


def test_every_reason_has_a_case() -> None:
    assert {code for _, codes in CASES for code in codes} == codes_of(origin)


def test_who_and_what_is_named_in_both_languages() -> None:
    for found, name, english, korean in (
        (claims(**SIGNED, ai_generated=True), "Acme", "Anyone can sign", "누구나"),
        (claims(GENERATOR), "made with suno", "this is a claim", "주장"),
        (claims(("aigc_label", '{"Label": "1"}')), "", "the label that China demands", "중국"),
        (claims(valid=False, ai_generated=True)[1:], "", "that do not hold", "맞지 않는"),
        (claims(valid=True, trusted=False), "", "an unnamed signer", "이름 없는"),
    ):
        (finding,) = found
        assert name in finding.text("en")
        assert english in finding.text("en")
        assert name in finding.text("ko")
        assert korean in finding.text("ko")
