"""`/analyze` with URLs of a real https server."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import httpcore
import httpx
import pytest
from botocore.config import Config
from sg_common.http.state import ServiceState
from sg_common.sources.addresses import Address, public
from sg_common.sources.url import UrlSource

from testbed.analyzer import BytesAnalyzer, bytes_service
from testbed.https import Authority, HttpsServer, forwarding, giving, https_server
from testbed.running import running, wait_for
from testbed.servers import REGION, S3Server

HOST, SECRET = "media.example", "X-Amz-Signature=c2VjcmV0"
MEDIA = b"MEDIA film"
LIMIT = 1_000_000


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority"), [HOST, f"clips.{HOST}"])


@pytest.fixture(scope="module")
def host(authority: Authority) -> Iterator[HttpsServer]:
    with https_server(authority) as server:
        yield server


def here(_: str) -> list[Address]:
    return [ip_address("127.0.0.1")]


Sources = Callable[..., UrlSource]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ServiceState]]:
    work = tmp_path_factory.mktemp("work")
    service = bytes_service(work_dir=work, request_timeout_seconds=20, max_concurrency=1, max_waiting=0)
    with running(service) as running_service:
        yield running_service


@pytest.fixture
def serving(
    service: tuple[str, ServiceState], authority: Authority, host: HttpsServer
) -> Iterator[tuple[str, ServiceState, Sources]]:
    """A service, and how to give it a source of URLs that trusts the test's own server."""
    base, state = service

    def source(
        entry: str = f"{HOST}:{host.port}",
        *,
        rule: Callable[[Address], bool] = lambda address: address.is_loopback,
        context: Callable[[], ssl.SSLContext] = authority.trust,
        stall_seconds: float = 20,
    ) -> UrlSource:
        state.urls = UrlSource(entry.split(","), LIMIT, stall_seconds, rule=rule, resolver=here, context=context)
        return state.urls

    source()
    yield base, state, source
    wait_for(lambda: state.pool.idle)
    assert list(state.workspace.folder.iterdir()) == [], "work files were left behind"


def ask(base: str, port: int, path: str = "/clip.mp4", host: str = HOST, **fields: object) -> httpx.Response:
    answer = httpx.post(f"{base}/analyze", json={"url": f"https://{host}:{port}{path}", **fields}, timeout=60)
    if answer.status_code != 200:
        assert answer.headers["content-type"] == "application/problem+json"
    return answer


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["detail"]


def test_what_lies_at_an_allowed_url_is_judged(
    serving: tuple[str, ServiceState, Sources],
    host: HttpsServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    base, _, _ = serving
    # Whatever the environment says of proxies.
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    host.answers["/a%20b/clip.mp4"] = giving(200, MEDIA)
    with caplog.at_level(logging.INFO):
        answer = ask(base, host.port, f"/a%20b/clip.mp4?{SECRET}", sample_rate=7)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["bytes_read"], answer.json()["sample_rate"]) == (len(MEDIA), 7)
    assert host.asked[-1] == (f"{HOST}:{host.port}", f"/a%20b/clip.mp4?{SECRET}")
    assert SECRET not in caplog.text


def test_presigned_urls_of_s3(serving: tuple[str, ServiceState, Sources], host: HttpsServer, store: S3Server) -> None:
    base, _, source = serving
    store.client("s3").create_bucket(Bucket="presigned")
    store.client("s3").put_object(Bucket="presigned", Key="uploads/통화 1+.mp4", Body=MEDIA)
    source(f"{HOST}:{host.port}/presigned/uploads/")
    signer = boto3.client(
        "s3",
        endpoint_url=f"https://{HOST}:{host.port}",
        region_name=REGION,
        aws_access_key_id=store.access_key,
        aws_secret_access_key=store.secret_key,
        config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
    )
    place = {"Bucket": "presigned", "Key": "uploads/통화 1+.mp4"}
    url = signer.generate_presigned_url("get_object", Params=place, ExpiresIn=60)
    host.answers[urlsplit(url).path] = forwarding(urlsplit(store.url).port or 0)
    answer = httpx.post(f"{base}/analyze", json={"url": url}, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.json()["bytes_read"] == len(MEDIA)
    status, detail = problem(httpx.post(f"{base}/analyze", json={"url": url + "0"}, timeout=60))
    assert (status, "make a new one" in detail) == (403, True)


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (giving(404), 404, "has no such file (404)"),
        (giving(410), 404, "(410)"),
        (giving(403), 403, "may have expired"),
        (giving(401), 403, "denies access"),
        (giving(503), 502, "try again"),
        (giving(429), 502, "try again"),
        (giving(400), 400, "answers 400"),
        (giving(206, MEDIA), 400, "answers 206"),
        (giving(302), 400, "answers 302"),
        (giving(200, MEDIA, Content_Encoding="gzip"), 415, "compressed"),
        (giving(200, b"an error page"), 415, "does not begin with MEDIA"),
        (giving(200, MEDIA, Content_Length=str(LIMIT + 1)), 413, "1,000,000 bytes"),
        (giving(200, MEDIA, Content_Length="99"), 502, "before the whole file had come"),
        (giving(302, Location="http://media.example/clip.mp4"), 400, "url: it must be https"),
        (giving(302, Location="https://169.254.169.254/latest/meta-data/"), 403, "SG_URL_ALLOW"),
        (giving(302, Location="/clip.mp4"), 502, "redirects more than 3 times"),
    ],
)
def test_other_answers_of_the_host(
    serving: tuple[str, ServiceState, Sources],
    host: HttpsServer,
    answer: Callable[[BaseHTTPRequestHandler], None],
    status: int,
    words: str,
) -> None:
    base, _, _ = serving
    host.answers["/clip.mp4"] = answer
    refused = ask(base, host.port, f"/clip.mp4?{SECRET}")
    found, detail = problem(refused)
    assert found == status, detail
    assert words in detail
    assert SECRET not in refused.text
    assert ("retry-after" in refused.headers) == (status == 502)


