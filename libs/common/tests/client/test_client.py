"""The Python client against real servers."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from audio_analyzer.report import AudioReport
from sg_common.analysis import Report
from sg_common.client import AnyReport, AsyncClient, Client, analyze_all, analyze_all_async
from sg_common.client.reports import read_report
from sg_common.errors import (
    DeadlineExceeded,
    Forbidden,
    InvalidOption,
    MalformedRequest,
    NotFound,
    NotMedia,
    ServiceError,
    StorageUnavailable,
    TooBusy,
    Unauthorized,
    Unavailable,
    UnexpectedFailure,
)
from sg_common.http.state import ServiceState
from sg_common.jobs import JobStatus

from testbed.analyzer import BytesAnalyzer, BytesReport, bytes_service
from testbed.running import running, wait_for

Service = tuple[str, ServiceState]
KEY = "a-key"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(bytes_service(work_dir=tmp_path_factory.mktemp("work"), api_keys=KEY)) as (address, _):
        yield address


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"MEDIA " + bytes(3_000_000))
    return path


def one(address: str, media: str | Path, **options: Any) -> BytesReport:
    with Client(address, BytesReport, api_key=KEY) as client:
        return client.analyze(media, **options)


def one_async(address: str, media: str | Path, **options: Any) -> BytesReport:
    async def ask() -> BytesReport:
        async with AsyncClient(address, BytesReport, api_key=KEY) as client:
            return await client.analyze(media, **options)

    return asyncio.run(ask())


both = pytest.mark.parametrize("ask", [one, one_async])
Ask = Callable[..., BytesReport]


@both
def test_a_file_in_a_typed_report_out(base: str, clip: Path, ask: Ask) -> None:
    report = ask(base, clip, sample_rate=7, policy="high_recall")
    assert (report.bytes_read, report.sample_rate, report.policy) == (3_000_006, 7, "high_recall")
    assert ask(base + "/", str(clip), policy=None).policy == "low_false_alarm", "what is not chosen is not sent"


@both
def test_failures_are_those_of_the_service(base: str, tmp_path: Path, clip: Path, ask: Ask) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("a text")
    with pytest.raises(NotMedia, match="does not begin with MEDIA") as refused:
        ask(base, text)
    assert "request id " in refused.value.__notes__[0]
    with pytest.raises(InvalidOption, match="no such option"):
        ask(base, clip, samplerate=3)
    with pytest.raises(Forbidden, match="SG_URL_ALLOW"):
        ask(base, "https://media.example/clip.mp4")
    with pytest.raises(Forbidden, match="SG_S3_ALLOW"):
        ask(base, "s3://media/uploads/clip.mp4", policy="balanced")
    with pytest.raises(MalformedRequest, match="ftp"):
        ask(base, "ftp://media.example/clip.mp4")
    with pytest.raises(FileNotFoundError):
        ask(base, tmp_path / "nowhere.mp4")


def test_a_key_is_asked_for_and_never_shown(base: str, clip: Path) -> None:
    with Client(base) as client, pytest.raises(Unauthorized):
        client.analyze(clip)
    with Client(base, api_key=KEY) as client:
        assert KEY not in repr(vars(client))


@pytest.mark.parametrize("address", ["localhost:8000", "ftp://localhost", "http://", ""])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(MalformedRequest, match="looks like http://localhost:8000"):
        Client(address)


@both
def test_a_service_that_is_away(clip: Path, ask: Ask) -> None:
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        ask("http://127.0.0.1:9", clip)


def test_a_service_that_takes_too_long(tmp_path: Path) -> None:
    (tmp_path / "wait").write_bytes(b"MEDIAwait ")
    with running(bytes_service(work_dir=tmp_path / "work")) as (base, state):
        with Client(base, timeout_seconds=0.3) as client, pytest.raises(DeadlineExceeded, match="fell silent"):
            client.analyze(tmp_path / "wait")
        wait_for(lambda: state.pool.idle)


def test_patience_has_an_end(tmp_path: Path, clip: Path) -> None:
    analyzer = BytesAnalyzer()
    (tmp_path / "wait").write_bytes(b"MEDIAwait ")
    service = bytes_service(analyzer, work_dir=tmp_path / "work", max_concurrency=1, max_waiting=0)
    with running(service) as (base, _), Client(base, patience_seconds=1) as client:
        first = threading.Thread(target=client.analyze, args=(tmp_path / "wait",))
        first.start()
        assert analyzer.started.wait(20)
        with pytest.raises(TooBusy, match="all 1 places are taken") as refused:
            client.analyze(clip)
        assert refused.value.retry_after == 5
        analyzer.let_go.set()
        first.join(20)


# --- jobs ---


def test_jobs_are_asked_for_and_waited_for(base: str, tmp_path: Path, clip: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("a text")
    with Client(base, BytesReport, api_key=KEY) as client:
        job = client.submit(clip, sample_rate=7)
        assert job.id
        report = client.wait(job, 60)
        assert (report.bytes_read, report.sample_rate) == (3_000_006, 7)
        done = client.job(job.id)
        assert (done.status, done.result) == (JobStatus.DONE, report)
        assert client.wait(done, 0) == report
        client.forget(job.id)
        with pytest.raises(NotFound, match="no such job"):
            client.job(job.id)
        with pytest.raises(NotMedia, match="does not begin with MEDIA"):
            client.wait(client.submit(text), 60)

    async def ask() -> Report:
        async with AsyncClient(base, api_key=KEY) as client:
            job = await client.submit(clip)
            report = await client.wait(job, 60)
            assert (await client.job(job.id)).result == report
            await client.forget(job.id)
            return report

    assert isinstance(asyncio.run(ask()), AnyReport)


def test_a_job_that_does_not_end_in_time_goes_on(tmp_path: Path) -> None:
    analyzer = BytesAnalyzer()
    (tmp_path / "wait").write_bytes(b"MEDIAwait ")
    with running(bytes_service(analyzer, work_dir=tmp_path / "work")) as (base, _), Client(base) as client:
        job = client.submit(tmp_path / "wait")
        with pytest.raises(DeadlineExceeded, match=f"job {job.id} has not ended within 0.2 s"):
            client.wait(job, 0.2)
        analyzer.let_go.set()
        assert client.wait(job, 60).probability > 0


def test_a_service_without_jobs_has_answered_at_once(tmp_path: Path, clip: Path) -> None:
    with running(bytes_service(work_dir=tmp_path / "work", jobs=False)) as (base, _), Client(base) as client:
        job = client.submit(clip)
        assert job.status is JobStatus.DONE
        assert client.wait(job) == job.result


# --- answers that a test has to make up ---


@contextmanager
def scripted(*answers: tuple[int, dict[str, str], bytes]) -> Iterator[tuple[str, list[int]]]:
    """A server that answers so, one after another; the sizes of the bodies that came."""
    left, sizes = list(answers), list[int]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sizes.append(len(self.rfile.read(int(self.headers["Content-Length"]))))
            status, headers, body = left.pop(0)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", sizes
        finally:
            server.shutdown()
            thread.join(20)


@pytest.fixture
def report(base: str, clip: Path) -> bytes:
    return one(base, clip).model_dump_json().encode()


@both
def test_what_passes_is_waited_for(clip: Path, report: bytes, ask: Ask) -> None:
    now = format_datetime(datetime.now(UTC) - timedelta(seconds=5), usegmt=True)
    refusals = [(429, {"Retry-After": "0"}, b""), (503, {"Retry-After": now}, b"<html>")]
    with scripted(*refusals, (200, {}, report)) as (address, sizes):
        assert ask(address, clip).bytes_read == 3_000_006
    assert sizes == [3_000_006] * 3, "the whole file, every time"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(502, StorageUnavailable), (503, Unavailable), (418, MalformedRequest), (507, UnexpectedFailure)],
)
def test_an_answer_that_is_nobody_s_problem_document(status: int, kind: type[ServiceError], clip: Path) -> None:
    answer = (status, {"Retry-After": "999"}, b"<html>a proxy's page</html>")
    with scripted(answer) as (address, _), Client(address) as client, pytest.raises(kind, match=f"answered {status}"):
        client.analyze(clip)


def test_a_server_that_is_no_service(clip: Path) -> None:
    with scripted((200, {}, b"hello"), (200, {}, b"{}"), (200, {}, b"[]")) as (address, _), Client(address) as client:
        for _ in range(3):
            with pytest.raises(UnexpectedFailure, match="in a way that no service does"):
                client.analyze(clip)


# --- whose report ---


def test_the_report_is_of_the_class_that_its_service_registers(report: bytes) -> None:
    document = json.loads(report)
    unknown = read_report(document, None)
    assert isinstance(unknown, AnyReport)
    assert unknown.probability == document["probability"]
    assert unknown.model_extra is not None
    assert unknown.model_extra["bytes_read"] == 3_000_006
    assert json.loads(unknown.model_dump_json()) == document, "nothing is lost"
    own = {"deepfake_probability": 0.25, "probability": 0.25, "audio_duration": 1, "speech_duration": 1}
    audio = {**document, **own, "sample_rate": 16000, "segments": [], "voices": [], "suspicious_segments": []}
    assert isinstance(read_report(audio, None), AudioReport)
    del audio["segments"]
    older = read_report(audio, None)
    assert isinstance(older, AnyReport), "of another version"
    assert older.probability == 0.25


def test_the_page_s_example_runs(
    tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[4] / "docs" / "client.md").read_text()
    example = page.split("```python\n", 1)[1].split("```", 1)[0]
    (tmp_path / "notes.txt").write_text("a text")
    monkeypatch.chdir(clip.parent)
    with running(bytes_service(work_dir=tmp_path / "work")) as (address, _):
        exec(example.replace("http://localhost:8000", address).replace("http://localhost:8001", address), {})
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("uncertain 0.")
    assert told[1:] == ["audio uncertain", "video uncertain", "uncertain", "the file does not begin with MEDIA"]


def test_two_services_about_one_file(base: str, clip: Path) -> None:
    clients: dict[str, Client[Report]] = {"good": Client(base, api_key=KEY), "bad": Client(base, api_key="other")}
    answers = analyze_all(clients, clip, sample_rate=7)
    assert isinstance(answers["good"], AnyReport)
    assert isinstance(answers["bad"], Unauthorized)
    assert clients["good"].kind() == "video"
    for client in clients.values():
        client.close()

    async def ask() -> dict[str, Report | ServiceError]:
        async with AsyncClient(base, api_key=KEY) as good, AsyncClient(base) as bad:
            assert await good.kind() == "video"
            return await analyze_all_async({"good": good, "bad": bad}, clip)

    answers = asyncio.run(ask())
    assert isinstance(answers["good"], AnyReport)
    assert isinstance(answers["bad"], Unauthorized)
