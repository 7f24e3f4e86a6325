"""What every answer carries: a request id, an access log record and metrics; and what becomes of a bug."""

from __future__ import annotations

import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sg_common.errors import UnexpectedFailure
from sg_common.observability import Metrics, request_id
from sg_common.serving.problems import problem_response

log = logging.getLogger("sg_common.access")

_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_QUIET_ROUTES = {"/health", "/ready", "/metrics"}


class BugsAsProblems:
    """Answers a problem document where the application fails. Innermost, so that the others see that answer too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def observed(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except Exception as error:
            if scope["type"] != "http":
                raise
            log.exception("unexpected failure")
            if begun:
                raise
            await problem_response(UnexpectedFailure.of(error))(scope, receive, send)


class RootPath:
    """Tells the application where a proxy mounts it, whether the proxy takes that path off or leaves it."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._path:
            scope["root_path"] = self._path
        await self._app(scope, receive, send)


class RequestContext:
    """Pure ASGI, so that request bodies keep streaming."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        identifier = given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex
        token = request_id.set(identifier)
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = identifier
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            self._record(scope, status, time.perf_counter() - started)
            request_id.reset(token)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's template, never the raw path: a scanner must not grow the metrics without bound.
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.requests.labels(scope["method"] if route != "other" else "other", route, str(status)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        level = logging.DEBUG if route in _QUIET_ROUTES and status < 400 else logging.INFO
        log.log(
            level,
            "request",
            extra={"method": scope["method"], "path": scope["path"], "status": status, "seconds": round(seconds, 4)},
        )
