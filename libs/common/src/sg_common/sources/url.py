"""Files of the public internet as local files, within an allow-list."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from ssl import SSLContext
from typing import Self
from urllib.parse import unquote, urljoin

import httpcore

from sg_common.analysis import Job
from sg_common.errors import (
    EncodedBody,
    Forbidden,
    LimitExceeded,
    MalformedRequest,
    NotFound,
    ServiceError,
    StorageUnavailable,
)
from sg_common.sources.addresses import AddressRule, CheckedNetwork, Resolver, public, resolve
from sg_common.sources.request import URL_PATTERN
from sg_common.sources.workspace import work_file_errors

HTTPS_PORT = 443
MAX_REDIRECTS = 3
CONNECT_SECONDS = 10.0
_URL = re.compile(URL_PATTERN)


@dataclass(frozen=True)
class UrlTarget:
    """An https URL, taken apart once: what is checked is what is asked for. As text it is its host alone, since
    paths and queries may be secrets (presigned URLs are).

    Attributes:
        target: path and query, as they came.
    """

    host: str
    port: int
    path: str
    target: str

    def __str__(self) -> str:
        return self.host

    @classmethod
    def parse(cls, url: str) -> Self:
        """Take a URL apart.

        Raises:
            MalformedRequest: it is none that is read.
        """
        found = _URL.fullmatch(url)
        if found is None:
            raise MalformedRequest(
                "url: it must be https://HOST/PATH, without credentials and with every unusual character "
                "percent-encoded (RFC 3986)"
            )
        host, port, path, query = found.groups(default="")
        path = path or "/"
        return cls(host.lower(), int(port or HTTPS_PORT), path, path + query)


def _covers(entry: str, target: UrlTarget) -> bool:
    place, _, prefix = entry.partition("/")
    name, _, port = place.lower().partition(":")
    folder = "/" + (prefix.rstrip("/") + "/" if prefix else "")
    # What a pattern's star stands for is never empty, nor the beginning of another name.
    named = target.host.endswith(name[1:]) and len(target.host) >= len(name) if name[0] == "*" else target.host == name
    return named and target.port == int(port or HTTPS_PORT) and target.path.startswith(folder)


class UrlSource:
    """Downloads allowed URLs into local files. Proxies of the environment are not used, nor cookies, nor credentials.

    Args:
        allow: entries that cover what may be read: a host, or `*.` and what it ends in, each with `:port` where it is
            not 443, and with a path that ends at a slash, where not all of the host's may be read.
        stall_seconds: longest silence of a host.
        rule: which addresses a host may have.
        resolver: what they are.
        context: makes the rules of TLS: the public authorities and those of OpenSSL's own variables.
    """

    def __init__(
        self,
        allow: Sequence[str],
        max_bytes: int,
        stall_seconds: float,
        *,
        rule: AddressRule = public,
        resolver: Resolver = resolve,
        context: Callable[[], SSLContext] = httpcore.default_ssl_context,
    ) -> None:
        self._allow, self._max_bytes, self._stall_seconds = allow, max_bytes, stall_seconds
        self._rule, self._resolver, self._make_context = rule, resolver, context

    @cached_property
    def _context(self) -> SSLContext:
        return self._make_context()

    def check(self, url: str) -> None:
        """Whether the URL may be read (raises MalformedRequest, Forbidden)."""
        self._check(UrlTarget.parse(url))

    def _check(self, target: UrlTarget) -> None:
        """Raise `Forbidden` unless an entry covers the URL."""
        if not self._allow:
            raise Forbidden("reading from URLs is off here; the operator allows hosts with SG_URL_ALLOW")
        if any(segment in (".", "..") for segment in re.split(r"[/\\]", unquote(target.path))):
            raise Forbidden("URLs with '.' or '..' segments are not read")
        if not any(_covers(entry, target) for entry in self._allow):
            raise Forbidden(f"{target} is outside the hosts and paths that SG_URL_ALLOW lists")

    def fetch(self, url: str, path: Path, job: Job) -> None:
        """Write what lies there to `path`. Up to three redirects are followed, each held to the same rules.

        Raises:
            MalformedRequest, Forbidden, NotFound, LimitExceeded, EncodedBody, StorageUnavailable: as their
                sentences say.
            Unavailable: the work folder cannot take the file.
            Cancelled, DeadlineExceeded: from the job.
        """
        network = CheckedNetwork(self._rule, self._resolver, job, self._stall_seconds)
        with httpcore.ConnectionPool(self._context, network_backend=network) as pool:
            for _ in range(MAX_REDIRECTS + 1):
                job.check()
                target = UrlTarget.parse(url)
                self._check(target)
                try:
                    moved = self._read(pool, target, path, job)
                except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
                    job.check()
                    raise _silence(target, error) from error
                if moved is None:
                    return
                url = urljoin(url, moved)
        raise StorageUnavailable(f"{target} redirects more than {MAX_REDIRECTS} times")

    def _read(self, pool: httpcore.ConnectionPool, target: UrlTarget, path: Path, job: Job) -> str | None:
        """Write the file; or, where the host says that it lies elsewhere, where."""
        url = httpcore.URL(scheme="https", host=target.host, port=target.port, target=target.target)
        headers = [("Accept", "*/*"), ("Accept-Encoding", "identity"), ("User-Agent", "silver-guardian")]
        waits = {"connect": CONNECT_SECONDS, "write": self._stall_seconds}
        with pool.stream("GET", url, headers=headers, extensions={"timeout": waits}) as answer:
            told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
            if answer.status in (301, 302, 303, 307, 308) and "location" in told:
                return told["location"]
            if answer.status != 200:
                raise _refusal(target, answer.status)
            size = self._size(target, told)
            # The host's own failures are no OSError.
            with work_file_errors(), path.open("wb") as file:
                for block in answer.iter_stream():
                    job.check()
                    file.write(block)
                    if file.tell() > self._max_bytes:
                        raise self._too_large(target)
                    job.progress(file.tell(), size)
        return None

    def _size(self, target: UrlTarget, told: Mapping[str, str]) -> int:
        """Bytes that the host announces; 0 where it does not."""
        if told.get("content-encoding", "identity").lower() not in ("", "identity"):
            raise EncodedBody(f"{target} sends the file compressed (Content-Encoding); download it and send it here")
        size = int(told.get("content-length", 0))  # the protocol's library has checked that it is a number
        if size > self._max_bytes:
            raise self._too_large(target)
        return size

    def _too_large(self, target: UrlTarget) -> LimitExceeded:
        return LimitExceeded(f"the file at {target} has more than {self._max_bytes:,} bytes, the limit")


def _silence(target: UrlTarget, error: Exception) -> ServiceError:
    match error:
        case httpcore.ReadTimeout():
            return StorageUnavailable(f"{target} fell silent; try again")
        case httpcore.ConnectError() | httpcore.ConnectTimeout():
            return StorageUnavailable(f"{target} cannot be reached, or has no valid certificate for that name")
        case _:
            return StorageUnavailable(f"{target} ended the connection before the whole file had come; try again")


def _refusal(target: UrlTarget, status: int) -> ServiceError:
    match status:
        case 401 | 403:
            return Forbidden(f"{target} denies access ({status}); a presigned URL may have expired: make a new one")
        case 404 | 410:
            return NotFound(f"{target} has no such file ({status})")
        case 408 | 425 | 429 | 500 | 502 | 503 | 504:
            return StorageUnavailable(f"{target} cannot answer now ({status}); try again")
        case _:
            return MalformedRequest(f"{target} answers {status} to this URL; check that it leads to the file itself")
