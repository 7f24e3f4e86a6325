"""`/analyze` with objects of a real S3 server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sg_common.http.state import ServiceState

from testbed.analyzer import bytes_service
from testbed.running import running, wait_for
from testbed.servers import AwsServer, S3Server, aws_environment

ALLOWED = "clips/uploads/, readable"


@pytest.fixture(scope="module")
def objects(store: S3Server) -> S3Server:
    s3 = store.client("s3")
    for bucket in ("clips", "private"):
        s3.create_bucket(Bucket=bucket)
    for bucket, key in [
        ("clips", "uploads/u1/clip.mp4"),
        ("clips", "uploads/u1/한국 음성+?.mp4"),
        ("clips", "uploads-private/clip.mp4"),
        ("clips", "other/clip.mp4"),
        ("private", "uploads/clip.mp4"),
        ("readable", "clip.mp4"),
    ]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"MEDIA " + key.encode())
    s3.put_object(Bucket="clips", Key="uploads/large.mp4", Body=b"MEDIA " + bytes(2_000_000))
    s3.put_object(Bucket="clips", Key="uploads/empty.mp4", Body=b"")
    return store


@contextmanager
def serving(
    server: AwsServer, monkeypatch: pytest.MonkeyPatch, folder: Path, **settings: Any
) -> Iterator[tuple[str, ServiceState]]:
    for name, value in aws_environment(server).items():
        monkeypatch.setenv(name, value)
    service = bytes_service(work_dir=folder, s3_allow=ALLOWED, max_upload_bytes=1_000_000, **settings)
    with running(service) as served:
        yield served
    assert list(folder.iterdir()) == []


@pytest.fixture
def base(objects: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    with serving(objects, monkeypatch, tmp_path) as (url, state):
        yield url
        wait_for(lambda: state.pool.idle)


def ask(base: str, bucket: str, key: str, **fields: object) -> httpx.Response:
    return httpx.post(f"{base}/analyze", json={"s3_bucket": bucket, "s3_key": key, **fields}, timeout=60)


@pytest.mark.parametrize("key", ["uploads/u1/clip.mp4", "uploads/u1/한국 음성+?.mp4"])
def test_an_allowed_object_is_judged(base: str, key: str) -> None:
    answer = ask(base, "clips", key, sample_rate=7)
    assert answer.status_code == 200, answer.text
    assert answer.json()["bytes_read"] == len(b"MEDIA " + key.encode())
    assert answer.json()["sample_rate"] == 7


@pytest.mark.parametrize(
    ("bucket", "key", "status"),
    [
        ("private", "uploads/clip.mp4", 403),
        ("clips", "other/clip.mp4", 403),
        ("clips", "uploads-private/clip.mp4", 403),
        ("clips", "uploads/../other/clip.mp4", 403),
        ("clips", "/uploads/u1/clip.mp4", 403),
        ("clips", "uploads/nothing.mp4", 404),
        ("clips", "uploads/large.mp4", 413),
        ("clips", "uploads/empty.mp4", 415),
        ("no such bucket!", "uploads/clip.mp4", 403),
    ],
)
def test_other_objects_are_refused(base: str, bucket: str, key: str, status: int) -> None:
    answer = ask(base, bucket, key)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_options_are_checked_before_anything_is_read(base: str) -> None:
    assert ask(base, "clips", "uploads/u1/clip.mp4", sample_rate=0).status_code == 422
    assert ask(base, "clips", "uploads/u1/clip.mp4", sample_rate="3").status_code == 400


def test_a_store_that_denies_is_403(objects: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serving(objects.as_reader(), monkeypatch, tmp_path) as (base, _):
        assert ask(base, "clips", "uploads/u1/clip.mp4").status_code == 403
        assert ask(base, "readable", "clip.mp4").status_code == 200


def test_a_store_that_is_away_is_502(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serving(AwsServer("http://127.0.0.1:9"), monkeypatch, tmp_path) as (base, _):
        answer = ask(base, "clips", "uploads/u1/clip.mp4")
    assert answer.status_code == 502
    assert int(answer.headers["retry-after"]) > 0


def test_a_service_without_credentials_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serving(AwsServer("http://127.0.0.1:9"), monkeypatch, tmp_path) as (base, _):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
        assert ask(base, "clips", "uploads/u1/clip.mp4").status_code == 502
