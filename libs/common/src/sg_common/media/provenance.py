"""What a media file claims of its own making, read in a child process."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sg_decoder.limits import DecodeLimits

from sg_common.analysis import Job
from sg_common.errors import Cancelled, DeadlineExceeded, ServiceError
from sg_common.media.process import DecoderProcess
from sg_common.provenance import ContentCredentials, CredentialChecks, Declaration, Provenance

log = logging.getLogger(__name__)

CPU_SECONDS = 60
STALL_SECONDS = 20.0
MEMORY_BYTES = 384 * 1024**2
"""Address space beside what is hashed; most of it is mapped and never touched."""


def read_provenance(
    path: Path, claims: dict[str, Any], *, checks: CredentialChecks, limits: DecodeLimits, job: Job
) -> Provenance | None:
    """What the file claims, its content credentials read and checked. A failure to do so is no failure of the analysis:
    it is logged.

    Args:
        path: a local file.
        claims: of its reader.
        checks: how its content credentials are checked.
        limits: what a decoder child may use; the one that reads credentials gets less.
        job: where that child comes from; its deadline and cancellation end it.

    Returns:
        What could be read; None where nothing could.

    Raises:
        Cancelled, DeadlineExceeded: from the job.
    """
    try:
        declared = tuple(Declaration.model_validate(entry) for entry in claims["declared"])
        present = bool(claims["credentials"])
    except (KeyError, TypeError, ValidationError):
        log.warning("provenance: the file's tags could not be read")
        return None
    said = _credentials(path, checks, limits, job) if present else {}
    return Provenance(c2pa=ContentCredentials(**{**said, "present": present}), declared=declared)


def _credentials(path: Path, checks: CredentialChecks, limits: DecodeLimits, job: Job) -> dict[str, Any]:
    """What they say; empty where that can't be read."""
    anchors = None if checks.anchors is None else str(checks.anchors.absolute())
    request = {"kind": "credentials", "anchors": anchors, "hashed_bytes": checks.max_bytes}
    limits = replace(
        limits,
        memory_bytes=min(limits.memory_bytes, MEMORY_BYTES + checks.max_bytes),
        cpu_seconds=min(limits.cpu_seconds, CPU_SECONDS),
        stall_seconds=min(limits.stall_seconds, STALL_SECONDS),
    )
    try:
        with DecoderProcess(path, request, limits=limits, job=job, max_payload=0) as child:
            header, _ = child.receive()
        return ContentCredentials.model_validate({**header, "present": True}).model_dump()
    except (Cancelled, DeadlineExceeded):
        raise
    except (ServiceError, ValidationError) as error:
        log.warning("provenance: the file's content credentials could not be read: %s", error)
        return {}
