"""Where results lie, and that only one of many writers writes one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sg_common.analysis import AnalysisOptions, Job, ModelInfo
from sg_common.aws.objects import ObjectStore, S3Object, S3Version
from sg_common.errors import MissingStream, NotMedia
from sg_common.results import MAX_KEY_BYTES, Result, ResultName, ResultStatus, ResultStore

from testbed.analyzer import BytesAnalyzer, BytesReport, bytes_service
from testbed.servers import S3Server

MODEL = ModelInfo(name="m", version="1.2.3-rc.1", variant="int8")
VERSION = S3Version(S3Object("media", "uploads/a.mp4"), "etag", 3)
NAME = ResultName("video", "1.2.3", AnalysisOptions())


def store_of(prefix: str, client: Any = None) -> ResultStore:
    objects = ObjectStore()
    objects.client = client
    return ResultStore(objects, prefix)


def test_a_result_lies_by_the_version_of_object_and_model() -> None:
    results = store_of("results/")
    assert results.place(VERSION, NAME) == S3Object("media", "results/uploads/a.mp4/etag/video-1.2.3.json")
    sparse = ResultName("video", "1.2.3", AnalysisOptions(sample_rate=30))
    assert results.place(VERSION, sparse).key.endswith("/video-1.2.3-sample-rate-30.json")
    strict = ResultName("video", "1.2.3", AnalysisOptions(sample_rate=30, policy="high_recall"))
    assert results.place(VERSION, strict).key.endswith("/video-1.2.3-sample-rate-30-policy-high_recall.json")
    korean = bytes_service().heeded(AnalysisOptions(lang="ko"))
    assert results.place(VERSION, ResultName("video", "1.2.3", korean)) == results.place(VERSION, NAME)
    usual = ResultName("video", "1.2.3", AnalysisOptions(policy="low_false_alarm"))
    assert results.place(VERSION, usual) == results.place(VERSION, NAME)


@pytest.mark.parametrize("prefix", ["results", "results/", "/results/", "results//"])
def test_a_prefix_ends_at_one_slash(prefix: str) -> None:
    results = store_of(prefix)
    assert results.place(VERSION, NAME).key.startswith("results/uploads")
    assert not results.is_media("results/uploads/a.mp4")
    assert results.is_media("results-of-mine.mp4")


@given(st.text(min_size=1, max_size=1024))
def test_a_result_always_fits_into_a_key(key: str) -> None:
    name = ResultName("video", "10.20.30", AnalysisOptions(sample_rate=1_000_000))
    place = store_of("results/").place(S3Version(S3Object("media", key, "v" * 32), "etag", 3), name)
    assert len(place.key.encode()) <= MAX_KEY_BYTES


@pytest.mark.parametrize(
    "options",
    [
        AnalysisOptions(),
        AnalysisOptions(sample_rate=7),
        AnalysisOptions(policy="balanced"),
        AnalysisOptions(sample_rate=7, policy="high_recall"),
    ],
)
def test_a_name_can_be_read_again(options: AnalysisOptions) -> None:
    name = ResultName("video", MODEL.version, options)
    assert ResultName.parse(str(name)) == name
    assert ResultName.parse("notes.txt") is None


def test_an_object_without_the_stream_is_no_failure() -> None:
    result = Result.unjudged(VERSION, BytesReport, MODEL, MissingStream("no sound in it"))
    assert (result.status, result.message) == (ResultStatus.NOT_APPLICABLE, "no sound in it")
    assert result.summary == "There was nothing to judge: no sound in it"
    assert [reason.code for reason in result.reasons] == ["not_applicable", "verify"]
    assert "problem" not in result.document()


def test_a_failed_result_reads_unknown_and_says_why() -> None:
    result = Result.unjudged(VERSION, BytesReport, MODEL, NotMedia("a text"))
    document = result.document()
    assert (document["status"], document["verdict"]) == ("failed", "inconclusive")
    assert (document["probability"], document[BytesReport.score_field]) == (0.5, 0.5)
    assert document["problem"]["type"].endswith("not-media")
    assert document["problem"]["status"] == 415
    assert document["source"] == {"s3_bucket": "media", "s3_key": "uploads/a.mp4", "version_id": None, "etag": "etag"}
    assert result.problem is not None
    assert result.problem.code == "not-media"
    assert [reason.code for reason in result.reasons] == ["failed", "verify"]
    korean = result.translations["ko"]
    assert [reason.code for reason in korean.reasons] == ["failed", "verify"]
    assert korean.summary == "파일을 판정할 수 없었습니다. 자세한 내용(영어): a text"


def test_a_judged_result_speaks_every_language(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"MEDIA clip")
    report = BytesAnalyzer().analyze(clip, AnalysisOptions(lang="ko"), Job())
    document = Result.judged(VERSION, report).document()
    korean = report.told("ko").model_dump(mode="json")
    assert document["summary"] == report.told("en").summary
    assert document["translations"] == {"ko": {"summary": korean["summary"], "reasons": korean["reasons"]}}
    assert Result.model_validate(document).document() == document


def test_a_result_of_an_earlier_version_has_no_words() -> None:
    document = Result.unjudged(VERSION, BytesReport, MODEL, NotMedia("a text")).document()
    earlier = {name: document[name] for name in document.keys() - {"summary", "reasons", "translations"}}
    assert Result.model_validate(earlier).document() == earlier


@pytest.mark.parametrize("versioning", ["Suspended", "Enabled"])
def test_one_of_many_writers_writes_a_result(store: S3Server, versioning: str) -> None:
    client = store.client("s3")
    bucket = f"results-{versioning.lower()}"
    client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": versioning})
    results = store_of("results/", client)
    place = S3Object(bucket, "results/a.mp4/v1/audio-1.json")
    assert results.read(place) is None
    written = [Result.unjudged(VERSION, BytesReport, MODEL, NotMedia(f"writer {n}")) for n in range(16)]
    with ThreadPoolExecutor(16) as pool:
        wrote = list(pool.map(lambda result: results.write(place, result), written))
    assert wrote.count(True) == 1
    assert results.read(place) == written[wrote.index(True)]
    assert len(client.list_object_versions(Bucket=bucket)["Versions"]) == 1


def test_a_result_that_may_not_be_read_counts_as_unknown(store: S3Server) -> None:
    client = store.client("s3")
    client.create_bucket(Bucket="no-readers")
    results = store_of("results/", store.as_reader().client("s3"))
    assert results.read(S3Object("no-readers", "results/x.json")) is None
