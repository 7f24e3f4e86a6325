from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sg_common.cli.analyze import add_analyze_arguments, run_analyze
from sg_common.cli.main import service_main
from sg_common.service import AnalyzerService

from testbed.analyzer import BytesAnalyzer, bytes_service
from testbed.servers import AwsServer, S3Server, aws_environment


def analyze(*arguments: str, services: Sequence[AnalyzerService] | None = None) -> int:
    parser = argparse.ArgumentParser()
    add_analyze_arguments(parser)
    return run_analyze(services or [bytes_service()], parser.parse_args(arguments))


class OfAnotherKind(BytesAnalyzer):
    kind = "audio"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"MEDIA clip")
    return path


def test_a_verdict_that_a_person_can_read(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert analyze(str(clip)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(clip)
    assert "uncertain (probability of manipulation 60%)" in lines[1]
    assert lines[2].strip().startswith("This file shows too little")
    assert lines[-1].strip().startswith("- Treat the file as unchecked")


@pytest.mark.parametrize("arguments", [[], ["--json"]])
@pytest.mark.parametrize(
    ("chosen", "terminal", "korean"), [("ko", "en_US", True), ("en", "ko_KR", False), (None, "ko_KR", True)]
)
def test_the_language_is_the_terminals_or_the_one_asked_for(
    clip: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    chosen: str | None,
    terminal: str,
    korean: bool,
    arguments: list[str],
) -> None:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", f"{terminal}.UTF-8")
    assert analyze(str(clip), *arguments, *(["--lang", chosen] if chosen else [])) == 0
    assert ("확인되지 않은 것으로 여기" in capsys.readouterr().out) == korean


def test_one_json_object_a_file(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert analyze("--json", str(clip), str(clip), "--sample-rate", "3") == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["file"] for answer in answers] == [str(clip)] * 2
    assert answers[0]["video"]["sample_rate"] == 3


@pytest.mark.parametrize("content", [b"", b"text", b"MEDIAbroken x", b"MEDIAsilent x"])
def test_a_file_that_nobody_can_judge_exits_2(
    tmp_path: Path, clip: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(content)
    assert analyze(str(bad), str(clip)) == 2
    assert "uncertain" in capsys.readouterr().out, "the other file is judged all the same"


def refuse_to_load(_: object) -> BytesAnalyzer:
    raise AssertionError("the models were loaded")


def test_names_that_lead_nowhere_are_told_once_and_before_models_load(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = bytes_service()
    object.__setattr__(service, "build", refuse_to_load)
    pipe, nowhere = tmp_path / "pipe", tmp_path / "nowhere.wav"
    os.mkfifo(pipe)
    names = [str(nowhere), str(pipe), str(tmp_path / "*.mp4"), "x" * 300]
    assert analyze(*names, services=[service, service]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        f"{nowhere}: no such file or directory",
        f"{pipe}: not a regular file; pipe it into `analyze -`",
        f"{tmp_path}/*.mp4: no such file or directory",
        f"{'x' * 300}: file name too long",
    ]


def test_json_tells_a_missing_file_from_one_that_is_no_media(
    tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert analyze("--json", str(clip), str(tmp_path / "nowhere.wav"), str(tmp_path / "pipe")) == 2
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    errors = [answer["error"] for answer in answers if "error" in answer]
    assert [(error["code"], error["status"]) for error in errors] == [("not-found", 404), ("not-media", 415)]
    assert answers[-1]["file"] == str(clip), "a bad name does not keep the others from being judged"


def test_analyzers_that_agree_say_why_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"text")
    services = [bytes_service(), replace(bytes_service(OfAnotherKind()), kind=OfAnotherKind.kind)]
    assert analyze(str(bad), services=services) == 2
    told = capsys.readouterr()
    assert told.out.splitlines() == [str(bad), "  not judged: the file does not begin with MEDIA"]
    assert told.err == ""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two clips among other files."""
    folder = tmp_path / "folder"
    (folder / "b" / ".hidden").mkdir(parents=True)
    for name in ("b/clip.mp4", "a.mp4"):
        (folder / name).write_bytes(b"MEDIA")
    for name in ("notes.txt", ".DS_Store", "b/.hidden/clip.mp4"):
        (folder / name).write_bytes(b"other")
    return folder


@pytest.mark.parametrize("pattern", ["", "/*", "/**"])
def test_folders_and_patterns_with_other_files_among_them(
    folder: Path, pattern: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert analyze(f"{folder}{pattern}") == 0
    told = capsys.readouterr()
    clips = [f"{folder}/a.mp4", f"{folder}/b/clip.mp4"]
    assert list(dict.fromkeys(line for line in told.out.splitlines() if not line.startswith(" "))) == clips
    assert told.err.splitlines() == [f"passed over, not media: 1 ({folder}/notes.txt)"]


def test_empty_folders(tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert analyze(str(empty)) == 2
    assert capsys.readouterr().err == f"{empty}: a folder without files\n"
    assert analyze(str(empty), str(clip)) == 0


def test_other_files_alone_are_nothing_judged(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert analyze(str(folder / "notes.txt")) == 2
    assert "not judged" in capsys.readouterr().out
    assert analyze(str(folder / "notes.txt"), str(folder / "notes.txt")) == 2
    (folder / "a.mp4").write_bytes(b"an error page under a film's name")
    assert analyze(str(folder)) == 2, "what is called a film counts"


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"MEDIA from a pipe")))
    service = bytes_service(work_dir=tmp_path / "work", max_upload_bytes=100)
    assert analyze("--json", "-", services=[service]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["file"], answer["video"]["bytes_read"]) == ("-", 17)
    assert list((tmp_path / "work").iterdir()) == [], "the copy is gone"

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"MEDIA" * 100)))
    assert analyze("-", "-", services=[service]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "standard input can be read once",
        "standard input has more than 100 bytes, the limit",
    ]
    assert list((tmp_path / "work").iterdir()) == []


def test_a_terminal_is_no_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    leader, follower = os.openpty()
    with os.fdopen(follower, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        assert analyze("-") == 2
    os.close(leader)
    assert "standard input is a terminal" in capsys.readouterr().err


def test_addresses_that_are_not_read(capsys: pytest.CaptureFixture[str]) -> None:
    for address in ("https://example.org/clip.mp4", "s3://bucket/folder/", "s3://media/clip.mp4"):
        assert analyze(address) == 2
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "https://example.org/clip.mp4: files, s3://BUCKET/KEY, https:// within SG_URL_ALLOW and standard input "
        "can be read; or fetch it first, as in `curl -fL https://example.org/clip.mp4 | silver-guardian analyze -`",
        "s3://bucket/folder/: name one object as s3://BUCKET/KEY; `submit` takes folders",
        "reading from S3 is off here; the operator allows buckets with SG_S3_ALLOW",
    ]


def test_objects_of_s3_within_the_allow_list(
    store: S3Server, aws: AwsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in aws_environment(store, aws).items():
        monkeypatch.setenv(name, value)
    store.client("s3").create_bucket(Bucket="told")
    store.client("s3").put_object(Bucket="told", Key="clips/통화.mp4", Body=b"MEDIA")
    service = bytes_service(work_dir=tmp_path / "work", s3_allow="told/clips")
    assert analyze("s3://told/clips/통화.mp4", services=[service]) == 0
    assert capsys.readouterr().out.startswith("s3://told/clips/통화.mp4\n  video: uncertain")
    object.__setattr__(service, "build", refuse_to_load)
    assert analyze("s3://told/clips/missing.mp4", "s3://told/private.mp4", services=[service]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "s3://told/clips/missing.mp4 does not exist",
        "s3://told/private.mp4 is outside the buckets and prefixes that SG_S3_ALLOW lists",
    ]


def test_urls_within_the_allow_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    service = bytes_service(work_dir=tmp_path / "work", url_allow="localhost/clips/")
    object.__setattr__(service, "build", refuse_to_load)
    assert analyze("https://localhost/private/clip.mp4", services=[service]) == 2
    assert capsys.readouterr().err == "localhost is outside the hosts and paths that SG_URL_ALLOW lists\n"
    service = bytes_service(work_dir=tmp_path / "work", url_allow="localhost/clips/")
    assert analyze("https://localhost/clips/clip.mp4", services=[service]) == 2
    assert capsys.readouterr().err == "localhost is not on the public internet; only what is there is fetched\n"
    assert list((tmp_path / "work").iterdir()) == []


def test_json_has_names_as_they_are(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    names = [os.fsencode(tmp_path) + b"/" + name for name in ("할머니 😀.mp4".encode(), b"odd\xff.mp4")]
    for name in names:
        Path(os.fsdecode(name)).write_bytes(b"MEDIA")
    assert analyze("--json", *map(os.fsdecode, names)) == 0
    lines = capfdbinary.readouterr().out.splitlines()
    assert "할머니 😀.mp4".encode() in lines[0]
    assert [json.loads(line)["file"] for line in lines] == [os.fsdecode(name) for name in names]
    assert analyze(os.fsdecode(names[1])) == 0, "and a sentence is said about each"


@pytest.mark.parametrize("form", [["--json"], []])
def test_a_reader_that_leaves_ends_it_quietly(clip: Path, form: list[str]) -> None:
    code = (
        "import sys; from sg_common.cli.main import service_main; from testbed.analyzer import bytes_service\n"
        "sys.exit(service_main(bytes_service(), ['analyze', *sys.argv[1:]]))"
    )
    command = [sys.executable, "-c", code, *form, *[str(clip)] * 3]
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_policy_is_heeded(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert analyze("--json", "--policy", "high_recall", str(clip)) == 0
    answer = json.loads(capsys.readouterr().out)["video"]
    assert (answer["policy"], answer["thresholds"]["likely_deepfake"]) == ("high_recall", 0.3)


def test_a_policy_that_the_model_lacks_is_told_before_any_file_is_judged(
    clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["analyze", "--policy", "balanced", str(clip), str(clip)]
    assert service_main(bytes_service(), arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "video-analyzer: video: policy: this model has not been measured for balanced\n"


@pytest.mark.parametrize("value", ["bold", ""])
def test_an_unknown_policy_is_refused(clip: Path, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        analyze("--policy", value, str(clip))
    assert stop.value.code == 2
    assert "low_false_alarm" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["0", "x", "2000000"])
def test_an_impossible_sample_rate_is_refused(clip: Path, value: str) -> None:
    with pytest.raises(SystemExit) as stop:
        analyze("--sample-rate", value, str(clip))
    assert stop.value.code == 2
