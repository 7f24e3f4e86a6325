"""How an analysis goes, as server-sent events."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sg_common.analysis import Job, Progress, Stage
from sg_common.http import events
from sg_common.http.preferences import wants_events, wants_job
from sg_common.http.state import ServiceState
from sg_common.jobs import StageProgress
from starlette.datastructures import Headers

from testbed.analyzer import BytesAnalyzer, bytes_service
from testbed.running import running, wait_for
from testbed.servers import S3Server, aws_environment

Service = tuple[str, ServiceState]
Event = tuple[str, Any]
EVENTS = {"Accept": "text/event-stream"}
MEDIA = b"MEDIA " + bytes(range(256)) * 40


def parsed(lines: Iterator[str]) -> Iterator[Event]:
    """Events as they come; a comment is one without a name."""
    name, data = "", ""
    for line in lines:
        if line.startswith(":"):
            yield "", line
        elif line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            data = line.removeprefix("data: ")
        elif name:
            yield name, json.loads(data)
            name = ""


def ask(base: str, content: bytes = MEDIA, **options: Any) -> list[Event]:
    with httpx.stream("POST", f"{base}/analyze", content=content, headers=EVENTS, timeout=30, **options) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        return list(parsed(answer.iter_lines()))


@pytest.mark.parametrize("body", [{"content": MEDIA}, {"files": {"file": MEDIA}, "data": {"policy": "high_recall"}}])
def test_progress_comes_first_and_then_the_report(service: Service, body: dict[str, Any]) -> None:
    base, state = service
    with httpx.stream("POST", f"{base}/analyze", headers=EVENTS, timeout=30, **body) as answer:
        *before, (name, report) = parsed(answer.iter_lines())
    assert {name for name, _ in before} == {"progress"}
    assert all(set(data) == {"stage", "done"} for _, data in before)
    assert name == "result"
    plain = httpx.post(f"{base}/analyze", timeout=30, **body).json()
    seconds = "processing_seconds"
    assert {**report, seconds: 0} == {**plain, seconds: 0}
    wait_for(lambda: state.pool.idle)


def test_progress_says_how_much_is_done(service: Service, analyzer: BytesAnalyzer) -> None:
    base, _ = service
    content = b"MEDIAwait 123456"
    with httpx.stream("POST", f"{base}/analyze", content=content, headers=EVENTS, timeout=30) as answer:
        coming = parsed(answer.iter_lines())
        assert ("progress", {"stage": "analysing", "done": 0.25}) in (next(coming) for _ in range(3))
        analyzer.let_go.set()
        assert [name for name, _ in coming][-1] == "result"


def test_those_who_wait_for_a_turn_are_told(service: Service, analyzer: BytesAnalyzer) -> None:
    base, state = service
    with httpx.stream("POST", f"{base}/analyze", content=b"MEDIAwait x", headers=EVENTS, timeout=30) as first:
        analyzer.started.wait(20)
        with httpx.stream("POST", f"{base}/analyze", content=MEDIA, headers=EVENTS, timeout=30) as second:
            coming = parsed(second.iter_lines())
            assert next(coming) == ("progress", {"stage": "waiting", "done": None})
            busy = httpx.post(f"{base}/analyze", content=MEDIA, headers=EVENTS)
            assert (busy.status_code, busy.headers["retry-after"]) == (429, "5")
            analyzer.let_go.set()
            assert list(coming)[-1][0] == "result"
        assert list(parsed(first.iter_lines()))[-1][0] == "result"
    wait_for(lambda: state.pool.idle)


@pytest.mark.parametrize(
    ("content", "code", "status"), [(b"text", "not-media", 415), (b"MEDIAbug x", "internal-error", 500)]
)
def test_what_goes_wrong_on_the_way_is_an_event(service: Service, content: bytes, code: str, status: int) -> None:
    base, state = service
    name, problem = ask(base, content)[-1]
    assert name == "problem"
    assert (problem["type"].rpartition(":")[2], problem["status"]) == (code, status)
    assert problem["request_id"]
    wait_for(lambda: state.pool.idle)
    assert f'analyses_total{{outcome="{code}"}} 1.0' in httpx.get(f"{base}/metrics").text


def test_what_is_refused_before_is_a_problem_like_any_other(service: Service) -> None:
    base, _ = service
    refused = httpx.post(f"{base}/analyze", params={"samplerate": "3"}, content=MEDIA, headers=EVENTS)
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"


def test_a_caller_who_leaves_frees_the_place(service: Service, analyzer: BytesAnalyzer) -> None:
    base, state = service
    with httpx.stream("POST", f"{base}/analyze", content=b"MEDIAwait x", headers=EVENTS, timeout=30) as answer:
        next(parsed(answer.iter_lines()))
        analyzer.started.wait(20)
        assert not state.pool.idle
    wait_for(lambda: state.pool.idle)
    assert analyzer.ended.is_set()
    assert 'analyses_total{outcome="cancelled"} 1.0' in httpx.get(f"{base}/metrics").text


def test_a_caller_who_reads_nothing_holds_no_place(service: Service, analyzer: BytesAnalyzer) -> None:
    base, state = service
    address = urlsplit(base)
    head = b"POST /analyze HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nContent-Length: 11\r\n\r\n"
    with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
        connection.sendall(head + b"MEDIAwait x")
        analyzer.started.wait(20)
        analyzer.let_go.set()
        wait_for(lambda: state.pool.idle)


def test_a_quiet_connection_is_kept(service: Service, analyzer: BytesAnalyzer, monkeypatch: pytest.MonkeyPatch) -> None:
    base, _ = service
    monkeypatch.setattr(events, "KEEP_ALIVE_SECONDS", 0.5)
    with httpx.stream("POST", f"{base}/analyze", content=b"MEDIAwait x", headers=EVENTS, timeout=30) as answer:
        coming = parsed(answer.iter_lines())
        assert any(name == "" for name, _ in coming)
        analyzer.let_go.set()
        assert [name for name, _ in coming][-1] == "result"


def test_an_object_is_fetched_before_the_callers_eyes(
    store: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    s3 = store.client("s3")
    s3.create_bucket(Bucket="progress")
    s3.put_object(Bucket="progress", Key="clip.mp4", Body=MEDIA)
    for name, value in aws_environment(store).items():
        monkeypatch.setenv(name, value)
    with running(bytes_service(work_dir=tmp_path, s3_allow="progress")) as (base, state):
        for key, last in (("clip.mp4", "result"), ("other.mp4", "problem")):
            body = {"s3_bucket": "progress", "s3_key": key}
            with httpx.stream("POST", f"{base}/analyze", json=body, headers=EVENTS, timeout=30) as answer:
                seen = list(parsed(answer.iter_lines()))
            assert seen[0] == ("progress", {"stage": "fetching", "done": None})
            assert seen[-1][0] == last
        wait_for(lambda: state.pool.idle)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("text/event-stream", True),
        ("Text/Event-Stream; q=0.5", True),
        ("application/json, text/event-stream", True),
        ("application/json, text/event-stream;q=0.5", False),
        ("text/event-stream;q=0", False),
        ("text/event-stream;q=much", False),
        ("application/json", False),
        ("*/*", False),
        ("text/*", False),
        ("", False),
    ],
)
def test_events_are_for_those_who_name_them(accept: str, wanted: bool) -> None:
    assert wants_events(Headers({"accept": accept})) is wanted


@pytest.mark.parametrize(
    ("prefer", "wanted"),
    [
        ("respond-async", True),
        ("wait=10, Respond-Async", True),
        ("respond-async; x=1", True),
        ("wait=10", False),
        ("", False),
    ],
)
def test_jobs_are_for_those_who_prefer_them(prefer: str, wanted: bool) -> None:
    assert wants_job(Headers({"prefer": prefer})) is wanted


def test_a_stage_begins_with_nothing_known() -> None:
    job = Job(stage=Stage.FETCHING)
    job.progress(1, 3)
    assert StageProgress.of(job) == StageProgress(stage=Stage.FETCHING, done=0.3333)
    job.begin(Stage.WAITING)
    assert StageProgress.of(job) == StageProgress(stage=Stage.WAITING, done=None)
    assert Progress(4, 3).fraction == 1
