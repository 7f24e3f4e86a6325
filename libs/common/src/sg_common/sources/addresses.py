"""Connections to public addresses only: the address that was checked is the one that is connected to."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from ssl import SSLContext
from typing import Any

from httpcore import ConnectError, ConnectTimeout, NetworkBackend, NetworkStream, ReadTimeout, SyncBackend

from sg_common.analysis import Job
from sg_common.errors import Forbidden

Address = IPv4Address | IPv6Address
AddressRule = Callable[[Address], bool]
Resolver = Callable[[str], list[Address]]

_UNICAST = IPv6Network("2000::/3")
# What is global by its bits, but leads to another address within it, or into no net at all: 6to4 and its relays,
# and documentation (RFC 9637), which Python does not know yet.
_MISLEADING = (IPv6Network("2002::/16"), IPv6Network("3fff::/20"), IPv4Network("192.88.99.0/24"))
_PATIENCE_SECONDS = 0.25


def public(address: Address) -> bool:
    """Whether an address is one of the public internet's hosts (IANA's special-purpose registries).

    Addresses that carry another (IPv4-mapped, NAT64, 6to4, Teredo) are none, whatever they carry.
    """
    if any(address in net for net in _MISLEADING if net.version == address.version):
        return False
    if isinstance(address, IPv6Address) and address not in _UNICAST:
        return False
    return address.is_global and not address.is_multicast


def resolve(host: str) -> list[Address]:
    """The addresses of a host, as this machine's resolver says (raises OSError)."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(str(entry[4][0])) for entry in found))


class CheckedNetwork(NetworkBackend):
    """Resolves a host once, checks every address that it has, and connects to one of these.

    Args:
        job: whose end also ends waiting for the host.
        stall_seconds: longest silence of the host.
    """

    def __init__(self, rule: AddressRule, resolver: Resolver, job: Job, stall_seconds: float) -> None:
        self._rule, self._resolver = rule, resolver
        self._job, self._stall_seconds = job, stall_seconds

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> NetworkStream:
        """Connect (raises Forbidden where any address is not allowed, ConnectError, ConnectTimeout)."""
        try:
            addresses = self._resolver(host)
        except (OSError, UnicodeError) as error:  # the second: a name that cannot be one
            raise ConnectError(f"{host} has no address") from error
        if not all(map(self._rule, addresses)):
            # Not which one: whoever asks must not learn the names and addresses of an internal network.
            raise Forbidden(f"{host} is not on the public internet; only what is there is fetched")
        failure: Exception = ConnectError(f"{host} has no address")
        for address in addresses:
            self._job.check()
            try:
                connected = SyncBackend().connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (ConnectError, ConnectTimeout) as error:
                failure = error
            else:
                return _WatchedStream(connected, self._job, self._stall_seconds)
        raise failure


class _WatchedStream(NetworkStream):
    """A stream on which nobody waits for longer than the job lasts, however slowly its bytes come."""

    def __init__(self, stream: NetworkStream, job: Job, stall_seconds: float) -> None:
        self._stream, self._job, self._stall_seconds = stream, job, stall_seconds

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        waited = 0.0
        while True:
            self._job.check()
            try:
                return self._stream.read(max_bytes, _PATIENCE_SECONDS)
            except ReadTimeout:
                waited += _PATIENCE_SECONDS
                if waited >= self._stall_seconds:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> NetworkStream:
        encrypted = self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _WatchedStream(encrypted, self._job, self._stall_seconds)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
