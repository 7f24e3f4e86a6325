"""Where results lie, and that only one of many writers writes one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sg_common.analysis import AnalysisOptions, ModelInfo
from sg_common.errors import MissingStream, NotMedia
from sg_common.sources.s3 import S3Object, S3Version
from sg_common.worker.results import (
    MAX_KEY_BYTES,
    ResultName,
    ResultStore,
    normal_prefix,
    result_folder,
    result_name,
    unjudged_document,
)

from tests.support.analyzer import BytesReport
from tests.support.servers import S3Server

MODEL = ModelInfo(name="m", version="1.2.3-rc.1", variant="int8")
VERSION = S3Version(S3Object("media", "uploads/a.mp4"), "etag", 3)


def test_a_result_lies_by_the_version_of_object_and_model() -> None:
    assert result_folder("results/", "uploads/a.mp4", "v1") == "results/uploads/a.mp4/v1/"
    assert result_name("audio", "1.2.3", AnalysisOptions()) == "audio-1.2.3.json"
    assert result_name("video", "1.2.3", AnalysisOptions(sample_rate=30)) == "video-1.2.3-sample-rate-30.json"


@pytest.mark.parametrize("prefix", ["results", "results/", "/results/", "results//"])
def test_a_prefix_ends_at_one_slash(prefix: str) -> None:
    assert normal_prefix(prefix) == "results/"


@given(st.text(min_size=1, max_size=1024))
def test_a_result_always_fits_into_a_key(key: str) -> None:
    folder = result_folder("results/", key, "v" * 32)
    name = result_name("video", "10.20.30", AnalysisOptions(sample_rate=1_000_000))
    assert len((folder + name).encode()) <= MAX_KEY_BYTES


@pytest.mark.parametrize("options", [AnalysisOptions(), AnalysisOptions(sample_rate=7)])
def test_a_name_can_be_read_again(options: AnalysisOptions) -> None:
    name = ResultName.parse(result_name("video", MODEL.version, options))
    assert name == ResultName("video", MODEL.version, options)
    assert ResultName.parse("notes.txt") is None


def test_an_object_without_the_stream_is_no_failure() -> None:
    document = unjudged_document(VERSION, BytesReport, MODEL, MissingStream("no sound in it"))
    assert (document["status"], document["message"]) == ("not_applicable", "no sound in it")
    assert "problem" not in document


def test_a_failed_result_reads_unknown_and_says_why() -> None:
    document = unjudged_document(VERSION, BytesReport, MODEL, NotMedia("a text"))
    assert (document["status"], document["verdict"]) == ("failed", "inconclusive")
    assert document[BytesReport.score_field] == 0.5
    assert document["problem"]["type"].endswith("not-media")
    assert document["problem"]["status"] == 415
    assert document["source"] == {"s3_bucket": "media", "s3_key": "uploads/a.mp4", "version_id": None, "etag": "etag"}


@pytest.mark.parametrize("versioning", ["Suspended", "Enabled"])
def test_one_of_many_writers_writes_a_result(store: S3Server, versioning: str) -> None:
    client = store.client("s3")
    bucket = f"results-{versioning.lower()}"
    client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": versioning})
    results = ResultStore(lambda: client)
    place = S3Object(bucket, "results/a.mp4/v1/audio-1.json")
    assert results.read(place) is None
    with ThreadPoolExecutor(16) as pool:
        wrote = list(pool.map(lambda n: results.write(place, {"writer": n}), range(16)))
    assert wrote.count(True) == 1
    assert results.read(place) == {"writer": wrote.index(True)}
    assert len(client.list_object_versions(Bucket=bucket)["Versions"]) == 1


def test_a_result_that_may_not_be_read_counts_as_unknown(store: S3Server) -> None:
    client = store.client("s3")
    client.create_bucket(Bucket="no-readers")
    assert ResultStore(lambda: store.as_reader().client("s3")).read(S3Object("no-readers", "results/x.json")) is None
