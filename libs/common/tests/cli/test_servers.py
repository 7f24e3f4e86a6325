"""`analyze --server`: the same command, judged elsewhere."""

from __future__ import annotations

import dataclasses
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sg_common.cli.main import main, service_main

from testbed.analyzer import bytes_service
from testbed.running import running


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """One that asks for a key, one of another kind that takes no large files."""
    work = [tmp_path_factory.mktemp(name) for name in ("video", "audio")]
    video = bytes_service(work_dir=work[0], api_keys="a-key")
    audio = dataclasses.replace(bytes_service(work_dir=work[1], max_upload_bytes=100), kind="audio")
    with running(video) as (first, _), running(audio) as (second, _):
        yield first, second


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SG_API_KEY", "a-key")


def analyze(servers: tuple[str, ...], *arguments: str) -> int:
    return main(["analyze", *(word for server in servers for word in ("--server", server)), *arguments])


def test_every_server_is_asked(
    servers: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Neither models nor settings of this machine matter.
    monkeypatch.setenv("SG_MODELS_ROOT", str(tmp_path / "nowhere"))
    small, large = tmp_path / "small.mp4", tmp_path / "large.mp4"
    small.write_bytes(b"MEDIA clip")
    large.write_bytes(b"MEDIA" * 100)
    assert analyze(servers, "--json", "--sample-rate", "7", str(small), str(large), str(tmp_path / "none.mp4")) == 2
    missing, first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert missing["error"]["code"] == "not-found"
    assert first["file"] == str(small)
    assert first["video"]["sample_rate"] == first["audio"]["sample_rate"] == 7
    assert first["video"]["bytes_read"] == 10
    assert second["video"]["bytes_read"] == 500
    assert second["audio"]["error"]["code"] == "limit-exceeded"
    assert analyze(servers, str(small)) == 0
    assert "  video: uncertain (probability of manipulation 60%)" in capsys.readouterr().out


def test_addresses_are_left_to_the_server(servers: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert analyze(servers[1:], "https://media.example/clip.mp4", "s3://media/clip.mp4") == 2
    told = capsys.readouterr().out
    assert "not judged: reading from URLs is off here" in told
    assert "not judged: reading from S3 is off here" in told


def test_standard_input_is_uploaded(
    servers: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SG_WORK_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"MEDIA from a pipe")))
    assert service_main(bytes_service(work_dir=tmp_path), ["analyze", "--server", servers[0], "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["video"]["bytes_read"] == 17
    assert list(tmp_path.iterdir()) == []


def test_servers_that_cannot_be_asked(
    servers: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"MEDIA clip")
    for asked, sentence in [
        (("http://127.0.0.1:9",), "http://127.0.0.1:9 cannot be reached"),
        (("localhost:8000",), "a service's address looks like http://localhost:8000"),
        ((servers[0], servers[0]), "another server that judges video; name one of a kind"),
    ]:
        assert analyze(asked, str(clip)) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert sentence in told.err
        assert len(told.err.splitlines()) == 1
    monkeypatch.delenv("SG_API_KEY")
    assert analyze(servers[:1], str(clip)) == 2
    assert "not judged: send one of this service's keys" in capsys.readouterr().out
