"""The address where a door listens."""

from __future__ import annotations

import os
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
        # Its own text names the address once more; a name that is not found has no other.
        cause = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise SettingsError(f"{named}: cannot listen on {host} port {port} ({cause})") from error
