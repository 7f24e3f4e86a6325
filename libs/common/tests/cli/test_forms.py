"""Other forms of an answer than sentences: tables, and reports to look at."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from sg_common.analysis import AnalysisOptions, Job, Report
from sg_common.errors import MalformedRequest, Undecodable

from testbed.analyzer import bytes_service
from testbed.running import running

from .test_analyze import analyze


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A clip with an odd name, one that is broken, and one that isn't there."""
    clip, broken = tmp_path / 'a|"b",\n=c.mp4', tmp_path / "broken.mp4"
    clip.write_bytes(b"MEDIA clip")
    broken.write_bytes(b"MEDIAbroken x")
    return [str(clip), str(broken), str(tmp_path / "nowhere.mp4")]


def test_a_row_for_each_file_as_csv(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert analyze("--format", "csv", *files) == 2
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["file"] for row in rows] == [files[2], files[0], files[1]], "what can't be read is told first"
    assert [row["status"] for row in rows] == ["not-found", "success", "undecodable"]
    assert rows[1]["verdict"] == "uncertain"
    assert rows[1]["probability"] == "0.6"
    assert re.fullmatch("[0-9a-f]{64}", rows[1]["sha256"])
    assert rows[2]["summary"] == "the file is broken"


def test_a_table_of_markdown(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert analyze("--format", "md", *files) == 2
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(files)
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {10}


def test_json_is_a_format(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert analyze("--format", "json", files[0]) == analyze("--json", files[0]) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first.keys() == second.keys() == {"file", "video"}


def embedded(path: Path) -> dict[str, Any]:
    found = re.search(r'id="document">(.*?)</script>', path.read_text())
    assert found is not None
    document: dict[str, Any] = json.loads(found[1])
    return document


def test_a_report_of_one_file(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    service, path = bytes_service(), tmp_path / "out.html"

    def draw(_: object, file: Path, report: Report, __: AnalysisOptions, ___: Job) -> dict[str, Any]:
        return {"drawn": [file.name, report.verdict]}

    object.__setattr__(service, "draw", draw)
    assert analyze("--report", str(path), files[0], services=[service]) == 0
    assert "uncertain" in capsys.readouterr().out, "the answer is printed all the same"
    (result,) = embedded(path)["results"]
    assert result["report"]["share_of_odd_bytes"] == 0.6
    assert result["pictures"] == {"drawn": [Path(files[0]).name, "uncertain"]}
    assert "video: This file shows too little" in path.read_text(), "and without scripts"


def test_a_report_of_what_a_server_answered(files: list[str], tmp_path: Path) -> None:
    path = tmp_path / "out.html"
    with running(bytes_service(work_dir=tmp_path / "work")) as (base, _):
        assert analyze("--server", base, "--lang", "ko", "--report", str(path), files[0]) == 0
    (result,) = embedded(path)["results"]
    assert result["report"]["share_of_odd_bytes"] == 0.6
    assert "파일" in result["report"]["summary"]
    assert result["report"]["translations"]["ko"]["summary"] == result["report"]["summary"]
    assert '<html lang="ko">' in path.read_text()


def test_a_picture_that_fails_takes_no_answer_away(files: list[str], tmp_path: Path) -> None:
    service, path = bytes_service(), tmp_path / "out.html"

    def draw(*_: object) -> dict[str, Any]:
        raise Undecodable("broken")

    object.__setattr__(service, "draw", draw)
    assert analyze("--report", str(path), files[0], services=[service]) == 0
    assert embedded(path)["results"][0]["pictures"] is None


def test_reports_of_several_files_are_a_folder(files: list[str], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"other")
    folder = tmp_path / "reports" / "today"
    assert analyze("--report", str(folder), *files, str(tmp_path / "notes.txt")) == 2
    index = embedded(folder / "index.html")["index"]
    assert [entry["name"] for entry in index] == [files[2], files[0], files[1]], (
        "what only lies beside them is left out"
    )
    assert index[0]["problem"]["status"] == 404
    assert {path.name for path in folder.iterdir()} == {"index.html", *(entry["href"] for entry in index[1:])}
    assert all(re.fullmatch(r"[\w.-]+", entry["href"]) for entry in index[1:])


@pytest.mark.parametrize("target", ["missing/out.html", "file/out.html", "file/"])
def test_a_report_that_cannot_be_written_is_told_before_anything_is_judged(
    files: list[str], tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    several = files if target.endswith("/") else files[:1]
    with pytest.raises(MalformedRequest, match="--report: "):
        analyze("--report", str(tmp_path / target), *several)
    assert capsys.readouterr().out == ""
