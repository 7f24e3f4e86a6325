"""How commands end, whatever the verb: one table of exit statuses."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sg_common.cli.main import main, service_main
from sg_common.errors import BundleError
from sg_common.service import AnalyzerService

from testbed.analyzer import BytesAnalyzer, bytes_service
from testbed.servers import AwsServer, S3Server, aws_environment

VERBS = ["serve", "worker", "analyze", "check"]
WORKER = {"queue_url": "http://127.0.0.1:9/queue", "s3_allow": "media"}


@pytest.fixture
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws_environment(AwsServer("http://127.0.0.1:9"), AwsServer("http://127.0.0.1:9")).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def ended(service: AnalyzerService, verb: str, folder: Path) -> int:
    """The exit status of a verb."""
    clip = folder / "clip.mp4"
    clip.write_bytes(b"MEDIA clip")
    return service_main(service, [verb, *([str(clip)] if verb == "analyze" else [])])


def a_service(folder: Path, **settings: Any) -> AnalyzerService:
    return bytes_service(**{"port": 0, "work_dir": folder / "work", **WORKER, **settings})


def refusing(service: AnalyzerService, error: Exception) -> AnalyzerService:
    def refuse(_: object) -> BytesAnalyzer:
        raise error

    object.__setattr__(service, "build", refuse)
    return service


@pytest.mark.usefixtures("region")
@pytest.mark.parametrize("verb", VERBS)
def test_a_refused_bundle_is_78(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    service = refusing(a_service(tmp_path), BundleError("the file was altered"))
    assert ended(service, verb, tmp_path) == 78
    last = capsys.readouterr().err.splitlines()[-1]
    told = json.loads(last)["message"] if verb in ("serve", "worker") else last.removeprefix("video-analyzer: ")
    assert told == "the file was altered"


@pytest.mark.usefixtures("region")
@pytest.mark.parametrize("verb", VERBS)
def test_a_bug_is_not_taken_for_configuration(verb: str, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        ended(refusing(a_service(tmp_path), ZeroDivisionError()), verb, tmp_path)


@pytest.mark.usefixtures("region")
@pytest.mark.parametrize("verb", ["serve", "worker"])
def test_a_taken_port_is_78(verb: str, tmp_path: Path, taken: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(a_service(tmp_path, port=taken), verb, tmp_path) == 78
    assert f"SG_PORT: cannot listen on 127.0.0.1 port {taken}" in capsys.readouterr().err
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("verb", ["serve", "worker"])
def test_a_work_folder_that_cannot_be_is_78(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "work").write_text("a file")
    assert ended(a_service(tmp_path), verb, tmp_path) == 78
    assert "SG_WORK_DIR" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["serve", "worker"])
@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [("AWS_REGION", "", "AWS_REGION: "), ("AWS_ENDPOINT_URL", "nowhere", "nowhere"), ("AWS_PROFILE", "none", "none")],
)
def test_variables_of_aws_that_cannot_work_are_78(
    verb: str, name: str, value: str, sentence: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for variable in [variable for variable in os.environ if variable.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv(name, value)
    if (verb, name) == ("serve", "AWS_REGION"):
        pytest.skip("S3 alone needs no region")
    assert ended(a_service(tmp_path), verb, tmp_path) == 78
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("setting", ["queue_url", "s3_allow"])
def test_a_worker_without_a_queue_or_buckets_is_78(
    setting: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(a_service(tmp_path, **{setting: None if setting == "queue_url" else ""}), "worker", tmp_path) == 78
    assert f"SG_{setting.upper()}" in capsys.readouterr().err


def test_a_queue_that_is_missing_is_78(
    tmp_path: Path, store: S3Server, aws: AwsServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in aws_environment(store, aws).items():
        monkeypatch.setenv(name, value)
    url = f"{aws.url}/123456789012/missing"
    assert ended(a_service(tmp_path, queue_url=url), "worker", tmp_path) == 78
    assert "there is no queue" in capsys.readouterr().err
    store.client("s3").create_bucket(Bucket="statuses")
    store.client("s3").put_object(Bucket="statuses", Key="a.mp4", Body=b"MEDIA a")
    assert main(["submit", "s3://statuses/a.mp4", "--video-queue", url]) == 78
    assert "there is no queue" in capsys.readouterr().err


def test_a_file_that_could_not_be_judged_is_2(tmp_path: Path) -> None:
    assert service_main(a_service(tmp_path), ["analyze", str(tmp_path / "missing.mp4")]) == 2


def test_an_interruption_is_130(tmp_path: Path) -> None:
    def interrupted(_: object) -> BytesAnalyzer:
        raise KeyboardInterrupt

    service = a_service(tmp_path)
    object.__setattr__(service, "build", interrupted)
    assert ended(service, "check", tmp_path) == 130


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_server_that_is_told_to_end_says_how(number: int, status: int, tmp_path: Path) -> None:
    code = (
        "import signal, sys; from pathlib import Path; from sg_common.cli.main import service_main\n"
        "from testbed.analyzer import bytes_service\n"
        # As at a terminal: a shell's background jobs are started with this signal ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"sys.exit(service_main(bytes_service(port=0, work_dir=Path({str(tmp_path)!r}), drain_seconds=0)))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            while b'"ready"' not in (line := process.stderr.readline()):
                assert line, "the service ended early"
            process.send_signal(number)
            assert process.wait(30) == status
            assert b"Traceback" not in process.stderr.read()
        finally:
            process.kill()
