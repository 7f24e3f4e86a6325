"""Objects of an S3-compatible store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Self

from botocore.exceptions import ClientError

from sg_common.aws.client import failure_code, make_client, storage_errors
from sg_common.backoff import jittered
from sg_common.errors import StorageUnavailable

BLOCK = 64 * 1024
"""Bytes read at a time: whoever has left must not wait long for a slow store's next block."""
_CONFLICT_ATTEMPTS = 5


@dataclass(frozen=True)
class S3Object:
    """One object, or one version of it."""

    bucket: str
    key: str
    version_id: str | None = None

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @classmethod
    def parse(cls, address: str) -> Self:
        """What `s3://BUCKET/KEY` names; the parts that it lacks are empty."""
        bucket, _, key = address.removeprefix("s3://").partition("/")
        return cls(bucket, key)


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
    def version_id(self) -> str | None:
        return None if self.target.version_id == "null" else self.target.version_id

    @property
    def identity(self) -> str:
        return self.version_id or self.etag


@dataclass(frozen=True)
class Download:
    """An object that is being read: its size in bytes, and its bytes block by block."""

    size: int
    blocks: Iterator[bytes]


class ObjectStore:
    """The store that AWS's variables name. Safe to use from several threads.

    Every method raises `NotFound`, `Forbidden`, `MalformedRequest` and `StorageUnavailable` as their sentences say.
    """

    @cached_property
    def client(self) -> Any:
        """The S3 client, made at first use: a service without S3 needs no credentials."""
        return make_client("s3")

    def stat(self, target: S3Object) -> S3Version:
        """Which version of the object is there now."""
        with storage_errors(str(target)):
            answer = self.client.head_object(Bucket=target.bucket, Key=target.key, **_version(target))
        found = S3Object(target.bucket, target.key, answer.get("VersionId") or target.version_id)
        return S3Version(found, answer["ETag"].strip('"'), answer["ContentLength"])

    def keys(self, bucket: str, prefix: str) -> Iterator[tuple[str, datetime]]:
        """The keys that begin so, in their order, and when each was written."""
        with storage_errors(f"s3://{bucket}/{prefix}"):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for entry in page.get("Contents", []):
                    yield entry["Key"], entry["LastModified"]

    @contextmanager
    def open(self, target: S3Object, etag: str | None = None) -> Iterator[Download]:
        """Read an object.

        Args:
            etag: read it only while it has this ETag; a change is a `StorageUnavailable`, worth a retry.
        """
        condition = {} if etag is None else {"IfMatch": etag}
        with storage_errors(str(target)):
            answer = self.client.get_object(Bucket=target.bucket, Key=target.key, **_version(target), **condition)
        with closing(answer["Body"]) as body:
            yield Download(answer["ContentLength"], _blocks(str(target), body))

    def put_new(self, target: S3Object, body: bytes, content_type: str) -> bool:
        """Write an object unless there is one; whether this call wrote it."""
        for _ in range(_CONFLICT_ATTEMPTS):
            with storage_errors(str(target)):
                try:
                    self.client.put_object(
                        Bucket=target.bucket, Key=target.key, Body=body, ContentType=content_type, IfNoneMatch="*"
                    )
                except ClientError as error:
                    match failure_code(error):
                        case "PreconditionFailed" | "412":
                            return False
                        case "ConditionalRequestConflict" | "409":
                            time.sleep(jittered(0.5))  # two conditional writes met; S3 asks to try again
                        case _:
                            raise
                else:
                    return True
        raise StorageUnavailable(f"{target} is being written by others; try again")


def _version(target: S3Object) -> dict[str, str]:
    return {"VersionId": target.version_id} if target.version_id else {}


def _blocks(subject: str, body: Any) -> Iterator[bytes]:
    with storage_errors(subject):
        yield from body.iter_chunks(BLOCK)
