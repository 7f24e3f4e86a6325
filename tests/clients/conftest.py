"""The test service, and every service's description of its API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sg_common.http.app import create_app
from sg_common.http.state import ServiceState
from sg_common.service import AnalyzerService, installed_services

from testbed.analyzer import bytes_service
from testbed.running import running

TEST_SERVICE = "bytes"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The test service, running."""
    with running(bytes_service(work_dir=tmp_path_factory.mktemp("work"), max_waiting=100)) as (base, _):
        yield base


def describe(service: AnalyzerService, folder: Path, **settings: object) -> Path:
    """The file that describes a service's API."""
    state = ServiceState(service, service.settings().model_copy(update={"work_dir": folder / "work", **settings}))
    try:
        app = create_app(state, on_failure=lambda _: None)
    finally:
        state.close()
    file = folder / "openapi.json"
    file.write_text(json.dumps(app.openapi()))
    return file


@pytest.fixture(scope="module", params=["audio", "video", TEST_SERVICE])
def description(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A service's kind, and the file that describes its API."""
    services: dict[str, AnalyzerService] = {service.kind: service for service in installed_services()}
    service = services.get(request.param) or bytes_service()
    return request.param, describe(service, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The description of the test service where it knows another one."""
    return describe(bytes_service(), tmp_path_factory.mktemp("both"), peer_url="http://localhost:1")
