"""Work files: one folder per request, gone when the request ends, swept after a crash."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
import uuid
from pathlib import Path

log = logging.getLogger(__name__)

_LOCK = ".lock"


class Workspace:
    """This process's own folder under the work folder, held by a file lock.

    Folders whose lock nobody holds belonged to a process that was killed; they are removed at start. Process ids
    can't tell, since every container's service has the same one.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._sweep(root)
        self.folder = root / uuid.uuid4().hex
        self.folder.mkdir(mode=0o700)
        self._lock = _try_lock(self.folder)

    @staticmethod
    def _sweep(root: Path) -> None:
        for folder in root.iterdir():
            if not folder.is_dir() or len(folder.name) != 32:
                continue
            lock = _try_lock(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)
                log.info("removed work files of an earlier process", extra={"folder": folder.name})

    def request_folder(self) -> Path:
        """A new folder for one request; give it to `release` when the request ends."""
        return Path(tempfile.mkdtemp(dir=self.folder))

    @staticmethod
    def release(folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _try_lock(folder: Path) -> int | None:
    """An open descriptor that holds the folder's lock, or None when another process holds it."""
    descriptor = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
