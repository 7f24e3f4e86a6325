"""What a media file claims of its own making, read in a child process."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sg_decoder import protocol
from sg_decoder.limits import DecodeLimits

from sg_common.analysis import Job
from sg_common.errors import Cancelled, DeadlineExceeded, ServiceError
from sg_common.media.process import DecoderProcess
from sg_common.provenance import CredentialChecks, Provenance

log = logging.getLogger(__name__)

CPU_SECONDS = 60
STALL_SECONDS = 20.0
MEMORY_BYTES = 384 * 1024**2
"""Address space beside what is hashed; most of it is mapped and never touched."""


def read_provenance(path: Path, *, checks: CredentialChecks, limits: DecodeLimits, job: Job) -> Provenance | None:
    """Read content credentials and tags. A failure to do so is no failure of the analysis: it is logged.

    Args:
        path: a local file.
        checks: how its content credentials are checked.
        limits: what a decoder child may use; this one gets less.
        job: where the child comes from; its deadline and cancellation end it.

    Returns:
        What could be read; None where nothing could.

    Raises:
        Cancelled, DeadlineExceeded: from the job.
    """
    anchors = None if checks.anchors is None else str(checks.anchors.absolute())
    request = {"kind": "provenance", "anchors": anchors, "hashed_bytes": checks.max_bytes}
    limits = replace(
        limits,
        memory_bytes=min(limits.memory_bytes, MEMORY_BYTES + checks.max_bytes),
        cpu_seconds=min(limits.cpu_seconds, CPU_SECONDS),
        stall_seconds=min(limits.stall_seconds, STALL_SECONDS),
    )
    found: dict[str, Any] | None = None
    try:
        with DecoderProcess(path, request, limits=limits, job=job, max_payload=0) as child:
            tags, _ = child.receive()
            found = {"c2pa": {"present": tags.get("credentials")}, "declared": tags.get("declared")}
            said, _ = child.receive()
            if said["type"] == protocol.SUMMARY:
                found["c2pa"] |= said
    except (Cancelled, DeadlineExceeded):
        raise
    except ServiceError as error:
        log.warning("provenance: %s", error.detail, extra={"content_credentials": found is not None})
    try:
        return None if found is None else Provenance.model_validate(found)
    except ValidationError as error:
        log.warning("provenance: the child's answer makes no sense: %s", error)
        return None
