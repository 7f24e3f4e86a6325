"""How a file and its options may come, and from where."""

from __future__ import annotations

import gzip
import hashlib
import socket
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sg_common.http.app import create_app
from sg_common.http.state import ServiceState
from sg_common.serving.server import DrainingServer, listen

from testbed.analyzer import bytes_service
from testbed.running import running, wait_for

Service = tuple[str, ServiceState]
MEDIA = b"MEDIA " + bytes(range(256)) * 40
ORIGIN = "https://app.example"


def send(base: str, content: bytes = MEDIA, kind: str | None = None, **options: Any) -> httpx.Response:
    headers = {**({"Content-Type": kind} if kind else {}), **options.pop("headers", {})}
    return httpx.post(f"{base}/analyze", content=content, headers=headers, timeout=30, **options)


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["detail"]


@pytest.mark.parametrize(
    "kind", [None, "video/mp4", "application/octet-stream", "application/x-www-form-urlencoded", "text/plain", "%", ";"]
)
def test_the_body_may_be_the_file_whatever_it_is_called(service: Service, kind: str | None) -> None:
    base, _ = service
    answer = send(base, kind=kind)
    assert answer.status_code == 200, answer.text
    assert answer.json()["bytes_read"] == len(MEDIA)
    assert answer.json()["sha256"] == hashlib.sha256(MEDIA).hexdigest()


def test_a_body_that_comes_in_chunks_is_the_file_too(service: Service) -> None:
    base, _ = service
    answer = httpx.post(f"{base}/analyze", content=iter([MEDIA, MEDIA]), timeout=30)
    assert answer.json()["bytes_read"] == 2 * len(MEDIA)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_is_held_to_the_files_limit(service: Service, chunked: bool) -> None:
    base, state = service
    data = b"MEDIA " + bytes(3_000_000)
    answer = httpx.post(f"{base}/analyze", content=iter([data]) if chunked else data, timeout=30)
    assert answer.status_code == 413
    wait_for(lambda: state.pool.idle)


def test_an_empty_body_is_told_what_to_send(service: Service) -> None:
    base, _ = service
    status, detail = problem(send(base, b""))
    assert status == 400
    assert "--data-binary @clip.mp4" in detail


def test_a_stalled_body_is_timed_out(service: Service) -> None:
    base, state = service
    address = urlsplit(base)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=20) as connection:
        connection.sendall(b"POST /analyze HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\nMEDIA ")
        assert b" 408 " in connection.recv(65536).splitlines()[0]
    wait_for(lambda: state.pool.idle)


@pytest.mark.parametrize("name", ["gzip", "br", "gzip, identity"])
def test_a_compressed_body_is_refused_by_its_name(service: Service, name: str) -> None:
    base, _ = service
    answer = send(base, gzip.compress(MEDIA), "video/mp4", headers={"Content-Encoding": name})
    status, detail = problem(answer)
    assert status == 415
    assert f"Content-Encoding: {name}" in detail
    assert answer.headers["accept-encoding"] == "identity"
    assert send(base, headers={"Content-Encoding": "identity"}).status_code == 200


def test_options_may_be_in_the_query(service: Service) -> None:
    base, _ = service
    answer = send(base, params={"sample_rate": 7, "policy": "high_recall"}).json()
    assert (answer["sample_rate"], answer["policy"]) == (7, "high_recall")
    form = {"files": {"file": MEDIA}, "data": {"sample_rate": "7"}, "params": {"policy": "high_recall"}}
    mixed = httpx.post(f"{base}/analyze", timeout=30, **form).json()  # type: ignore[arg-type]
    assert (mixed["sample_rate"], mixed["policy"]) == (7, "high_recall")


@pytest.mark.parametrize(
    ("query", "form", "words"),
    [
        ("samplerate=3", {}, "samplerate: no such option; there are sample_rate, policy"),
        ("", {"samplerate": "3"}, "samplerate: no such option"),
        ("sample_rate=0", {}, "sample_rate: "),
        ("sample_rate=", {}, "sample_rate: "),
        ("policy=bold", {}, "policy: "),
        ("sample_rate=3&sample_rate=3", {}, "given twice"),
        ("sample_rate=3", {"sample_rate": "3"}, "sample_rate: given in the query and in the body"),
        ("policy=balanced", {}, "has not been measured for balanced"),
    ],
)
def test_options_that_cannot_be_are_refused(service: Service, query: str, form: dict[str, str], words: str) -> None:
    base, state = service
    status, detail = problem(httpx.post(f"{base}/analyze?{query}", files={"file": MEDIA}, data=form, timeout=30))
    assert status == 422
    assert words in detail
    wait_for(lambda: state.pool.idle)


