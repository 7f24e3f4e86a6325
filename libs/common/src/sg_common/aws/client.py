"""Clients of AWS, made in one way, and their failures, translated in one place."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError, ParamValidationError

from sg_common.errors import (
    Forbidden,
    MalformedRequest,
    NotFound,
    QueueUnavailable,
    ServiceError,
    SettingsError,
    StorageUnavailable,
)

log = logging.getLogger(__name__)

_REFUSALS: dict[type[ServiceError], tuple[str, set[str]]] = {
    NotFound: ("{} does not exist", {"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "404", "NotFound"}),
    Forbidden: (
        "the store denies this service access to {}, or it is archived and has to be restored first",
        {"AccessDenied", "403", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled"}
        | {"InvalidObjectState"},
    ),
    MalformedRequest: (
        "{}: the store refuses the name",
        {"InvalidBucketName", "KeyTooLongError", "NoSuchUpload", "InvalidArgument"},
    ),
}


def make_client(service: str, *, read_timeout: float = 30, attempts: int = 3) -> Any:
    """An AWS client from AWS's standard variables, with short time-outs and a few retries.

    Raises:
        SettingsError: the variables cannot work: no region, an endpoint that is no address, an unknown profile.
    """
    # A store at an endpoint of its own (SeaweedFS, a Compose service) has no DNS name for every bucket.
    own_endpoint = any(os.environ.get(name) for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"))
    config = Config(
        s3={"addressing_style": "path" if own_endpoint else "auto"},
        connect_timeout=5,
        read_timeout=read_timeout,
        retries={"mode": "standard", "max_attempts": attempts},
        max_pool_connections=32,
    )
    try:
        # A session of its own: the default one is shared state, and not safe to use from several threads.
        # The SDK reads AWS_DEFAULT_REGION only, while every other AWS tool reads AWS_REGION first.
        session = boto3.session.Session(region_name=os.environ.get("AWS_REGION") or None)
        return session.client(service, config=config)
    except NoRegionError as error:
        raise SettingsError(f"AWS_REGION: a client of {service} needs a region") from error
    except (BotoCoreError, ValueError) as error:
        raise SettingsError(f"AWS's own variables make no client of {service}: {error}") from error


def failure_code(error: BaseException) -> str:
    """AWS's word for a failed call; empty where there was no answer."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


@contextmanager
def storage_errors(subject: str) -> Iterator[None]:
    """Turn S3's failures into the service's.

    Raises:
        NotFound, Forbidden, MalformedRequest: as the store says of `subject`.
        StorageUnavailable: it did not answer.
    """
    try:
        yield
    except ParamValidationError as error:
        raise MalformedRequest(f"{subject}: not a valid bucket or key name") from error
    except (ClientError, BotoCoreError, OSError, ValueError) as error:
        code = failure_code(error)
        for failure, (sentence, codes) in _REFUSALS.items():
            if code in codes:
                raise failure(sentence.format(subject)) from error
        cause = code or type(error).__name__
        log.warning("storage failed", extra={"subject": subject, "cause": cause, "detail": str(error)})
        raise StorageUnavailable(f"the store did not answer for {subject} ({cause}); try again") from error


@contextmanager
def queue_errors(
    service: str, operation: str, on_error: Callable[[str], None], harmless: Collection[str] = ()
) -> Iterator[None]:
    """Turn the failures of SQS and Step Functions into the service's.

    Args:
        on_error: told the operation's name.
        harmless: codes that are no failure.

    Raises:
        QueueUnavailable: the service did not answer, or refused.
    """
    try:
        yield
    except (ClientError, BotoCoreError, OSError) as error:
        code = failure_code(error)
        cause = code or type(error).__name__
        if code in harmless:
            log.info("a call came too late", extra={"operation": operation, "cause": cause})
            return
        on_error(operation)
        log.warning("%s failed", service, extra={"operation": operation, "cause": cause})
        raise QueueUnavailable(f"{service} did not answer ({cause})", code_of_store=code) from error
