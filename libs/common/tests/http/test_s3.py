"""`/analyze` with objects of a real S3 server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from sg_common.analysis import Job
from sg_common.aws.objects import ObjectStore, S3Object
from sg_common.errors import Unavailable
from sg_common.http.state import ServiceState
from sg_common.sources.s3 import S3Source

from testbed.analyzer import BytesAnalyzer, bytes_service
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
    server: AwsServer,
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    analyzer: BytesAnalyzer | None = None,
    **settings: Any,
) -> Iterator[tuple[str, ServiceState]]:
    for name, value in aws_environment(server).items():
        monkeypatch.setenv(name, value)
    service = bytes_service(analyzer, work_dir=folder, s3_allow=ALLOWED, max_upload_bytes=1_000_000, **settings)
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
    assert ask(base, "clips", "uploads/u1/clip.mp4", sample_rate="3").status_code == 422
    assert ask(base, "clips", "uploads/u1/clip.mp4", samplerate=3).status_code == 422


def test_a_store_that_denies_is_403(objects: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serving(objects.as_reader(), monkeypatch, tmp_path) as (base, _):
        assert ask(base, "clips", "uploads/u1/clip.mp4").status_code == 403
        assert ask(base, "readable", "clip.mp4").status_code == 200


def test_a_store_that_is_away_is_502(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serving(AwsServer("http://127.0.0.1:9"), monkeypatch, tmp_path) as (base, _):
        answer = ask(base, "clips", "uploads/u1/clip.mp4")
    assert answer.status_code == 502
    assert int(answer.headers["retry-after"]) > 0


@contextmanager
def trickling_store() -> Iterator[tuple[AwsServer, threading.Event]]:
    """A store whose objects never end, and whether one is being read."""
    begun, ended = threading.Event(), threading.Event()

    class Store(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "900000")
            self.end_headers()
            begun.set()
            with suppress(OSError):
                while not ended.wait(0.02):
                    self.wfile.write(b"MEDIA" * 2000)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Store) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield AwsServer(f"http://127.0.0.1:{server.server_port}"), begun
        finally:
            ended.set()
            server.shutdown()


def test_a_caller_who_leaves_during_the_download_frees_the_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    analyzer = BytesAnalyzer()
    places = {"max_concurrency": 1, "max_waiting": 0}
    with (
        trickling_store() as (store, begun),
        serving(store, monkeypatch, tmp_path, analyzer, **places) as (base, state),
    ):
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{base}/analyze", json={"s3_bucket": "readable", "s3_key": "clip.mp4"}, timeout=0.3)
        assert begun.wait(20)
        wait_for(lambda: state.pool.idle)
        upload = httpx.post(f"{base}/analyze", files={"file": b"MEDIA next"}, timeout=30)
        assert upload.status_code == 200
    assert len(analyzer.folders) == 1, "the abandoned object was not judged"


def test_a_download_that_is_late_is_no_long_clip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (
        trickling_store() as (store, _),
        serving(store, monkeypatch, tmp_path, request_timeout_seconds=0.2) as (base, state),
    ):
        answer = ask(base, "readable", "clip.mp4")
        assert answer.status_code == 504
        assert "the whole file did not come" in answer.json()["detail"]
        wait_for(lambda: state.pool.idle)


def test_a_disk_that_refuses_is_this_service_s_own_trouble(
    objects: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serving(objects, monkeypatch, tmp_path / "work") as (base, state):
        monkeypatch.setattr(state.workspace, "request_folder", lambda: tmp_path / "gone")
        for answer in (
            ask(base, "clips", "uploads/u1/clip.mp4"),
            httpx.post(f"{base}/analyze", files={"file": b"MEDIA"}, timeout=30),
        ):
            assert answer.status_code == 503
            assert answer.json()["type"].endswith(":unavailable")
            assert int(answer.headers["retry-after"]) > 0


def test_a_full_disk_is_503(objects: S3Server) -> None:
    store = ObjectStore()
    store.client = objects.client("s3")
    source = S3Source(store, ("clips",), 10_000_000)
    with pytest.raises(Unavailable):
        source.fetch(S3Object("clips", "uploads/large.mp4"), Path("/dev/full"), Job())


def test_a_work_folder_that_vanished_is_503(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serving(AwsServer("http://127.0.0.1:9"), monkeypatch, tmp_path) as (base, state):
        state.workspace.folder.rmdir()
        answer = httpx.post(f"{base}/analyze", files={"file": b"MEDIA"}, timeout=30)
    assert answer.status_code == 503


def test_a_service_without_credentials_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serving(AwsServer("http://127.0.0.1:9"), monkeypatch, tmp_path) as (base, _):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
        assert ask(base, "clips", "uploads/u1/clip.mp4").status_code == 502
