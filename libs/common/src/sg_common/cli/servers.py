"""Running services that judge in this process's place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sg_common.analysis import AnalysisOptions, Report
from sg_common.client import Client, analyze_all
from sg_common.errors import MalformedRequest, NotFound, ServiceError

KEY_VARIABLE = "SG_API_KEY"


class Servers:
    """Services by their kind. Close it in the end.

    Args:
        addresses: of one service of a kind each; `SG_API_KEY` is the key for them, where they ask for one.

    Raises:
        ServiceError: one is no service, can't be reached, or is of another's kind.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        self._clients: dict[str, Client[Any]] = {}
        with ExitStack() as stack:
            for address in addresses:
                client = stack.enter_context(Client(address, api_key=os.environ.get(KEY_VARIABLE)))
                if (kind := client.kind()) in self._clients:
                    raise MalformedRequest(f"{address}: another server that judges {kind}; name one of a kind")
                self._clients[kind] = client
            self._stack = stack.pop_all()

    def ask(self, media: str | Path, options: AnalysisOptions) -> dict[str, Report | ServiceError]:
        """What each says of a local file, or of an address that it reads itself.

        Raises:
            NotFound: the file is gone.
        """
        try:
            return analyze_all(self._clients, media, **options.model_dump(exclude_unset=True))
        except OSError as error:
            raise NotFound(f"{media}: {(error.strerror or 'cannot be read').lower()}") from error

    def close(self) -> None:
        """Close their connections."""
        self._stack.close()
