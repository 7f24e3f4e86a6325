"""What every answer carries, and what each failure looks like."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sg_common.errors import BundleError
from sg_common.http.description import FAILURES
from sg_common.http.state import ServiceState

from testbed.analyzer import BytesAnalyzer, bytes_service
from testbed.running import running, wait_for

Service = tuple[str, ServiceState]
MEDIA = b"MEDIA " + bytes(range(256)) * 40


def post(base: str, data: bytes = MEDIA, **options: Any) -> httpx.Response:
    return httpx.post(base + "/analyze", files={"file": ("clip.mp4", data, "video/mp4")}, timeout=30, **options)


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == "urn:silver-guardian:problem:" + code
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


def test_the_small_routes(service: Service) -> None:
    base, _ = service
    assert httpx.get(base + "/").json() == {"service": "video-analyzer", "version": "0.1.0", "status": "ready"}
    assert httpx.get(base + "/health").json()["status"] == "healthy"
    model = {"name": "odd-bytes", "version": "1.0.0", "variant": "fp32", "reason": "the only variant"}
    assert httpx.get(base + "/ready").json()["model"] == model
    assert httpx.get(base + "/docs").status_code == 200


def test_the_description_names_both_bodies_and_every_status(service: Service) -> None:
    base, _ = service
    description = httpx.get(base + "/openapi.json").json()
    operation = description["paths"]["/analyze"]["post"]
    bodies = {"multipart/form-data", "application/json", "application/octet-stream"}
    assert set(operation["requestBody"]["content"]) == bodies
    names = {parameter["name"] for parameter in operation["parameters"]}
    assert names == {"sample_rate", "policy", "lang", "peer", "Prefer"}
    assert operation["security"] == [{"ApiKey": []}, {"Bearer": []}, {}]
    listed = {"200", "202", "400", "401", "403", "404", "408", "413", "415", "422", "429", "502", "503", "504"}
    assert set(operation["responses"]) == listed
    for failure in FAILURES:
        answer = operation["responses"][str(failure.status)]
        assert failure.title in answer["description"]
        assert answer["content"] == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    schemas = description["components"]["schemas"]
    assert "detail" in schemas["Problem"]["properties"]
    for name in ("AnalyzeForm", "S3Request"):
        assert {"sample_rate", "policy"} <= set(schemas[name]["properties"])


def test_operations_have_ids_that_clients_are_named_by(service: Service) -> None:
    base, _ = service
    paths = httpx.get(base + "/openapi.json").json()["paths"]
    ids = {operation["operationId"] for methods in paths.values() for operation in methods.values()}
    assert ids == {"service_info", "health", "ready", "metrics", "analyze", "read_job", "delete_job"}


def test_an_upload_is_judged(service: Service) -> None:
    base, _ = service
    answer = post(base, data=MEDIA)
    assert answer.status_code == 200
    body = answer.json()
    assert body["bytes_read"] == len(MEDIA)
    assert body["status"] == "success"
    assert body["model"] == {"name": "odd-bytes", "version": "1.0.0", "variant": "fp32"}
    assert body["message"] is None


@pytest.mark.parametrize(
    ("way", "header", "language"),
    [
        ({}, None, "en"),
        ({}, "ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ({}, "fr", "en"),
        ({"data": {"lang": "ko"}}, "en", "ko"),
        ({"params": {"lang": "en"}}, "ko", "en"),
    ],
)
def test_an_answer_speaks_its_readers_language(
    service: Service, way: dict[str, Any], header: str | None, language: str
) -> None:
    base, _ = service
    headers = {} if header is None else {"Accept-Language": header}
    answer = httpx.post(base + "/analyze", files={"file": MEDIA}, headers=headers, **way)
    assert (answer.status_code, answer.headers["content-language"]) == (200, language)
    assert answer.headers["vary"] == "Accept-Language"
    body = answer.json()
    summary = {"en": "This file shows too little to call it genuine", "ko": "이 파일만으로는 진짜인지 가짜인지"}
    assert body["summary"].startswith(summary[language])
    assert [reason["code"] for reason in body["reasons"]][-2:] == ["measured", "verify"]


def test_a_language_that_is_not_spoken(service: Service) -> None:
    base, _ = service
    assert_problem(httpx.post(base + "/analyze?lang=tlh", files={"file": MEDIA}), 422, "invalid-option")


def test_the_same_file_gives_the_same_score(service: Service) -> None:
    base, _ = service
    assert post(base).json()["share_of_odd_bytes"] == post(base).json()["share_of_odd_bytes"]


def test_a_sane_request_id_is_kept_and_another_replaced(service: Service) -> None:
    base, _ = service
    assert httpx.get(base + "/health", headers={"X-Request-ID": "abc-123"}).headers["x-request-id"] == "abc-123"
    replaced = httpx.get(base + "/health", headers={"X-Request-ID": "a b<script>" + "x" * 300}).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", replaced)


@pytest.mark.parametrize("value", ["1", "30"])
def test_sample_rate_reaches_the_analyzer(service: Service, value: str) -> None:
    base, _ = service
    answer = httpx.post(base + "/analyze", files={"file": MEDIA}, data={"sample_rate": value})
    assert answer.json()["sample_rate"] == int(value)


@pytest.mark.parametrize("value", ["0", "-3", "1.5", "many", "9" * 30])
def test_sample_rate_out_of_range(service: Service, value: str) -> None:
    base, _ = service
    answer = httpx.post(base + "/analyze", files={"file": MEDIA}, data={"sample_rate": value})
    assert_problem(answer, 422, "invalid-option")


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 415, "not-media"),
        (b"just text", 415, "not-media"),
        (b"MEDIAbroken x", 422, "undecodable"),
        (b"MEDIAsilent x", 422, "missing-stream"),
        (b"MEDIA " + bytes(3_000_000), 413, "limit-exceeded"),
        (b"MEDIA " + bytes(9_000_000), 413, "limit-exceeded"),
    ],
)
def test_bad_files(service: Service, data: bytes, status: int, code: str) -> None:
    base, _ = service
    assert_problem(post(base, data), status, code)


def test_a_bug_is_a_problem_document_and_not_a_stuck_place(service: Service) -> None:
    base, state = service
    assert_problem(post(base, b"MEDIAbug x"), 500, "internal-error")
    wait_for(lambda: state.pool.idle)


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ({"Content-Type": "multipart/form-data"}, b"no boundary"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"garbage"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b""),
        (
            {"Content-Type": "multipart/form-data; boundary=x"},
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nMEDIA cut off',
        ),
        (
            {"Content-Type": "multipart/form-data; boundary=x"},
            b'--x\r\nContent-Disposition: form-data; name="sample_rate"\r\n\r\n3\r\n--x--\r\n',
        ),
        (
            {"Content-Type": "multipart/form-data; boundary=x"},
            (b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nMEDIA a\r\n' * 2) + b"--x--\r\n",
        ),
        ({"Content-Type": "text/plain"}, b""),
        ({}, b""),
        ({"Content-Type": "application/json"}, b"{"),
        ({"Content-Type": "application/json"}, b"[" * 60_000),
        ({"Content-Type": "application/json"}, b"[]"),
        ({"Content-Type": "application/json"}, b"{}"),
        ({"Content-Type": "application/json"}, b'{"s3_bucket": "b"}'),
        ({"Content-Type": "application/json"}, b'{"s3_bucket": "b", "s3_key": 3}'),
        ({"Content-Type": "application/json"}, b'{"s3_bucket": "", "s3_key": "k"}'),
        ({"Content-Type": "application/json"}, b"\xff\xfe"),
        ({"Content-Type": "application/json"}, b" " * 70_000),
    ],
)
def test_malformed_requests(service: Service, headers: dict[str, str], content: bytes) -> None:
    base, state = service
    assert_problem(httpx.post(base + "/analyze", headers=headers, content=content), 400, "malformed-request")
    wait_for(lambda: state.pool.idle)


def test_unknown_routes_and_methods(service: Service) -> None:
    base, _ = service
    assert_problem(httpx.get(base + "/nothing"), 404, "not-found")
    assert_problem(httpx.get(base + "/analyze"), 405, "method-not-allowed")


def test_s3_is_refused_without_an_allow_list(service: Service) -> None:
    base, _ = service
    answer = httpx.post(base + "/analyze", json={"s3_bucket": "b", "s3_key": "uploads/x.mp4"})
    assert_problem(answer, 403, "forbidden")


def test_more_requests_than_places_are_told_to_come_back(service: Service, analyzer: BytesAnalyzer) -> None:
    base, state = service
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(post(base, b"MEDIAwait x"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_for(lambda: state.pool._admitted == 2)
    busy = post(base)
    assert_problem(busy, 429, "too-busy")
    assert int(busy.headers["retry-after"]) > 0
    assert httpx.get(base + "/health").status_code == 200
    analyzer.let_go.set()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200, 200]


def test_a_caller_who_leaves_frees_the_place(service: Service, analyzer: BytesAnalyzer) -> None:
    base, state = service
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(base + "/analyze", files={"file": b"MEDIAwait x"}, timeout=0.5)
    wait_for(lambda: state.pool.idle)
    assert analyzer.ended.is_set()


def test_a_deadline_is_answered_and_the_work_cancelled(tmp_path: Path) -> None:
    analyzer = BytesAnalyzer()
    with running(bytes_service(analyzer, work_dir=tmp_path, request_timeout_seconds=0.3)) as (base, state):
        assert_problem(post(base, b"MEDIAwait x"), 504, "deadline-exceeded")
        wait_for(lambda: state.pool.idle)
    assert list(tmp_path.iterdir()) == []


def raw_upload(base: str, pieces: list[bytes], pause: float) -> bytes:
    """Send a request in pieces and return all that the server says until it closes the connection."""
    address = urlsplit(base)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=20) as connection:
        for piece in pieces:
            try:
                connection.sendall(piece)
            except OSError:
                break
            time.sleep(pause)
        answer = b""
        try:
            while received := connection.recv(65536):
                answer += received
        except ConnectionResetError:
            # what came before the reset is the answer: the rest of the body was never read
            pass
        return answer


HEAD = (
    b"POST /analyze HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    b"Content-Length: 2000000\r\n\r\n"
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nMEDIA '
)


def test_a_stalled_upload_is_timed_out(service: Service) -> None:
    base, state = service
    answer = raw_upload(base, [HEAD], 0)
    assert b" 408 " in answer.splitlines()[0]
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["type"].endswith("upload-timeout")
    wait_for(lambda: state.pool.idle)


def test_a_slow_upload_is_timed_out(service: Service) -> None:
    base, state = service
    assert b" 408 " in raw_upload(base, [HEAD, *[b"x"] * 12], 0.2).splitlines()[0]
    wait_for(lambda: state.pool.idle)


def test_a_cut_upload_frees_the_place(service: Service) -> None:
    base, state = service
    address = urlsplit(base)
    with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
        connection.sendall(HEAD)
        wait_for(lambda: not state.pool.idle)
    wait_for(lambda: state.pool.idle)


def test_keys_are_asked_for_only_by_analyze(tmp_path: Path) -> None:
    with running(bytes_service(work_dir=tmp_path, api_keys="one,two")) as (base, _):
        refused = post(base)
        assert_problem(refused, 401, "unauthorized")
        assert refused.headers["www-authenticate"] == "Bearer"
        assert_problem(post(base, headers={"X-API-Key": "three"}), 401, "unauthorized")
        assert_problem(post(base, headers={"Authorization": "Bearer three"}), 401, "unauthorized")
        assert_problem(post(base, headers={"Authorization": "Basic dHdv"}), 401, "unauthorized")
        assert post(base, headers={"X-API-Key": "two"}).status_code == 200
        assert post(base, headers={"Authorization": "Bearer two"}).status_code == 200
        operation = httpx.get(base + "/openapi.json").json()["paths"]["/analyze"]["post"]
        assert operation["security"] == [{"ApiKey": []}, {"Bearer": []}]
        assert httpx.get(base + "/health").status_code == 200


def test_draining_says_so_and_health_goes_on(service: Service) -> None:
    base, state = service
    state.drain()
    ready = httpx.get(base + "/ready")
    assert_problem(ready, 503, "unavailable")
    assert int(ready.headers["retry-after"]) > 0
    assert_problem(post(base), 503, "unavailable")
    assert httpx.get(base + "/health").status_code == 200


def test_loading_says_so(tmp_path: Path) -> None:
    held = threading.Event()
    service = bytes_service(work_dir=tmp_path)

    def slow_build(_: object) -> BytesAnalyzer:
        held.wait(20)
        return BytesAnalyzer()

    object.__setattr__(service, "build", slow_build)
    with running(service, wait_ready=False) as (base, _):
        assert httpx.get(base + "/health").status_code == 200
        assert_problem(httpx.get(base + "/ready"), 503, "unavailable")
        assert_problem(post(base), 503, "unavailable")
        held.set()
        wait_for(lambda: httpx.get(base + "/ready").status_code == 200)


def test_a_refused_model_never_gets_ready(tmp_path: Path) -> None:
    service = bytes_service(work_dir=tmp_path)

    def refused(_: object) -> BytesAnalyzer:
        raise BundleError("altered")

    object.__setattr__(service, "build", refused)
    with running(service, wait_ready=False) as (base, _):
        assert_problem(httpx.get(base + "/ready"), 503, "unavailable")


def test_metrics_count_outcomes_by_route_template(service: Service) -> None:
    base, _ = service
    post(base)
    post(base, b"text")
    httpx.get(base + "/a/scanner/was/here")
    text = httpx.get(base + "/metrics").text
    assert 'variant="fp32"' in text
    assert 'reason="the only variant"' in text
    assert 'silver_guardian_analyses_total{outcome="success"} 1.0' in text
    assert 'silver_guardian_analyses_total{outcome="not-media"} 1.0' in text
    assert 'silver_guardian_http_requests_total{method="POST",route="/analyze",status="200"} 1.0' in text
    assert "scanner" not in text
    assert "silver_guardian_queue_seconds_count 2.0" in text
