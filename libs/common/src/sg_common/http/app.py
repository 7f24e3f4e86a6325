"""The application factory."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response

from sg_common.http.analyze import REQUEST_BODY, RESPONSES, analyze
from sg_common.http.probes import probed_app
from sg_common.http.state import ServiceState
from sg_common.service import AnalyzerService
from sg_common.settings import ServiceSettings


def _stop_process(reason: str) -> None:
    """A service that cannot judge must not look alive: end it, and let whoever runs it see why."""
    del reason
    os.kill(os.getpid(), signal.SIGINT)


def create_app(
    service: AnalyzerService,
    settings: ServiceSettings,
    *,
    on_load_failure: Callable[[str], None] = _stop_process,
) -> FastAPI:
    """A FastAPI application around one analyzer.

    Args:
        on_load_failure: called with a sentence when the model bundle is refused.
    """
    state = ServiceState(service, settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        state.load_in_background(on_load_failure)
        try:
            yield
        finally:
            state.close()

    app = probed_app(state, lifespan)

    @app.post(
        "/analyze",
        summary="Judge one media file",
        response_model=service.report,
        responses=RESPONSES,
        openapi_extra=REQUEST_BODY,
    )
    async def post_analyze(request: Request) -> Response:
        return await analyze(state, request)

    return app
