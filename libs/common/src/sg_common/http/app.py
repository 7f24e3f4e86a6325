"""The application factory."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from sg_common.analysis import ModelInfo
from sg_common.http.analyze import REQUEST_BODY, RESPONSES, analyze
from sg_common.http.middleware import RequestContext
from sg_common.http.problem import Problem, install_problem_handlers
from sg_common.http.state import ServiceState
from sg_common.service import AnalyzerService
from sg_common.settings import ServiceSettings


class Readiness(BaseModel):
    """`/ready` when the service accepts work."""

    status: str
    model: ModelInfo


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

    app = FastAPI(
        title=service.title,
        version=service.version,
        description="Answers are evidence, not proof: read `status` before the score, and `verdict` before deciding.",
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.service = state
    install_problem_handlers(app)
    _add_routes(app, state)
    app.add_middleware(RequestContext, metrics=state.metrics)
    return app


def _add_routes(app: FastAPI, state: ServiceState) -> None:
    service = state.service
    unavailable: dict[int | str, dict[str, Any]] = {503: {"model": Problem, "description": "Loading or draining"}}

    @app.get("/", summary="Service, version and status")
    async def root() -> dict[str, str]:
        return {"service": service.name, "version": service.version, "status": state.status}

    @app.get("/health", summary="Liveness: the process answers")
    async def health() -> dict[str, str | float]:
        uptime = round(time.monotonic() - state.started, 1)
        return {"status": "healthy", "service": service.name, "version": service.version, "uptime_seconds": uptime}

    @app.get("/ready", summary="Readiness: the model is loaded and work is accepted", responses=unavailable)
    async def ready() -> Readiness:
        return Readiness(status="ready", model=state.accepting().model)

    @app.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def metrics() -> Response:
        return Response(generate_latest(state.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @app.post(
        "/analyze",
        summary="Judge one media file",
        response_model=service.report,
        responses=RESPONSES,
        openapi_extra=REQUEST_BODY,
    )
    async def post_analyze(request: Request) -> Response:
        return await analyze(state, request)
