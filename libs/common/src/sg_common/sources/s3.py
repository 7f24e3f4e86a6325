"""Objects of an S3-compatible store, within an allow-list."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from sg_common.analysis import Job
from sg_common.errors import (
    Forbidden,
    LimitExceeded,
    MalformedRequest,
    NotFound,
    ServiceError,
    StorageUnavailable,
    Unavailable,
)

log = logging.getLogger(__name__)

BLOCK = 1 << 20
_NOT_FOUND = {"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "404", "NotFound"}
_DENIED = {"AccessDenied", "403", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled"}
_UNREADABLE = {"InvalidObjectState"}


@dataclass(frozen=True)
class S3Object:
    """One object, or one version of it."""

    bucket: str
    key: str
    version_id: str | None = None

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class S3Version:
    """What an object held when it was looked at.

    Attributes:
        identity: the version id where the bucket keeps versions, else the ETag: it changes with every upload.
    """

    target: S3Object
    etag: str
    size: int

    @property
    def identity(self) -> str:
        versioned = self.target.version_id not in (None, "null")
        return str(self.target.version_id) if versioned else self.etag


@dataclass(frozen=True)
class AllowList:
    """Which objects may be read: entries are a bucket, or a bucket with a key prefix that ends at a slash."""

    entries: tuple[str, ...]

    def check(self, target: S3Object) -> None:
        """Raise `Forbidden` unless an entry covers the object."""
        if not self.entries:
            raise Forbidden("reading from S3 is off here; the operator allows buckets with SG_S3_ALLOW")
        if any(segment in (".", "..") for segment in target.key.split("/")):
            raise Forbidden("keys with '.' or '..' segments are not read")
        for entry in self.entries:
            bucket, _, prefix = entry.partition("/")
            folder = prefix.rstrip("/") + "/" if prefix else ""
            if target.bucket == bucket and target.key.startswith(folder):
                return
        raise Forbidden(f"{target} is outside the buckets and prefixes that SG_S3_ALLOW lists")


def make_client(service: str, *, read_timeout: float = 30, attempts: int = 3) -> Any:
    """An AWS client from AWS's standard variables, with short time-outs and a few retries."""
    # A store at an endpoint of its own (SeaweedFS, a Compose service) has no DNS name for every bucket.
    own_endpoint = any(os.environ.get(name) for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"))
    config = Config(
        s3={"addressing_style": "path" if own_endpoint else "auto"},
        connect_timeout=5,
        read_timeout=read_timeout,
        retries={"mode": "standard", "max_attempts": attempts},
        max_pool_connections=32,
    )
    # A session of its own: the default one is shared state, and not safe to use from several threads.
    # The SDK reads AWS_DEFAULT_REGION only, while every other AWS tool reads AWS_REGION first.
    session = boto3.session.Session(region_name=os.environ.get("AWS_REGION") or None)
    return session.client(service, config=config)


class S3Source:
    """Downloads allowed objects into local files.

    Args:
        client: makes the S3 client at first use, so that a service without S3 needs no region or credentials.
    """

    def __init__(self, allow: AllowList, max_bytes: int, client: Callable[[], Any] = lambda: make_client("s3")) -> None:
        self._allow = allow
        self._max_bytes = max_bytes
        self._make_client = client
        self._client: Any = None

    @property
    def client(self) -> Any:
        if self._client is None:
            with translated_errors("S3"):
                self._client = self._make_client()
        return self._client

    def stat(self, target: S3Object) -> S3Version:
        """Which version of the object is there now; `fetch` then reads exactly that one.

        Raises:
            Forbidden, NotFound, StorageUnavailable: as their sentences say.
        """
        self._allow.check(target)
        with translated_errors(str(target)):
            answer = self.client.head_object(Bucket=target.bucket, Key=target.key, **_version(target))
        found = S3Object(target.bucket, target.key, answer.get("VersionId") or target.version_id)
        return S3Version(found, answer["ETag"].strip('"'), answer["ContentLength"])

    def fetch(self, target: S3Object, path: Path, job: Job, *, etag: str | None = None) -> None:
        """Write the object to `path`.

        Args:
            etag: read the object only while it has this ETag; a change is a `StorageUnavailable`, worth a retry.

        Raises:
            Forbidden, NotFound, LimitExceeded, StorageUnavailable: as their sentences say.
        """
        self._allow.check(target)
        version = _version(target)
        if etag is not None:
            version["IfMatch"] = etag
        with translated_errors(str(target)):
            answer = self.client.get_object(Bucket=target.bucket, Key=target.key, **version)
            with closing(answer["Body"]) as body:
                if answer["ContentLength"] > self._max_bytes:
                    raise LimitExceeded(
                        f"{target} has {answer['ContentLength']:,} bytes; the limit is {self._max_bytes:,}"
                    )
                with path.open("wb") as file:
                    for block in body.iter_chunks(BLOCK):
                        job.check()
                        file.write(block)


def _version(target: S3Object) -> dict[str, str]:
    return {"VersionId": target.version_id} if target.version_id else {}


@contextmanager
def translated_errors(subject: str) -> Iterator[None]:
    """Turn the SDK's failures into the service's."""
    try:
        yield
    except ServiceError:
        raise
    except ParamValidationError as error:
        raise MalformedRequest(f"{subject}: not a valid bucket or key name") from error
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _NOT_FOUND:
            raise NotFound(f"{subject} does not exist") from error
        if code in _DENIED:
            raise Forbidden(f"the store denies this service access to {subject}") from error
        if code in _UNREADABLE:
            raise Forbidden(f"{subject} is archived; restore it first") from error
        if code in ("InvalidBucketName", "KeyTooLongError", "NoSuchUpload", "InvalidArgument"):
            raise MalformedRequest(f"{subject}: the store refuses the name ({code})") from error
        log.warning("storage failed", extra={"subject": subject, "cause": code})
        raise StorageUnavailable(f"the store did not answer for {subject} ({code}); try again") from error
    except (BotoCoreError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise Unavailable("the work folder is full; try again later") from error
        log.warning("storage failed", extra={"subject": subject, "cause": type(error).__name__, "detail": str(error)})
        raise StorageUnavailable(
            f"the store did not answer for {subject} ({type(error).__name__}); try again"
        ) from error
