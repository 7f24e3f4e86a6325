"""The application, and how it is served."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from fastapi import Depends, FastAPI, Request, Response

from sg_common.http.analyze import answer
from sg_common.http.both import both_class
from sg_common.http.description import FAILURES, MODELS, answers, operation, security
from sg_common.http.job_routes import add_job_routes, document_class
from sg_common.http.keys import authenticator
from sg_common.http.page import Page
from sg_common.http.state import ServiceState
from sg_common.service import AnalyzerService
from sg_common.serving.probes import probed_app
from sg_common.serving.problems import described, name_models
from sg_common.serving.server import run
from sg_common.settings import ServiceSettings


def create_app(state: ServiceState, on_failure: Callable[[Exception], None]) -> FastAPI:
    """A FastAPI application around one analyzer.

    Args:
        on_failure: told why the service can't work, such as a model bundle that is refused.
    """
    page = Page(state) if state.settings.page else None
    app = probed_app(state, on_failure, None if page is None else page.front)
    keys = state.settings.api_keys
    report = state.service.report
    job = None if state.jobs is None else document_class(report)
    both = None if state.peer is None else both_class(report, state.service.kind, state.peer.kind)
    authentication = Depends(authenticator(keys))
    name_models(app, *MODELS)

    @app.post(
        "/analyze",
        summary="Judge one media file",
        response_model=report if both is None else report | both,
        responses={**answers(job), **described(*FAILURES)},
        dependencies=[authentication],
        openapi_extra=operation(keys=bool(keys), jobs=job is not None),
    )
    async def analyze(request: Request) -> Response:
        return await answer(state, request)

    if page is not None:
        page.add_assets(app)
    if state.jobs is not None and job is not None:
        add_job_routes(app, state.jobs, job, authentication, security(keys=bool(keys)))
    return app


def serve(service: AnalyzerService, settings: ServiceSettings) -> None:
    """Serve until a signal.

    Raises:
        ConfigurationError: a setting, the address or the model bundle cannot work.
    """
    state = ServiceState(service, settings)
    run(state, partial(create_app, state))
