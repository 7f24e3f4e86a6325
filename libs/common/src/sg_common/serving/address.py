"""The address where a door listens."""

from __future__ import annotations

import socket

from sg_common.errors import SettingsError

BACKLOG = 2048


def open_listener(host: str, port: int, named: str = "SG_HOST, SG_PORT") -> socket.socket:
    """A socket that listens there.

    Args:
        named: what named the address, for the sentence.

    Raises:
        SettingsError: the address is taken, or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SettingsError(f"{named}: cannot listen on {host} port {port} ({error.strerror})") from error
