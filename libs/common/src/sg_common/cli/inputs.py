"""What `analyze` is asked to judge: files, folders, patterns, standard input, S3 objects and URLs, as local files."""

from __future__ import annotations

import glob
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sg_common.analysis import Job
from sg_common.errors import Forbidden, LimitExceeded, MalformedRequest, NotFound, NotMedia, ServiceError
from sg_common.settings import ServiceSettings
from sg_common.sources.workspace import Workspace, work_file_errors

if TYPE_CHECKING:
    from sg_common.aws.objects import S3Object
    from sg_common.sources.s3 import S3Source
    from sg_common.sources.url import UrlSource

STANDARD_INPUT = "-"
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_BLOCK = 1 << 20
# A file with such a name that turns out to be no media is a fault; one with another name just lies beside them.
_CALLED_MEDIA = re.compile(
    r"\.(3gp|aac|aiff?|amr|au|avi|caf|flac|flv|m2ts|m4[av]|mkv|mov|mp[34]|mpe?g|mts|og[agv]|opus|ts|wav|web[am]|wm[av])",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Input:
    """One thing to judge, as a person calls it.

    Attributes:
        refusal: why that cannot be.
        fetch: writes it to a local file; None where it is one, or an address that is not read here.
    """

    name: str
    refusal: ServiceError | None = None
    fetch: Callable[[Path], None] | None = None

    @property
    def called_media(self) -> bool:
        """Whether its name promises sound or pictures."""
        return self.name == STANDARD_INPUT or _CALLED_MEDIA.fullmatch(Path(self.name).suffix) is not None


class Inputs:
    """Finds what is to be judged, and makes it local files within the limit on size.

    Args:
        settings: the work folder, the largest file, and the allow-lists of S3 and of URLs.
        fetch: whether addresses are read here, rather than by a server.
    """

    def __init__(self, settings: ServiceSettings, *, fetch: bool = True) -> None:
        self._settings = settings
        self._fetch = fetch
        self._workspace: Workspace | None = None
        self._standard_input_asked = False

    def expand(self, names: Sequence[str]) -> list[Input]:
        """Every file that these names mean, in order; a name that means none is there with its refusal.

        Raises:
            SettingsError: AWS's variables cannot work.
        """
        found = [item for name in names for item in self._expand(name)]
        return found or [Input(name, NotFound(f"{name}: a folder without files")) for name in names]

    def _expand(self, name: str) -> Iterator[Input]:
        try:
            if name == STANDARD_INPUT:
                self._check_standard_input()
                yield Input(name, fetch=self._read_standard_input)
            elif _ADDRESS.match(name) and not self._fetch:
                yield Input(name)
            elif name.startswith("https://") and self._settings.url_allow:
                self._urls.check(name)
                yield Input(name, fetch=lambda path: self._urls.fetch(name, path, Job()))
            elif _ADDRESS.match(name):
                target = _target(name)
                self._s3.stat(target)
                yield Input(name, fetch=lambda path: self._s3.fetch(target, path, Job()))
            else:
                yield from _local(name)
        except ServiceError as error:
            yield Input(name, error)

    def _check_standard_input(self) -> None:
        if self._standard_input_asked:
            raise MalformedRequest("standard input can be read once")
        self._standard_input_asked = True
        if sys.stdin.isatty():
            raise MalformedRequest("standard input is a terminal; give it a file, as in `analyze - < clip.mp4`")

    @cached_property
    def _s3(self) -> S3Source:
        # The AWS SDK is loaded only where it is used: judging local files starts faster without it.
        from sg_common.aws.objects import ObjectStore  # noqa: PLC0415
        from sg_common.sources.s3 import S3Source  # noqa: PLC0415

        return S3Source(ObjectStore(), self._settings.s3_allow, self._settings.max_upload_bytes)

    @cached_property
    def _urls(self) -> UrlSource:
        from sg_common.sources.url import UrlSource  # noqa: PLC0415

        settings = self._settings
        return UrlSource(settings.url_allow, settings.max_upload_bytes, settings.upload_stall_seconds)

    @contextmanager
    def file(self, item: Input) -> Iterator[Path | str]:
        """The local file of an input, or an address that is not read here; a copy is gone afterwards.

        Raises:
            ServiceError: it cannot be read, or is larger than the limit.
            SettingsError: the work folder cannot be used.
        """
        if item.fetch is None:
            yield item.name if _ADDRESS.match(item.name) else Path(item.name)
            return
        self._workspace = self._workspace or Workspace(self._settings.work_folder("cli"))
        folder = self._workspace.request_folder()
        try:
            path = folder / "media"
            item.fetch(path)
            yield path
        finally:
            Workspace.release(folder)

    def _read_standard_input(self, path: Path) -> None:
        limit = self._settings.max_upload_bytes
        with work_file_errors(), path.open("wb") as file:
            while block := sys.stdin.buffer.read(_BLOCK):
                file.write(block)
                if file.tell() > limit:
                    raise LimitExceeded(f"standard input has more than {limit:,} bytes, the limit")

    def close(self) -> None:
        """Remove what is left of copies."""
        if self._workspace is not None:
            self._workspace.close()


def _target(address: str) -> S3Object:
    from sg_common.aws.objects import S3Object  # noqa: PLC0415

    if not address.startswith("s3://"):
        raise MalformedRequest(
            f"{address}: files, s3://BUCKET/KEY, https:// within SG_URL_ALLOW and standard input can be read; "
            f"or fetch it first, as in `curl -fL {address} | silver-guardian analyze -`"
        )
    target = S3Object.parse(address)
    if not target.bucket or not target.key or target.key.endswith("/"):
        raise MalformedRequest(f"{address}: name one object as s3://BUCKET/KEY; `submit` takes folders")
    return target


def _local(name: str) -> Iterator[Input]:
    """The files that a name means: itself, a folder's, or those that fit a pattern."""
    try:
        mode = Path(name).stat().st_mode
    except OSError as error:
        # The shell left a pattern as it is: it was quoted, or came through make.
        if glob.has_magic(name) and (matches := sorted(glob.glob(name, recursive=True))):  # noqa: PTH207
            # Of a folder that fits, files may fit too.
            files = [
                item for match in matches if Path(match).is_file() or Path(match).is_dir() for item in _local(match)
            ]
            yield from {item.name: item for item in files}.values()
            return
        raise _refusal(error, name) from error
    if stat.S_ISDIR(mode):
        yield from _within(name)
    elif not stat.S_ISREG(mode):
        raise NotMedia(f"{name}: not a regular file; pipe it into `analyze -`")
    elif not os.access(name, os.R_OK):
        yield Input(name, Forbidden(f"{name}: permission denied"))
    else:
        yield Input(name)


def _within(folder: str) -> Iterator[Input]:
    """The files of a folder and of those in it, without hidden ones."""
    refused: list[OSError] = []
    for place, folders, files in os.walk(folder, onerror=refused.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(place, name)
            if not name.startswith(".") and path.is_file():
                yield from _local(str(path))
    for error in refused:
        yield Input(str(error.filename), _refusal(error, str(error.filename)))


def _refusal(error: OSError, name: str) -> ServiceError:
    kind = Forbidden if isinstance(error, PermissionError) else NotFound
    return kind(f"{name}: {(error.strerror or 'cannot be read').lower()}")
