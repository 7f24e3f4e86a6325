"""Servers that every test may use, each started once a run, when first asked for; and a log as every test finds it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from testbed.servers import AwsServer, S3Server, aws_server, s3_server


@pytest.fixture(autouse=True)
def log_level() -> Iterator[None]:
    """What a program sets when it starts ends with its test."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)


@pytest.fixture(scope="session")
def store() -> Iterator[S3Server]:
    """A real S3-compatible store. Buckets are shared by the run: take names of your own."""
    with s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def aws() -> Iterator[AwsServer]:
    """AWS's queue and Step Functions API."""
    with aws_server() as server:
        yield server
