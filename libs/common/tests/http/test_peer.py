"""Both services about one file: one upload, two answers, one beside the other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sg_common.http.state import ServiceState

from testbed.analyzer import BytesAnalyzer, bytes_service
from testbed.running import running, wait_for
from testbed.servers import S3Server, aws_environment, free_ports

from .test_progress import EVENTS, MEDIA, parsed

KEY = {"X-API-Key": "shared"}


@dataclass
class Pair:
    """A video service whose peer is an audio service."""

    base: str
    state: ServiceState
    own: BytesAnalyzer
    peer_base: str
    peer_state: ServiceState
    peer: BytesAnalyzer

    def ask(self, content: bytes | None = MEDIA, **options: Any) -> httpx.Response:
        given = {"headers": KEY, "params": {"peer": "true"}, "content": content, "timeout": 30, **options}
        return httpx.post(f"{self.base}/analyze", **given)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    own, peer = BytesAnalyzer(), BytesAnalyzer()
    with ExitStack() as stack:
        stack.callback(own.let_go.set)
        other = replace(
            bytes_service(peer, work_dir=tmp_path / "audio", api_keys="shared,theirs"), kind="audio", peer=""
        )
        address, peer_state = stack.enter_context(running(other))
        service = bytes_service(own, work_dir=tmp_path / "video", api_keys="shared,ours", peer_url=address + "/")
        base, state = stack.enter_context(running(service))
        stack.callback(peer.let_go.set)
        stack.callback(own.let_go.set)
        yield Pair(base, state, own, address, peer_state, peer)
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert left == [], "work files were left behind"


def problem_code(answer: dict[str, Any]) -> str:
    return str(answer["type"]).rsplit(":", 1)[-1]


@pytest.mark.parametrize(
    "given",
    [
        {"params": {"peer": "true", "policy": "high_recall", "sample_rate": "3"}},
        {
            "params": {},
            "content": None,
            "files": {"file": MEDIA},
            "data": {"peer": "True", "policy": "high_recall", "sample_rate": "3"},
        },
    ],
    ids=["body", "form"],
)
def test_one_upload_gets_both_reports(pair: Pair, given: dict[str, Any]) -> None:
    answer = pair.ask(**given)
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["audio", "video"]
    audio, video = answer.json().values()
    assert audio.pop("processing_seconds") >= 0 <= video.pop("processing_seconds")
    assert audio == video
    assert (audio["bytes_read"], audio["policy"], audio["sample_rate"]) == (len(MEDIA), "high_recall", 3)
    wait_for(lambda: pair.state.pool.idle and pair.peer_state.pool.idle)


def test_events_say_which_service_they_are_about(pair: Pair) -> None:
    with httpx.stream(
        "POST", f"{pair.base}/analyze", params={"peer": "true"}, content=MEDIA, headers={**KEY, **EVENTS}, timeout=30
    ) as answer:
        seen = list(parsed(answer.iter_lines()))
    assert {data["service"] for name, data in seen if name == "progress"} == {"audio", "video"}
    outcomes = {data["service"]: name for name, data in seen if name != "progress"}
    assert outcomes == {"audio": "result", "video": "result"}
    assert len([name for name, _ in seen if name == "result"]) == 2


def test_a_report_stands_beside_the_others_problem(pair: Pair) -> None:
    answer = pair.ask(headers={"Authorization": "Bearer ours"}).json()
    assert answer["video"]["verdict"] == "uncertain"
    assert problem_code(answer["audio"]) == "unauthorized", "the caller's key is the peer's to judge"
    answer = pair.ask(b"text").json()
    assert {problem_code(part) for part in answer.values()} == {"not-media"}
    assert pair.ask(b"MEDIAbug ").json()["audio"]["status"] == 500


def test_a_peers_problem_keeps_its_words_and_its_request(pair: Pair) -> None:
    answer = pair.ask(b"MEDIAsilent ", headers={**KEY, "X-Request-ID": "one"}).json()
    assert answer["audio"] == answer["video"]
    assert (answer["audio"]["request_id"], problem_code(answer["audio"])) == ("one", "missing-stream")


def test_a_caller_who_leaves_cancels_both(pair: Pair) -> None:
    for headers in (KEY, {**KEY, **EVENTS}):
        pair.own.ended.clear()
        pair.peer.ended.clear()
        pair.own.started.clear()
        pair.peer.started.clear()
        request = httpx.Request("POST", f"{pair.base}/analyze?peer=true", content=b"MEDIAwait ", headers=headers)
        with httpx.Client(timeout=1) as client, pytest.raises(httpx.ReadTimeout):
            client.send(request)
        assert pair.own.started.is_set()
        assert pair.peer.started.is_set()
        assert pair.own.ended.wait(10)
        assert pair.peer.ended.wait(10)
        wait_for(lambda: pair.state.pool.idle and pair.peer_state.pool.idle)


def test_what_can_not_be_fetched_is_a_problem_of_both(pair: Pair) -> None:
    answer = pair.ask(content=None, params={}, json={"s3_bucket": "closed", "s3_key": "clip.mp4", "peer": True})
    assert answer.status_code == 200
    assert {problem_code(part) for part in answer.json().values()} == {"forbidden"}
    refused = pair.ask(content=None, params={}, json={"s3_bucket": "closed", "s3_key": "clip.mp4", "peer": "true"})
    assert (refused.status_code, problem_code(refused.json())) == (422, "invalid-option")


def test_an_object_is_fetched_once_and_sent_on(
    pair: Pair, store: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store.client("s3").create_bucket(Bucket="beside")
    store.client("s3").put_object(Bucket="beside", Key="clip.mp4", Body=MEDIA)
    for name, value in aws_environment(store).items():
        monkeypatch.setenv(name, value)
    service = bytes_service(work_dir=tmp_path / "fetching", s3_allow="beside", peer_url=pair.base)
    with running(service) as (base, _):
        body = {"s3_bucket": "beside", "s3_key": "clip.mp4", "peer": True}
        answer = httpx.post(f"{base}/analyze", json=body, headers=KEY, timeout=30).json()
    assert answer["audio"]["sha256"] == answer["video"]["sha256"] == hashlib.sha256(MEDIA).hexdigest()


def test_a_job_is_one_services_own(pair: Pair) -> None:
    answer = pair.ask(headers={**KEY, "Prefer": "respond-async"})
    assert (answer.status_code, problem_code(answer.json())) == (422, "invalid-option")
    assert "job" in answer.json()["detail"]


def test_an_absent_peer_is_a_problem_beside_the_report(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    service = bytes_service(work_dir=tmp_path, peer_url=f"http://127.0.0.1:{port}")
    with running(service) as (base, _):
        answer = httpx.post(f"{base}/analyze?peer=true", content=MEDIA, timeout=30).json()
        assert answer["video"]["verdict"] == "uncertain"
        assert (answer["audio"]["status"], problem_code(answer["audio"])) == (503, "unavailable")
        assert str(port) not in answer["audio"]["detail"], "where the peer is concerns the operator alone"
        with httpx.stream("POST", f"{base}/analyze?peer=true", content=MEDIA, headers=EVENTS, timeout=30) as events:
            outcomes = {data["service"]: name for name, data in parsed(events.iter_lines()) if name != "progress"}
        assert outcomes == {"audio": "problem", "video": "result"}


def test_what_is_no_service_is_a_problem_too(pair: Pair, tmp_path: Path) -> None:
    # The address leads to a page, not to a service.
    service = bytes_service(work_dir=tmp_path / "other", peer_url=f"{pair.base}/nowhere")
    with running(service) as (base, _):
        answer = httpx.post(f"{base}/analyze?peer=true", content=MEDIA, timeout=30).json()
        assert answer["audio"]["status"] in (404, 503)
        assert answer["video"]["verdict"] == "uncertain"


@pytest.mark.parametrize("peer", ["true", "false", "yes", "1", ""])
def test_a_service_without_a_peer_says_so(service: tuple[str, ServiceState], peer: str) -> None:
    base, state = service
    answers = [
        httpx.post(f"{base}/analyze", params={"peer": peer}, content=MEDIA, timeout=30),
        httpx.post(f"{base}/analyze", data={"peer": peer}, files={"file": MEDIA}, timeout=30),
    ]
    for answer in answers:
        assert answer.status_code == (200 if peer == "false" else 422), answer.text
        if peer == "true":
            assert "SG_PEER_URL" in answer.json()["detail"]
    wait_for(lambda: state.pool.idle)


def test_the_description_has_both_where_both_can_be_asked(pair: Pair) -> None:
    described = json.dumps(httpx.get(f"{pair.base}/openapi.json").json())
    assert "BothReports" in described
    assert "PeerReport" in described
    described = json.dumps(httpx.get(f"{pair.peer_base}/openapi.json").json())
    assert "BothReports" not in described
    assert '"peer"' in described
