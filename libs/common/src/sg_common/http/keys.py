"""Who may ask: keys in either of two headers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any

from fastapi import Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

from sg_common.errors import Unauthorized

_KEY = APIKeyHeader(name="X-API-Key", scheme_name="ApiKey", auto_error=False)
_BEARER = HTTPBearer(scheme_name="Bearer", auto_error=False)


def authenticator(keys: Sequence[SecretStr]) -> Callable[..., Coroutine[Any, Any, None]]:
    """A dependency that raises `Unauthorized` where there are keys and the request has none of them."""
    known = [key.get_secret_value().encode() for key in keys]

    async def authenticate(
        key: Annotated[str | None, Security(_KEY)],
        bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    ) -> None:
        given = [text.encode() for text in (key, bearer and bearer.credentials) if text]
        # Every key is compared, in constant time, so that timing tells nothing.
        matches = [secrets.compare_digest(one, other) for one in given for other in known]
        if known and not any(matches):
            raise Unauthorized("send one of this service's keys as X-API-Key, or as Authorization: Bearer")

    return authenticate
