"""Objects of a store as local files, within an allow-list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sg_common.analysis import Job
from sg_common.aws.objects import ObjectStore, S3Object, S3Version
from sg_common.errors import Forbidden, LimitExceeded
from sg_common.sources.workspace import work_file_errors


class S3Source:
    """Downloads allowed objects into local files.

    Args:
        allow: entries that cover what may be read: a bucket, or a bucket with a key prefix that ends at a slash.
    """

    def __init__(self, store: ObjectStore, allow: Sequence[str], max_bytes: int) -> None:
        self._store = store
        self._allow = allow
        self._max_bytes = max_bytes

    def stat(self, target: S3Object) -> S3Version:
        """Which version of the object is there now; `fetch` then reads exactly that one.

        Raises:
            Forbidden, NotFound, StorageUnavailable: as their sentences say.
        """
        self._check(target)
        return self._store.stat(target)

    def fetch(self, target: S3Object, path: Path, job: Job, *, etag: str | None = None) -> None:
        """Write the object to `path`.

        Args:
            etag: read the object only while it has this ETag; a change is a `StorageUnavailable`, worth a retry.

        Raises:
            Forbidden, NotFound, LimitExceeded, StorageUnavailable: as their sentences say.
            Unavailable: the work folder cannot take the file.
            Cancelled, DeadlineExceeded: from the job.
        """
        self._check(target)
        job.check()
        with self._store.open(target, etag) as download:
            if download.size > self._max_bytes:
                raise LimitExceeded(f"{target} has {download.size:,} bytes; the limit is {self._max_bytes:,}")
            # The store's own failures are no OSError any more.
            with work_file_errors(), path.open("wb") as file:
                for block in download.blocks:
                    job.check()
                    file.write(block)
                    job.progress(file.tell(), download.size)

    def _check(self, target: S3Object) -> None:
        """Raise `Forbidden` unless an entry covers the object."""
        if not self._allow:
            raise Forbidden("reading from S3 is off here; the operator allows buckets with SG_S3_ALLOW")
        if any(segment in (".", "..") for segment in target.key.split("/")):
            raise Forbidden("keys with '.' or '..' segments are not read")
        if not any(_covers(entry, target) for entry in self._allow):
            raise Forbidden(f"{target} is outside the buckets and prefixes that SG_S3_ALLOW lists")


def _covers(entry: str, target: S3Object) -> bool:
    bucket, _, prefix = entry.partition("/")
    folder = prefix.rstrip("/") + "/" if prefix else ""
    return target.bucket == bucket and target.key.startswith(folder)
