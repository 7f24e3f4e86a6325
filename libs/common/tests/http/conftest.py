from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sg_common.http.state import ServiceState

from testbed.analyzer import BytesAnalyzer, bytes_service
from testbed.running import running


@pytest.fixture
def analyzer() -> BytesAnalyzer:
    return BytesAnalyzer()


@pytest.fixture
def service(analyzer: BytesAnalyzer, tmp_path: Path) -> Iterator[tuple[str, ServiceState]]:
    """A running service with room for one analysis and one that waits, and small limits."""
    settings = {
        "work_dir": tmp_path,
        "max_concurrency": 1,
        "max_waiting": 1,
        "max_upload_bytes": 3_000_000,
        "upload_stall_seconds": 1.0,
        "request_timeout_seconds": 20.0,
    }
    with running(bytes_service(analyzer, **settings)) as running_service:
        yield running_service
        analyzer.let_go.set()
    assert list(tmp_path.iterdir()) == [], "work files were left behind"
