"""What is said of a file's own claims: how strong each is, and that neither it nor its absence is a proof."""

from __future__ import annotations

from functools import partial

from sg_decoder.claims import AIGC_LABEL

from sg_common.provenance import ContentCredentials, Declaration, Provenance
from sg_common.verdict import Verdict
from sg_common.words.phrases import Finding, Phrase

# `make words` finds phrases by these names: `said` are no reasons of their own.
reason = partial(Phrase, "sg_common")
said = partial(Phrase, "sg_common", "")

LONGEST_TAG = 80

DECLARED_AI_TRUSTED = reason(
    "declared_ai_trusted",
    "Made by AI, says a signature that is trusted here: “{signer}” signed that generative AI made this file or a part "
    "of it, and the file was not changed since.",
)
DECLARED_AI_SIGNED = reason(
    "declared_ai_signed",
    "Made by AI, says a signature in the name of “{signer}”: generative AI made this file or a part of it. "
    "Anyone can sign in any name, so this is a claim.",
)
DECLARED_AI = reason(
    "declared_ai",
    "Made by AI, says a mark in the file (“{mark}”). Anyone can write or remove such a mark, so this is a claim.",
)
LABEL = said("the label that China demands of generated content")
CREDENTIALS_UNCHECKED = said("content credentials, unchecked")
CREDENTIALS_CHANGED = said("content credentials that do not hold")
CREDENTIALS_BROKEN = reason(
    "credentials_broken",
    "The file's content credentials do not hold: the file or they were changed since it was signed. "
    "Honest editing does that too.",
)
CREDENTIALS_HOLD = reason(
    "credentials_hold",
    "The file is as it was when it was signed in the name of “{signer}”. Anyone can sign in any name; "
    "that says nothing of whether its content is true, and changed nothing in the score.",
)
CREDENTIALS_TRUSTED = reason(
    "credentials_trusted",
    "The file is as it was when “{signer}”, whose certificate is trusted here, signed it. That says nothing of whether "
    "its content is true, and changed nothing in the score.",
)
NO_AI_DECLARED = reason(
    "no_ai_declared",
    "No mark in the file says that AI made it, which proves nothing: marks are easily removed, "
    "and many fakes never had one.",
)
NOBODY = said("an unnamed signer")


def claims(provenance: Provenance | None, verdict: Verdict) -> list[Finding]:
    """What the file claims of its own making, the strongest first."""
    if provenance is None:
        return []
    credentials = provenance.c2pa
    found = [] if credentials.valid is None else [_signed(credentials)]
    marks = [_mark(entry) for entry in provenance.declared if entry.says_ai]
    if credentials.ai_generated and not credentials.valid:
        marks.append(CREDENTIALS_UNCHECKED() if credentials.valid is None else CREDENTIALS_CHANGED())
    found += [DECLARED_AI(mark=mark) for mark in marks[:1]]
    if not (marks or credentials.ai_generated) and verdict is Verdict.LIKELY_AUTHENTIC:
        found.append(NO_AI_DECLARED())
    return found


def _mark(entry: Declaration) -> str | Finding:
    return LABEL() if entry.source == AIGC_LABEL else entry.text[:LONGEST_TAG]


def _signed(credentials: ContentCredentials) -> Finding:
    if not credentials.valid:
        return CREDENTIALS_BROKEN()
    signer = credentials.signer or NOBODY()
    if credentials.ai_generated:
        return (DECLARED_AI_TRUSTED if credentials.trusted else DECLARED_AI_SIGNED)(signer=signer)
    return (CREDENTIALS_TRUSTED if credentials.trusted else CREDENTIALS_HOLD)(signer=signer)
