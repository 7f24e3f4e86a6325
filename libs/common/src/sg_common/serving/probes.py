"""The routes that every process has, whatever its door: who it is, whether it lives and is ready, its metrics."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.middleware.cors import CORSMiddleware

from sg_common.analysis import LoadedModel
from sg_common.errors import Unavailable
from sg_common.problem import Problem
from sg_common.serving.docs import add_docs
from sg_common.serving.host import ServiceHost
from sg_common.serving.middleware import BugsAsProblems, RequestContext, RootPath
from sg_common.serving.problems import described, install_problem_handlers, name_models


class ServiceInfo(BaseModel):
    """`/`."""

    service: str
    version: str
    status: Literal["loading", "ready", "draining"]


class Liveness(BaseModel):
    """`/health`."""

    status: Literal["healthy"]
    service: str
    version: str
    uptime_seconds: float


class Readiness(BaseModel):
    """`/ready` when the service accepts work."""

    status: Literal["ready"]
    model: LoadedModel


Front = Callable[[Request], Response | None]
"""What `/` answers to some callers instead of its JSON; None to the others."""


def probed_app(host: ServiceHost, on_failure: Callable[[Exception], None], front: Front | None = None) -> FastAPI:
    """An application with the house's errors and probes, in which the host lives; `app.state.service` is the host.

    Args:
        on_failure: told why the service can't work, such as a model bundle that is refused.
        front: what `/` shows to people.
    """
    service = host.service

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        host.load_in_background(on_failure)
        try:
            async with host.running():
                yield
        finally:
            host.close()

    app = FastAPI(
        title=service.title,
        version=service.version,
        description="Answers are evidence, not proof: read `status` before the score, and `verdict` before deciding.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's own loads its parts from elsewhere
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.service = host
    install_problem_handlers(app)
    name_models(app, Problem)
    _add_probes(app, host, front)
    add_docs(app)
    # The last one added is the first to see a request.
    app.add_middleware(BugsAsProblems)
    app.add_middleware(RootPath, path=host.settings.root_path)
    if host.settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=host.settings.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],
            expose_headers=["X-Request-ID", "Retry-After", "Location", "Preference-Applied"],
        )
    app.add_middleware(RequestContext, metrics=host.metrics)
    return app


def _add_probes(app: FastAPI, host: ServiceHost, front: Front | None) -> None:
    service = host.service
    unavailable = described(Unavailable)

    @app.get("/", summary="Service, version and status", response_model=ServiceInfo)
    async def service_info(request: Request, response: Response) -> ServiceInfo | Response:
        if front is not None:
            response.headers["Vary"] = "Accept"
            if (shown := front(request)) is not None:
                return shown
        return ServiceInfo(service=service.name, version=service.version, status=host.status)

    @app.get("/health", summary="Liveness: the process answers", responses=unavailable)
    async def health() -> Liveness:
        host.check_alive()
        uptime = round(time.monotonic() - host.started, 1)
        return Liveness(status="healthy", service=service.name, version=service.version, uptime_seconds=uptime)

    @app.get("/ready", summary="Readiness: the model is loaded and work is accepted", responses=unavailable)
    async def ready() -> Readiness:
        return Readiness(status="ready", model=host.accepting().model)

    text = {"description": "Prometheus's text format", "content": {"text/plain": {"schema": {"type": "string"}}}}

    @app.get("/metrics", summary="Prometheus metrics", response_class=Response, responses={200: text})
    async def metrics() -> Response:
        return Response(generate_latest(host.metrics.registry), media_type=CONTENT_TYPE_LATEST)
