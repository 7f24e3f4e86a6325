"""Jobs: work that goes on while nobody waits on the connection."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sg_common.errors import SettingsError
from sg_common.http import jobs as jobs_module
from sg_common.http.state import ServiceState

from testbed.analyzer import BytesAnalyzer, bytes_service
from testbed.running import running, wait_for

ASYNC = {"Prefer": "respond-async"}
MEDIA = b"MEDIA " + bytes(range(256)) * 40
WAITING = b"MEDIAwait 123456"
DATABASE = "jobs-video.sqlite3"


@pytest.fixture
def served(analyzer: BytesAnalyzer, tmp_path: Path) -> Iterator[tuple[str, ServiceState]]:
    """A running service with room for one analysis and one that waits."""
    with serving(tmp_path, analyzer, max_concurrency=1, max_waiting=1) as running_service:
        yield running_service
        analyzer.let_go.set()


@contextmanager
def serving(folder: Path, analyzer: BytesAnalyzer | None = None, **settings: Any) -> Iterator[tuple[str, ServiceState]]:
    with running(bytes_service(analyzer, work_dir=folder, **settings)) as running_service:
        yield running_service
    assert {path.name for path in folder.iterdir()} <= {DATABASE}, "work files were left behind"


def ask(base: str, content: bytes = MEDIA, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.post(f"{base}/analyze", content=content, headers={**ASYNC, **(headers or {})}, timeout=30)


def take(base: str, content: bytes = MEDIA) -> str:
    """The place of a new job."""
    answer = ask(base, content)
    assert answer.status_code == 202, answer.text
    return base + answer.headers["location"]


def ended(job: str) -> dict[str, Any]:
    document: dict[str, Any] = {}
    wait_for(lambda: document.update(httpx.get(job).json()) or document["status"] in ("done", "failed"))
    return document


def test_a_job_answers_in_the_language_that_was_asked_for(served: tuple[str, ServiceState]) -> None:
    base, _ = served
    job = base + ask(base, headers={"Accept-Language": "ko"}).headers["location"]
    assert ended(job)["result"]["summary"].startswith("이 파일만으로는")


def test_a_job_is_done_in_its_time(served: tuple[str, ServiceState], analyzer: BytesAnalyzer, tmp_path: Path) -> None:
    base, state = served
    answer = ask(base, WAITING)
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "respond-async"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["retry-after"] == "1"
    first = answer.json()
    assert answer.headers["location"] == f"/jobs/{first['id']}"
    job = base + answer.headers["location"]
    analyzer.started.wait(20)
    wait_for(lambda: httpx.get(job).json()["progress"]["done"] == 0.25)
    during = httpx.get(job)
    assert during.headers["cache-control"] == "no-store"
    assert during.json() == {
        "id": first["id"],
        "status": "running",
        "progress": {"stage": "analysing", "done": 0.25},
        "result": None,
        "problem": None,
        "created": first["created"],
        "expires": None,
    }
    analyzer.let_go.set()
    after = ended(job)
    assert after["status"] == "done"
    assert (after["progress"], after["problem"]) == (None, None)
    assert "retry-after" not in httpx.get(job).headers
    kept = datetime.fromisoformat(after["expires"]) - datetime.fromisoformat(after["created"])
    assert timedelta(seconds=3600) < kept < timedelta(seconds=3660)
    plain = httpx.post(f"{base}/analyze", content=WAITING, timeout=30).json()
    assert {**after["result"], "processing_seconds": 0} == {**plain, "processing_seconds": 0}
    wait_for(lambda: state.pool.idle)
    assert not any(path.name == "media" for path in tmp_path.rglob("*"))
    metrics = httpx.get(f"{base}/metrics").text
    assert 'silver_guardian_jobs_total{status="queued"} 1.0' in metrics
    assert 'silver_guardian_jobs_total{status="done"} 1.0' in metrics


def test_a_job_and_a_stream_speak_their_callers_language(served: tuple[str, ServiceState]) -> None:
    base, _ = served
    plain = httpx.post(f"{base}/analyze?lang=ko", content=MEDIA, timeout=30).json()
    job = base + ask(base, headers={"Accept-Language": "ko"}).headers["location"]
    assert ended(job)["result"]["summary"] == plain["summary"]
    stream = ask(base, headers={"Accept-Language": "ko", "Accept": "text/event-stream"}).text
    assert json.loads(stream.split("event: result\ndata: ")[1])["summary"] == plain["summary"]


@pytest.mark.parametrize(("content", "code"), [(b"text", "not-media"), (b"MEDIAbug x", "internal-error")])
def test_a_job_fails_with_a_problem(served: tuple[str, ServiceState], content: bytes, code: str) -> None:
    base, _ = served
    answer = ask(base, content, headers={"X-Request-ID": "mine"})
    document = ended(base + answer.headers["location"])
    assert (document["status"], document["result"]) == ("failed", None)
    assert document["problem"]["type"].endswith(code)
    assert document["problem"]["request_id"] == "mine"


def test_an_object_that_is_not_allowed_fails_its_job(served: tuple[str, ServiceState]) -> None:
    base, _ = served
    answer = httpx.post(f"{base}/analyze", json={"s3_bucket": "b", "s3_key": "k"}, headers=ASYNC)
    assert answer.status_code == 202
    assert ended(base + answer.headers["location"])["problem"]["status"] == 403


def test_jobs_have_places_like_others(served: tuple[str, ServiceState], analyzer: BytesAnalyzer) -> None:
    base, state = served
    first = take(base, WAITING)
    analyzer.started.wait(20)
    second = take(base)
    waits = httpx.get(second).json()
    assert (waits["status"], waits["progress"]) == ("queued", {"stage": "waiting", "done": None})
    busy = ask(base)
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "5")
    assert ask(base, headers={"Accept": "text/event-stream"}).status_code == 429
    analyzer.let_go.set()
    assert ended(first)["status"] == ended(second)["status"] == "done"
    wait_for(lambda: state.pool.idle)


def test_to_remove_a_job_cancels_it(served: tuple[str, ServiceState], analyzer: BytesAnalyzer) -> None:
    base, state = served
    job = take(base, WAITING)
    analyzer.started.wait(20)
    removed = httpx.delete(job)
    assert (removed.status_code, removed.content) == (204, b"")
    assert httpx.get(job).status_code == 404
    assert httpx.delete(job).status_code == 404
    wait_for(lambda: state.pool.idle)
    assert analyzer.ended.is_set()
    metrics = httpx.get(f"{base}/metrics").text
    assert 'silver_guardian_jobs_total{status="cancelled"} 1.0' in metrics
    assert 'analyses_total{outcome="cancelled"} 1.0' in metrics
    done = take(base)
    ended(done)
    assert httpx.delete(done).status_code == 204
    assert httpx.get(done).status_code == 404


def test_an_unknown_job_is_a_problem(served: tuple[str, ServiceState]) -> None:
    base, _ = served
    for answer in (httpx.get(f"{base}/jobs/0"), httpx.delete(f"{base}/jobs/0")):
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"].endswith("not-found")


def test_other_methods_are_told_which_there_are(served: tuple[str, ServiceState]) -> None:
    base, _ = served
    answer = httpx.put(f"{base}/jobs/0")
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET")
    assert httpx.get(f"{base}/analyze").headers["allow"] == "POST"


def test_a_job_is_forgotten_when_its_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "SWEEP_SECONDS", 0.1)
    with serving(tmp_path, job_ttl_seconds=1) as (base, _):
        job = take(base)
        wait_for(lambda: httpx.get(job).status_code == 404)
        wait_for(lambda: not any(b"odd_bytes" in path.read_bytes() for path in tmp_path.glob("jobs-*")))


def test_jobs_need_a_key_where_others_do(tmp_path: Path) -> None:
    with serving(tmp_path, api_keys="one") as (base, _):
        assert ask(base).status_code == 401
        job = base + ask(base, headers={"X-API-Key": "one"}).headers["location"]
        assert httpx.get(job).status_code == httpx.delete(job).status_code == 401
        assert httpx.get(job, headers={"Authorization": "Bearer one"}).status_code == 200
        assert httpx.delete(job, headers={"X-API-Key": "one"}).status_code == 204


def test_the_place_of_a_job_is_told_with_the_path_of_a_proxy(tmp_path: Path) -> None:
    with serving(tmp_path, root_path="/video") as (base, _):
        place = ask(base).headers["location"]
        assert place.startswith("/video/jobs/")
        assert httpx.get(base + place).status_code == 200


def test_without_jobs_the_answer_is_given_at_once(tmp_path: Path) -> None:
    with serving(tmp_path, jobs="off") as (base, _):
        answer = ask(base)
        assert (answer.status_code, answer.json()["bytes_read"]) == (200, len(MEDIA))
        assert "preference-applied" not in answer.headers
        assert httpx.get(f"{base}/jobs/0").status_code == 404
        description = httpx.get(f"{base}/openapi.json").json()
        assert "/jobs/{id}" not in description["paths"]
        assert "202" not in description["paths"]["/analyze"]["post"]["responses"]
    assert list(tmp_path.iterdir()) == []


def test_whoever_accepts_events_alone_gets_events(served: tuple[str, ServiceState]) -> None:
    base, _ = served
    answer = ask(base, headers={"Accept": "text/event-stream"})
    assert answer.headers["content-type"].startswith("text/event-stream")


def test_the_description_has_a_typed_document(served: tuple[str, ServiceState]) -> None:
    base, _ = served
    description = httpx.get(f"{base}/openapi.json").json()
    document = description["components"]["schemas"]["Job"]
    assert set(document["required"]) == {"id", "status", "progress", "result", "problem", "created", "expires"}
    assert {"$ref": "#/components/schemas/BytesReport"} in document["properties"]["result"]["anyOf"]
    taken = description["paths"]["/analyze"]["post"]["responses"]["202"]
    assert taken["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Job"}


def test_a_drain_lets_jobs_end(analyzer: BytesAnalyzer, tmp_path: Path) -> None:
    with serving(tmp_path, analyzer, drain_seconds=0, grace_seconds=20) as (base, state):
        job = take(base, WAITING)
        analyzer.started.wait(20)
        state.drain()
        assert ask(base).status_code == 503
        analyzer.let_go.set()
    with serving(tmp_path) as (base, _):
        assert httpx.get(base + httpx.URL(job).path).json()["status"] == "done"


def test_jobs_that_take_too_long_for_the_drain_have_failed(analyzer: BytesAnalyzer, tmp_path: Path) -> None:
    with serving(tmp_path, analyzer, drain_seconds=0, grace_seconds=0.5) as (base, state):
        job = take(base, WAITING)
        analyzer.started.wait(20)
        state.drain()
    assert analyzer.ended.is_set()
    with serving(tmp_path) as (base, _):
        document = httpx.get(base + httpx.URL(job).path).json()
        assert (document["status"], document["problem"]["status"]) == ("failed", 503)
        assert document["expires"]


SERVER = """
import sys; from pathlib import Path
from sg_common.http.app import serve
from testbed.analyzer import bytes_service
service = bytes_service(work_dir=Path(sys.argv[1]), port=int(sys.argv[2]))
serve(service, service.settings())
"""


def test_jobs_survive_a_kill(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path), str(port)], stderr=subprocess.DEVNULL
    ) as process:
        wait_for(lambda: is_ready(base))
        done, unfinished = take(base), take(base, WAITING)
        report = ended(done)
        wait_for(lambda: httpx.get(unfinished).json()["status"] == "running")
        os.kill(process.pid, signal.SIGKILL)
    with serving(tmp_path) as (base, _):
        assert httpx.get(base + httpx.URL(done).path).json() == report
        document = httpx.get(base + httpx.URL(unfinished).path).json()
        assert document["status"] == "failed"
        assert document["problem"]["type"].endswith("unavailable")
        assert "send the request again" in document["problem"]["detail"]
        assert 'silver_guardian_jobs_total{status="failed"} 1.0' in httpx.get(f"{base}/metrics").text


def is_ready(base: str) -> bool:
    try:
        return httpx.get(f"{base}/ready").status_code == 200
    except httpx.TransportError:
        return False


def test_an_instance_beside_leaves_jobs_alone(analyzer: BytesAnalyzer, tmp_path: Path) -> None:
    with running(bytes_service(analyzer, work_dir=tmp_path)) as (base, _):
        job = take(base, WAITING)
        with running(bytes_service(work_dir=tmp_path)) as (other, _):
            seen = httpx.get(other + httpx.URL(job).path).json()
            assert (seen["status"], seen["progress"]) == ("running", None)
        analyzer.let_go.set()
        assert ended(job)["status"] == "done"


def test_a_full_disk_refuses_jobs_and_loses_none(
    served: tuple[str, ServiceState], analyzer: BytesAnalyzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, state = served
    monkeypatch.setattr(jobs_module, "RETRY_SECONDS", 0.1)
    job = take(base, WAITING)
    assert state.jobs is not None
    connection = state.jobs._store._connection
    assert connection is not None
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute("PRAGMA journal_size_limit = 0")
    connection.execute(f"PRAGMA max_page_count = {pages}")
    fill(connection)
    refused = ask(base)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
    analyzer.let_go.set()
    wait_for(lambda: state.pool.idle)
    connection.execute("PRAGMA max_page_count = 100000")
    assert ended(job)["status"] == "done"


def fill(connection: sqlite3.Connection) -> None:
    for size in (1000, 100, 10, 1):
        try:
            while True:
                connection.execute(
                    "INSERT INTO jobs VALUES (?, 'x', 'done', ?, 0, 9e9)", (str(time.time_ns()), "x" * size)
                )
        except sqlite3.OperationalError:
            pass


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"no database" * 100)
    service = bytes_service(work_dir=tmp_path)
    with pytest.raises(SettingsError, match=f"SG_WORK_DIR: .*{DATABASE} cannot be used"):
        ServiceState(service, service.settings())
    assert [path.name for path in tmp_path.iterdir()] == [DATABASE]
