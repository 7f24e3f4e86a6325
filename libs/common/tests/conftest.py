from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.servers import S3Server, s3_server


@pytest.fixture(scope="session")
def store() -> Iterator[S3Server]:
    """A real S3 server, one for the whole session."""
    with s3_server() as server:
        yield server
