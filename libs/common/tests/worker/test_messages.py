"""The three shapes of a message, and everything that is none of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sg_common.analysis import AnalysisOptions
from sg_common.aws.objects import S3Object
from sg_common.worker.messages import Order, parse_message

KEY = "uploads/u1/할머니 전화+1.mp4"
ENCODED = "uploads/u1/%ED%95%A0%EB%A8%B8%EB%8B%88+%EC%A0%84%ED%99%94%2B1.mp4"


def notification(*records: dict[str, Any]) -> str:
    return json.dumps({"Records": list(records)})


def record(key: str, name: str = "ObjectCreated:Put", **fields: str) -> dict[str, Any]:
    s3 = {"bucket": {"name": "media"}, "object": {"key": key, "size": 3, "eTag": "e", **fields}}
    return {"eventSource": "aws:s3", "eventName": name, "s3": s3}


def event(detail_type: str = "Object Created", **fields: str) -> str:
    detail = {"bucket": {"name": "media"}, "object": {"key": KEY, "etag": "e", **fields}}
    return json.dumps({"source": "aws.s3", "detail-type": detail_type, "detail": detail})


def only(order: Order) -> tuple[S3Object, AnalysisOptions, bool]:
    (work,) = order.work
    return work.target, work.options, work.announced


def test_our_own_message() -> None:
    order = parse_message(json.dumps({"s3_bucket": "media", "s3_key": KEY, "sample_rate": 30, "more": 1}))
    assert only(order) == (S3Object("media", KEY), AnalysisOptions(sample_rate=30), False)
    assert order.task_token is None


def test_our_own_message_may_choose_a_policy() -> None:
    body = {"s3_bucket": "media", "s3_key": KEY, "policy": "high_recall"}
    assert only(parse_message(json.dumps(body)))[1] == AnalysisOptions(policy="high_recall")


def test_our_own_message_may_name_a_version_and_a_waiting_task() -> None:
    body = {"s3_bucket": "media", "s3_key": KEY, "version_id": "v1", "task_token": "t"}
    order = parse_message(json.dumps(body))
    assert only(order)[0] == S3Object("media", KEY, "v1")
    assert order.task_token == "t"


def test_a_notification_has_an_encoded_key() -> None:
    order = parse_message(notification(record(ENCODED, versionId="v2")))
    assert only(order) == (S3Object("media", KEY, "v2"), AnalysisOptions(), True)


def test_a_notification_may_tell_of_several_objects_and_of_other_things() -> None:
    body = notification(record("a"), record("b", "ObjectRemoved:Delete"), record("c", "ObjectCreated:Copy"))
    assert [work.target.key for work in parse_message(body).work] == ["a", "c"]


def test_an_eventbridge_event_has_the_key_as_it_is() -> None:
    assert only(parse_message(event(**{"version-id": "v3"}))) == (
        S3Object("media", KEY, "v3"),
        AnalysisOptions(),
        True,
    )


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "media"}),
        event("Object Deleted"),
        notification(),
        notification(record("a", "ObjectRemoved:Delete")),
    ],
)
def test_there_may_be_nothing_to_do(body: str) -> None:
    assert parse_message(body) == Order(())


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("", "JSON"),
        ("[" * 100_000, "JSON"),
        ("[]", "object"),
        ("{}", "s3_bucket"),
        ('{"s3_bucket": "b"}', "s3_key"),
        ('{"s3_bucket": "b", "s3_key": ""}', "s3_key"),
        ('{"s3_bucket": "b", "s3_key": 5}', "s3_key"),
        ('{"s3_bucket": "b", "s3_key": "k", "sample_rate": 0}', "sample_rate"),
        ('{"s3_bucket": "b", "s3_key": "k", "sample_rate": "3"}', "sample_rate"),
        ('{"s3_bucket": "b", "s3_key": "k", "policy": "bold"}', "policy"),
        ('{"Records": 5}', "bucket or key"),
        ('{"Records": [5]}', "bucket or key"),
        ('{"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]}', "bucket or key"),
        ('{"source": "aws.s3"}', "bucket or key"),
        ('{"source": "aws.s3", "detail-type": "Object Created", "detail": {"bucket": {}}}', "bucket or key"),
        (notification(record("")), "bucket or key"),
    ],
)
def test_other_messages_are_refused_with_a_sentence(body: str, word: str) -> None:
    order = parse_message(body)
    assert order.fault is not None
    assert word in order.fault.detail
    assert order.work == ()


def test_a_malformed_message_still_tells_who_waits() -> None:
    order = parse_message('{"task_token": "t"}')
    assert order.fault is not None
    assert order.task_token == "t"


NAMES = st.sampled_from(["Records", "s3", "bucket", "name", "object", "key", "detail", "eventSource", "Event"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES | st.text(max_size=3), inner),
)


@given(JSON, st.sampled_from(["aws.s3", "x"]), st.sampled_from(["Object Created", "x"]))
def test_no_message_can_do_more_than_be_refused(value: Any, source: str, detail_type: str) -> None:
    for body in (value, {"Records": value}, {"source": source, "detail-type": detail_type, "detail": value}):
        assert isinstance(parse_message(json.dumps(body)), Order)
