"""What a file claims of its own making. None of it changes a score or a verdict: anyone can write a tag, anyone can
sign, and what is missing proves nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from sg_decoder.claims import is_ai


@dataclass(frozen=True)
class CredentialChecks:
    """How content credentials are checked.

    Attributes:
        anchors: PEM file of the certificates that are trusted; None for none.
        max_bytes: the largest file whose signature and hashes are checked, which takes as much memory.
    """

    anchors: Path | None = None
    max_bytes: int = 128 * 1024**2


class ContentCredentials(BaseModel):
    """C2PA content credentials; a field is null where it is not known."""

    model_config = ConfigDict(frozen=True)

    present: bool = Field(description="whether the file holds a manifest; one kept elsewhere is not looked for")
    valid: bool | None = Field(
        default=None, description="whether signature and hashes hold: the file is as it was when it was signed"
    )
    trusted: bool | None = Field(
        default=None, description="whether the signer's certificate ends at one of `SG_C2PA_ANCHORS`"
    )
    signer: str | None = Field(default=None, description="the name on the certificate; anyone can choose it")
    ai_generated: bool | None = Field(
        default=None, description="whether the manifest says that generative AI made the file or a part of it"
    )


class Declaration(BaseModel):
    """Something that a tag of the file says."""

    model_config = ConfigDict(frozen=True)

    source: str = Field(description="digital_source_type, aigc_label, generator or encoder")
    text: str

    @property
    def says_ai(self) -> bool:
        return is_ai(self.source, self.text)


class Provenance(BaseModel):
    """What the file itself claims."""

    model_config = ConfigDict(frozen=True)

    c2pa: ContentCredentials
    declared: tuple[Declaration, ...] = Field(description="what its tags say; an encoder alone says nothing of AI")
