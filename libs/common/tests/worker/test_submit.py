"""`silver-guardian submit`, with a worker that answers."""

from __future__ import annotations

import json

import pytest
from sg_common.cli.main import main

from .conftest import Bench


def submit(bench: Bench, *arguments: str, key: str = "uploads/") -> int:
    return main(["submit", f"s3://{bench.bucket}/{key}", "--video-queue", bench.queue.url, *arguments])


def test_many_objects_are_sent_and_their_answers_shown(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    for n in range(12):
        bench.put(f"uploads/{n:02}.mp4", f"MEDIA {n}".encode())
    bench.put("uploads/silent.mp4", b"MEDIAsilent ")
    bench.put("uploads/text.mp4", b"a text")
    bench.put("uploads/folder/", b"")
    with bench.worker():
        assert submit(bench, "--wait", "--timeout", "100") == 2
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert len(lines) == 14
    assert lines[0].split() == [f"s3://{bench.bucket}/uploads/00.mp4", "video", "uncertain", "57%"]
    assert "not applicable" in lines[12]
    assert "14 sent, 0 had a result already" in err
    assert "13 answered, 1 failed or not answered" in err
    assert "uploads/text.mp4 (video): the file does not begin with MEDIA" in err


def test_what_has_a_result_is_not_sent_again(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.put("uploads/a.mp4")
    with bench.worker():
        assert submit(bench, "--wait", "--json", key="uploads/a.mp4") == 0
        assert submit(bench, "--json", key="uploads/a.mp4") == 0
    out, err = capsys.readouterr()
    first, second = (json.loads(line) for line in out.splitlines())
    assert first == second
    assert first["result"]["status"] == "success"
    assert "0 sent, 1 had a result already" in err
    assert submit(bench, "--again", key="uploads/a.mp4") == 0
    assert bench.counts() == (1, 0)


def test_options_and_versions_travel_with_the_message(bench: Bench) -> None:
    bench.s3.put_bucket_versioning(Bucket=bench.bucket, VersioningConfiguration={"Status": "Enabled"})
    version = bench.put("uploads/a.mp4")["VersionId"]
    assert submit(bench, "--sample-rate", "5", "--policy", "balanced", key="uploads/a.mp4") == 0
    (message,) = bench.sqs.receive_message(QueueUrl=bench.queue.url)["Messages"]
    assert json.loads(message["Body"]) == {
        "s3_bucket": bench.bucket,
        "s3_key": "uploads/a.mp4",
        "version_id": version,
        "sample_rate": 5,
        "policy": "balanced",
    }


def test_an_unanswered_object_is_listed(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.put("uploads/a.mp4")
    assert submit(bench, "--wait", "--timeout", "0.1") == 2
    assert "uploads/a.mp4 (video): no answer in time" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["file.mp4"], "name objects as s3://BUCKET/KEY"),
        (["s3://bucket/key"], "name a queue"),
        (["s3://no-such-bucket/a", "--audio-queue", "http://127.0.0.1:9/q"], "does not exist"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    bench: Bench, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert main(["submit", *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_a_folder_without_objects_is_a_mistake(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert submit(bench, key="nothing/") == 2
    assert "no object was found" in capsys.readouterr().err
