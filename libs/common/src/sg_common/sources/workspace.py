"""Work files: one folder per request, gone when the request ends, swept after a crash."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sg_common.errors import SettingsError, Unavailable

log = logging.getLogger(__name__)


@contextmanager
def work_file_errors() -> Iterator[None]:
    """Turn what the disk refuses into `Unavailable`: a full work folder is this instance's own trouble."""
    try:
        yield
    except OSError as error:
        log.warning("the work folder failed", extra={"cause": str(error)})
        raise Unavailable("the work folder cannot take the file; try again later") from error


class Workspace:
    """This process's own folder under the work folder, held by a lock on the folder itself.

    Folders whose lock nobody holds belonged to a process that was killed; they are removed at start. Process ids
    can't tell, since every container's service has the same one. Processes that share a work folder start one after
    the other: a folder is never seen between its making and its lock.

    Raises:
        SettingsError: the work folder cannot be used.
    """

    def __init__(self, root: Path) -> None:
        try:
            root.mkdir(parents=True, exist_ok=True)
            starting = _lock(root, wait=True)
            try:
                self._sweep(root)
                self.folder = root / uuid.uuid4().hex
                self.folder.mkdir(mode=0o700)
                self._held = _lock(self.folder)
            finally:
                os.close(starting)
        except OSError as error:
            raise SettingsError(f"SG_WORK_DIR: {root} cannot hold work files ({error.strerror})") from error

    def living(self) -> frozenset[str]:
        """Names of the folders of processes that live, this one's included: those of others were swept."""
        return frozenset(folder.name for folder in _folders(self.folder.parent))

    @staticmethod
    def _sweep(root: Path) -> None:
        for folder in _folders(root):
            try:
                lock = _lock(folder)
            except OSError:  # it is another process's, or was just removed by it
                continue
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
            log.info("removed work files of an earlier process", extra={"folder": folder.name})

    def request_folder(self) -> Path:
        """A new folder for one request; give it to `release` when the request ends.

        Raises:
            Unavailable: the disk refuses it.
        """
        with work_file_errors():
            return Path(tempfile.mkdtemp(dir=self.folder))

    @staticmethod
    def release(folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove everything; may be called twice."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._held >= 0:
            os.close(self._held)
            self._held = -1


def _folders(root: Path) -> list[Path]:
    return [folder for folder in root.iterdir() if folder.is_dir() and len(folder.name) == 32]


def _lock(folder: Path, *, wait: bool = False) -> int:
    """An open descriptor that holds the folder's lock; raises `OSError` when another process has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
