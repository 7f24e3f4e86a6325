from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from sg_common.cli.analyze import add_analyze_arguments, run_analyze

from testbed.analyzer import bytes_service


def analyze(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_analyze_arguments(parser)
    return run_analyze([bytes_service()], parser.parse_args(arguments))


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


def test_missing_files_and_folders_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert analyze(str(tmp_path / "nowhere.wav"), str(tmp_path)) == 2
    out = capsys.readouterr().out
    assert "no such file" in out
    assert "not a regular file" in out


def test_json_tells_a_missing_file_from_one_that_is_no_media(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert analyze("--json", str(tmp_path / "nowhere.wav"), str(tmp_path)) == 2
    answers = [json.loads(line)["video"]["error"] for line in capsys.readouterr().out.splitlines()]
    assert [(answer["code"], answer["status"]) for answer in answers] == [("not-found", 404), ("not-media", 415)]


@pytest.mark.parametrize("value", ["0", "x", "2000000"])
def test_an_impossible_sample_rate_is_refused(clip: Path, value: str) -> None:
    with pytest.raises(SystemExit) as stop:
        analyze("--sample-rate", value, str(clip))
    assert stop.value.code == 2