def test_redirects_to_what_is_allowed_are_followed(
    serving: tuple[str, ServiceState, Sources], host: HttpsServer
) -> None:
    base, _, source = serving
    source(f"*.{HOST}:{host.port},{HOST}:{host.port}/short/")
    host.answers["/short/1"] = giving(307, Location=f"https://clips.{HOST}:{host.port}/long/clip.mp4?{SECRET}")
    host.answers["/long/clip.mp4"] = giving(200, MEDIA)
    assert ask(base, host.port, "/short/1").status_code == 200
    assert host.asked[-1] == (f"clips.{HOST}:{host.port}", f"/long/clip.mp4?{SECRET}")
    host.answers["/short/2"] = giving(307, Location="/long/clip.mp4")
    assert ask(base, host.port, "/short/2").status_code == 403


def test_a_body_without_a_length_is_held_to_the_limit(
    serving: tuple[str, ServiceState, Sources], host: HttpsServer
) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"MEDIA" * 10_000)

    base, _, _ = serving
    host.answers["/clip.mp4"] = endless
    assert ask(base, host.port).status_code == 413


def test_the_shipped_rules_refuse_this_very_machine(
    serving: tuple[str, ServiceState, Sources], host: HttpsServer
) -> None:
    base, _, source = serving
    asked = len(host.asked)
    source(rule=public)
    assert problem(ask(base, host.port))[0] == 403
    # And a certificate of nobody's.
    source(context=httpcore.default_ssl_context)
    status, detail = problem(ask(base, host.port))
    assert (status, "no valid certificate" in detail) == (502, True)
    source(f"other.example:{host.port}")
    assert problem(ask(base, host.port, host="other.example"))[0] == 502, "a certificate for another name"
    assert len(host.asked) == asked


def test_without_an_allow_list_urls_are_off(tmp_path: Path) -> None:
    with running(bytes_service(work_dir=tmp_path)) as (base, _):
        status, detail = problem(httpx.post(f"{base}/analyze", json={"url": f"https://{HOST}/clip.mp4"}))
        assert (status, "SG_URL_ALLOW" in detail) == (403, True)
        assert httpx.post(f"{base}/analyze", json={"url": 3}).status_code == 400
        assert httpx.post(f"{base}/analyze", json={"url": "https://a/b", "s3_key": "c"}).status_code == 422


@pytest.fixture
def held(host: HttpsServer) -> Iterator[threading.Event]:
    """The host falls silent within its answer; set when it has begun."""
    begun, over = threading.Event(), threading.Event()

    def silent(handler: BaseHTTPRequestHandler) -> None:
        giving(200, MEDIA, Content_Length="1000")(handler)
        begun.set()
        over.wait(30)

    host.answers["/clip.mp4"] = silent
    yield begun
    over.set()


def test_a_host_that_falls_silent_is_502(
    serving: tuple[str, ServiceState, Sources], host: HttpsServer, held: threading.Event
) -> None:
    base, _, source = serving
    source(stall_seconds=0.3)
    status, detail = problem(ask(base, host.port))
    assert (status, "fell silent" in detail) == (502, True)
    assert held.is_set()


def test_a_host_that_is_late_is_504(
    serving: tuple[str, ServiceState, Sources],
    host: HttpsServer,
    held: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base, state, _ = serving
    monkeypatch.setattr(state, "settings", state.settings.model_copy(update={"request_timeout_seconds": 0.3}))
    status, detail = problem(ask(base, host.port))
    assert (status, "the whole file did not come within 0.3 s" in detail) == (504, True)
    assert held.is_set()


def test_a_caller_who_leaves_frees_the_place(
    serving: tuple[str, ServiceState, Sources], host: HttpsServer, held: threading.Event
) -> None:
    base, state, _ = serving
    assert isinstance(state.analyzer, BytesAnalyzer)
    judged = len(state.analyzer.folders)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{base}/analyze", json={"url": f"https://{HOST}:{host.port}/clip.mp4"}, timeout=0.5)
    assert held.wait(20)
    wait_for(lambda: state.pool.idle, 10)
    assert len(state.analyzer.folders) == judged, "the abandoned file was not judged"
