"""A running worker against a real store and queue: what becomes of each kind of message."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote_plus

import pytest
from sg_common.analysis import Stage

from testbed.analyzer import BytesAnalyzer
from testbed.running import wait_for

from .conftest import MAX_RECEIVES, Bench

Metric = Callable[..., float]
KEY = "uploads/u1/할머니 전화+1 ?.mp4"


def notification(bucket: str, *keys: str) -> dict[str, object]:
    def record(key: str) -> dict[str, object]:
        s3 = {"bucket": {"name": bucket}, "object": {"key": quote_plus(key)}}
        return {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3}

    return {"Records": [record(key) for key in keys]}


def event(bucket: str, key: str) -> dict[str, object]:
    detail = {"bucket": {"name": bucket}, "object": {"key": key}}
    return {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}


@pytest.mark.parametrize("shape", ["own", "notification", "event"])
def test_every_shape_of_message_gets_a_result(bench: Bench, metric: Metric, shape: str) -> None:
    etag = bench.put(KEY, b"MEDIA \x01\x02")["ETag"].strip('"')
    with bench.worker() as host:
        own = {"s3_bucket": bench.bucket, "s3_key": KEY}
        bench.send(
            {"own": own, "notification": notification(bench.bucket, KEY), "event": event(bench.bucket, KEY)}[shape]
        )
        bench.wait_empty()
        ((key, result),) = bench.results().items()
        assert key == f"results/{KEY}/{etag}/video-1.0.0.json"
        assert result["status"] == "success"
        assert result["bytes_read"] == 8
        assert result["source"] == {"s3_bucket": bench.bucket, "s3_key": KEY, "version_id": None, "etag": etag}
        assert metric(host, "results_total", outcome="succeeded") == 1
        assert metric(host, "messages_total", outcome="acknowledged") == 1
        assert metric(host, "age_seconds_count") == 1
        assert metric(host, "stage_seconds_count", stage="analyse") == 1
    assert list(bench.folder.iterdir()) == []


def test_a_message_with_several_objects_answers_each(bench: Bench) -> None:
    for key in ("a", "c"):
        bench.put(key)
    with bench.worker():
        bench.send(notification(bench.bucket, "a", "deleted", "c"))
        bench.wait_empty()
    assert {result["source"]["s3_key"] for result in bench.results().values()} == {"a", "c"}


def test_a_redelivered_message_is_not_judged_again(bench: Bench, metric: Metric) -> None:
    analyzer = BytesAnalyzer()
    bench.put("a")
    with bench.worker(analyzer) as host:
        bench.ask("a")
        bench.wait_empty()
        bench.ask("a")
        bench.wait_empty()
        assert metric(host, "results_total", outcome="duplicate") == 1
    assert len(analyzer.folders) == 1
    assert analyzer.stages == [Stage.ANALYSING], "a result's seconds are those of the analysis"


@pytest.mark.parametrize("versioning", ["Suspended", "Enabled"])
def test_a_new_upload_gets_a_result_of_its_own(bench: Bench, versioning: str) -> None:
    bench.s3.put_bucket_versioning(Bucket=bench.bucket, VersioningConfiguration={"Status": versioning})
    with bench.worker():
        for data in (b"MEDIA 1", b"MEDIA 22"):
            bench.put("a", data)
            bench.ask("a")
            bench.wait_empty()
    assert sorted(result["bytes_read"] for result in bench.results().values()) == [7, 8]


def test_a_named_version_is_the_one_that_is_judged(bench: Bench) -> None:
    bench.s3.put_bucket_versioning(Bucket=bench.bucket, VersioningConfiguration={"Status": "Enabled"})
    first = bench.put("a", b"MEDIA first")["VersionId"]
    bench.put("a", b"MEDIA 2")
    with bench.worker():
        bench.ask("a", version_id=first)
        bench.wait_empty()
    ((key, result),) = bench.results().items()
    assert key == f"results/a/{first}/video-1.0.0.json"
    assert result["bytes_read"] == len(b"MEDIA first")


def test_options_have_results_of_their_own(bench: Bench) -> None:
    bench.put("a")
    with bench.worker():
        bench.ask("a")
        bench.ask("a", sample_rate=30)
        bench.wait_empty()
    by_name = {key.rpartition("/")[2]: result["sample_rate"] for key, result in bench.results().items()}
    assert by_name == {"video-1.0.0.json": None, "video-1.0.0-sample-rate-30.json": 30}


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"MEDIAbroken ", "failed", "undecodable"),
        (b"a text", "failed", "not-media"),
        (b"", "failed", "not-media"),
        (b"MEDIA" + bytes(2000), "failed", "limit-exceeded"),
        (b"MEDIAsilent ", "not_applicable", None),
    ],
)
def test_what_cannot_be_judged_has_a_result_that_says_so(
    bench: Bench, metric: Metric, data: bytes, status: str, code: str | None
) -> None:
    bench.put("a", data)
    with bench.worker(max_upload_bytes=1000) as host:
        bench.ask("a")
        bench.wait_empty()
        assert metric(host, "results_total", outcome=status) == 1
    (result,) = bench.results().values()
    assert result["status"] == status
    assert result["share_of_odd_bytes"] == 0.5
    assert (result["problem"]["type"].rpartition(":")[2] if code else result.get("problem")) == code
    assert bench.dead() == []


def test_messages_that_nothing_can_answer_become_dead_letters(bench: Bench, metric: Metric) -> None:
    bench.put("bug", b"MEDIAbug ")
    bench.put("results/x", b"{}")
    bodies = [
        "no json",
        json.dumps({"s3_bucket": "another", "s3_key": "a"}),
        json.dumps({"s3_bucket": bench.bucket, "s3_key": "missing"}),
        json.dumps({"s3_bucket": bench.bucket, "s3_key": "bug"}),
        json.dumps({"s3_bucket": bench.bucket, "s3_key": "results/x"}),
    ]
    for body in bodies:
        bench.send(body)
    with bench.worker() as host:
        bench.wait_empty()
        assert metric(host, "messages_total", outcome="refused") == MAX_RECEIVES * 4
        assert metric(host, "messages_total", outcome="retried") == MAX_RECEIVES
        bugs = host.metrics.registry.get_sample_value("silver_guardian_analyses_total", {"outcome": "internal-error"})
        assert bugs == MAX_RECEIVES
    assert sorted(bench.dead()) == sorted(bodies)
    assert list(bench.results()) == ["results/x"]


def test_what_needs_no_answer_is_acknowledged(bench: Bench, metric: Metric) -> None:
    bench.put("results/a/v/audio-1.json", b"{}")
    bench.put("uploads/folder/", b"")
    messages = [
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": bench.bucket},
        event(bench.bucket, "results/a/v/audio-1.json"),
        event(bench.bucket, "uploads/folder/"),
        event(bench.bucket, "deleted-before-its-turn"),
    ]
    for message in messages:
        bench.send(message)
    with bench.worker() as host:
        bench.wait_empty()
        wait_for(lambda: metric(host, "messages_total", outcome="acknowledged") == len(messages))
        assert metric(host, "results_total", outcome="ignored") == 2
        assert metric(host, "results_total", outcome="gone") == 1
    assert bench.dead() == []
    assert len(bench.results()) == 1
