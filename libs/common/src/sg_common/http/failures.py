"""What is told of a failed analysis where no answer of its own can carry the failure."""

from __future__ import annotations

import logging

from sg_common.errors import ServiceError, UnexpectedFailure

log = logging.getLogger(__name__)


def as_failure(error: Exception) -> ServiceError:
    """What to tell; a bug is logged."""
    if isinstance(error, ServiceError):
        return error
    log.error("unexpected failure", exc_info=error)
    return UnexpectedFailure.of(error)