def test_json_has_the_same_options(service: Service) -> None:
    base, _ = service
    body = {"s3_bucket": "b", "s3_key": "k"}
    status, detail = problem(httpx.post(f"{base}/analyze", json={**body, "samplerate": 3}))
    assert (status, detail.split(";")[0]) == (422, "samplerate: no such option")
    assert problem(httpx.post(f"{base}/analyze?policy=balanced", json={**body, "policy": "balanced"}))[0] == 422


def test_an_answer_says_at_which_operating_point_it_was_given(service: Service) -> None:
    base, _ = service
    usual = send(base).json()
    assert usual["policy"] == "low_false_alarm"
    assert usual["thresholds"] == {"likely_authentic": 0.2, "likely_deepfake": 0.8}
    worth = {"false_alarm_rate": 0.04, "false_alarm_interval": [0.02, 0.06], "detection_rate": 0.5}
    assert usual["policy_rates"] == worth
    other = send(base, params={"policy": "high_recall"}).json()
    assert other["thresholds"] == {"likely_authentic": 0.1, "likely_deepfake": 0.3}
    assert other["policy_rates"] is None


def test_numbers_have_four_decimals(service: Service) -> None:
    base, _ = service
    answer = send(base, b"MEDIA of length 23 bytes").json()
    assert answer["share_of_odd_bytes"] == answer["probability"]
    numbers = [value for value in answer.values() if isinstance(value, float)]
    assert numbers == [round(value, 4) for value in numbers]


def test_pages_of_named_origins_may_call(tmp_path: Path) -> None:
    with running(bytes_service(work_dir=tmp_path, cors_origins=ORIGIN, api_keys="one")) as (base, _):
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
        preflight = httpx.options(f"{base}/analyze", headers={"Origin": ORIGIN, **asked})
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == ORIGIN
        assert preflight.headers["access-control-allow-headers"] == "x-api-key"
        assert preflight.headers["x-request-id"]
        for data, status in ((MEDIA, 200), (b"MEDIAbug x", 500)):
            answer = send(base, data, headers={"Origin": ORIGIN, "X-API-Key": "one"})
            assert answer.status_code == status
            assert answer.headers["access-control-allow-origin"] == ORIGIN
            assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
        refused = send(base, headers={"Origin": ORIGIN})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, ORIGIN)
        assert "access-control-allow-origin" not in httpx.get(base, headers={"Origin": "https://other.example"}).headers


def test_no_origin_may_call_by_default(service: Service) -> None:
    base, _ = service
    assert "access-control-allow-origin" not in httpx.get(base, headers={"Origin": ORIGIN}).headers


def test_a_proxy_may_mount_the_service_below_a_path(tmp_path: Path) -> None:
    with running(bytes_service(work_dir=tmp_path, root_path="/video")) as (base, _):
        # Whether the proxy takes the path away or leaves it.
        for place in (base, f"{base}/video"):
            assert httpx.get(f"{place}/health").status_code == 200
            assert send(place).status_code == 200
        assert httpx.get(f"{base}/openapi.json").json()["servers"] == [{"url": "/video"}]
        assert "/video/openapi.json" in httpx.get(f"{base}/docs").text
        counted = 'silver_guardian_http_requests_total{method="POST",route="/analyze",status="200"} 2.0'
        assert counted in httpx.get(f"{base}/metrics").text


def test_idle_connections_outlive_those_of_load_balancers(tmp_path: Path) -> None:
    state = ServiceState(service := bytes_service(work_dir=tmp_path), service.settings())
    try:
        server = DrainingServer(create_app(state, lambda _: None), state)
        assert server.config.timeout_keep_alive == 75
    finally:
        state.close()


def test_an_idle_connection_is_closed_when_its_time_is_over(tmp_path: Path) -> None:
    service = bytes_service(work_dir=tmp_path, keep_alive_seconds=1)
    state = ServiceState(service, service.settings())
    with listen(state.settings) as listener:
        server = DrainingServer(create_app(state, lambda _: None), state)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        with socket.create_connection(listener.getsockname(), timeout=30) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 200 " in connection.recv(65536)
            while connection.recv(65536):
                pass
        server.should_exit = True
        thread.join(30)
