"""What both clients know of a service's address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from sg_common.client.exchange import strange
from sg_common.errors import DeadlineExceeded, MalformedRequest, Unavailable

CONNECT_SECONDS = 10.0
WRITE_SECONDS = 60.0


@dataclass(frozen=True)
class Connection:
    """A service's address, the key for it, and how long its answers may take.

    Raises:
        MalformedRequest: the address is none.
    """

    address: str
    api_key: str | None = field(repr=False)
    timeout_seconds: float

    def __post_init__(self) -> None:
        try:
            url = httpx.URL(self.address)
        except httpx.InvalidURL:
            url = httpx.URL()
        if url.scheme not in ("http", "https") or not url.host:
            raise MalformedRequest(f"{self.address}: a service's address looks like http://localhost:8000")

    def arguments(self) -> dict[str, Any]:
        """Arguments of httpx's clients."""
        return {
            "base_url": self.address,
            "headers": {"X-API-Key": self.api_key} if self.api_key else {},
            "timeout": httpx.Timeout(self.timeout_seconds, connect=CONNECT_SECONDS, write=WRITE_SECONDS),
        }

    def kind_of(self, answer: httpx.Response) -> str:
        """The kind of the service that answered `GET /`.

        Raises:
            UnexpectedFailure: it is none.
        """
        try:
            name = answer.json()["service"]
        except (ValueError, KeyError, TypeError) as error:
            raise strange(answer) from error
        return str(name).removesuffix("-analyzer")


@contextmanager
def connection_errors(connection: Connection) -> Iterator[None]:
    """Turn failures of the connection into ours."""
    try:
        yield
    except httpx.ConnectTimeout as error:
        raise Unavailable(f"{connection.address} cannot be reached") from error
    except httpx.TimeoutException as error:
        raise DeadlineExceeded(f"{connection.address} fell silent") from error
    except httpx.TransportError as error:
        raise Unavailable(f"{connection.address} cannot be reached, or broke off ({error})") from error
