"""What becomes of a failed analysis beside its answer: a count, a log record, a problem to tell."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sg_common.errors import Cancelled, ServiceError, UnexpectedFailure
from sg_common.observability import Metrics

log = logging.getLogger(__name__)


@contextmanager
def counted(metrics: Metrics) -> Iterator[None]:
    """Count and log a failure on its way."""
    try:
        yield
    except BaseException as error:
        match error:
            case ServiceError():
                code = error.code
                log.info("not analysed", extra={"code": error.code, "detail": error.detail})
            case Exception():
                code = UnexpectedFailure.code
            case _:
                code = Cancelled.code
        metrics.analyses.labels(code).inc()
        raise


def as_failure(error: Exception) -> ServiceError:
    """What to tell of a failure where no answer of its own can carry it; a bug is logged."""
    if isinstance(error, ServiceError):
        return error
    log.error("unexpected failure", exc_info=error)
    return UnexpectedFailure(error)
