"""Jobs on disk: one SQLite database a service, so that they outlive a restart of its process."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sg_common.errors import Unavailable
from sg_common.jobs import JobStatus

_TABLE = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    status TEXT NOT NULL,
    body TEXT,
    created REAL NOT NULL,
    expires REAL
) WITHOUT ROWID
"""


@dataclass(frozen=True)
class StoredJob:
    """Times are seconds since 1970; `body` is the report or the problem, as JSON, of a job that has ended."""

    id: str
    status: JobStatus
    body: str | None
    created: float
    expires: float | None


class JobStore:
    """The database; one thread at a time may call. There is no file before the first job.

    Args:
        owner: the name of this process.
        keep_seconds: how long a job is kept once it has ended.

    Raises:
        Unavailable: the file is there and can't be used.
    """

    def __init__(self, path: Path, owner: str, keep_seconds: float) -> None:
        self._path = path
        self._owner = owner
        self._keep_seconds = keep_seconds
        self._connection: sqlite3.Connection | None = None
        if path.exists():
            with _disk_errors():
                self._open()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.touch(mode=0o600)
            # Calls come from one thread, the opening of what an earlier process left from another.
            connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            # A crash of the machine may cost the last jobs, one of the process none.
            connection.execute("PRAGMA synchronous = NORMAL")
            # What has expired is gone from the disk too.
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute(_TABLE)
            self._connection = connection
        return self._connection

    def add(self, identifier: str) -> None:
        """A new job of this process.

        Raises:
            Unavailable: the disk refuses it.
        """
        with _disk_errors():
            self._open().execute(
                "INSERT INTO jobs VALUES (?, ?, ?, NULL, ?, NULL)",
                (identifier, self._owner, JobStatus.QUEUED, time.time()),
            )

    def end(self, identifier: str, status: JobStatus, body: str) -> None:
        """A job has ended; nothing happens where it has been removed.

        Raises:
            Unavailable: the disk refuses it.
        """
        with _disk_errors():
            self._open().execute(
                "UPDATE jobs SET status = ?, body = ?, expires = ? WHERE id = ?",
                (status, body, time.time() + self._keep_seconds, identifier),
            )

    def abandon(self, owners: Collection[str], body: str) -> int:
        """Unfinished jobs of any process but the `owners` have failed; their number.

        Raises:
            Unavailable: the disk refuses it.
        """
        if self._connection is None:
            return 0
        with _disk_errors():
            marks = ", ".join("?" * len(owners))
            return self._connection.execute(
                "UPDATE jobs SET status = ?, body = ?, expires = ? "  # noqa: S608 - question marks only
                f"WHERE expires IS NULL AND owner NOT IN ({marks})",
                (JobStatus.FAILED, body, time.time() + self._keep_seconds, *owners),
            ).rowcount

    def find(self, identifier: str) -> StoredJob | None:
        """A job that has not expired.

        Raises:
            Unavailable: the disk fails.
        """
        if self._connection is None:
            return None
        with _disk_errors():
            row = self._connection.execute(
                "SELECT status, body, created, expires FROM jobs WHERE id = ? AND (expires IS NULL OR expires > ?)",
                (identifier, time.time()),
            ).fetchone()
        return row and StoredJob(identifier, JobStatus(row[0]), *row[1:])

    def remove(self, identifier: str) -> bool:
        """Forget a job; whether there was one.

        Raises:
            Unavailable: the disk fails.
        """
        if self.find(identifier) is None:
            return False
        with _disk_errors():
            return self._open().execute("DELETE FROM jobs WHERE id = ?", (identifier,)).rowcount > 0

    def sweep(self) -> None:
        """Forget jobs that have expired, and what is left on disk of others that were removed.

        Raises:
            Unavailable: the disk fails.
        """
        if self._connection is None:
            return
        with _disk_errors():
            self._connection.execute("DELETE FROM jobs WHERE expires <= ?", (time.time(),))
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """May be called twice."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise Unavailable(f"the list of jobs cannot be used ({error}); try again later") from error
