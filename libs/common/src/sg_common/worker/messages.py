"""What a message asks for: our own JSON, an S3 event notification, or an EventBridge S3 event."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from sg_common.analysis import AnalysisOptions
from sg_common.aws.objects import S3Object
from sg_common.errors import MalformedRequest, ServiceError
from sg_common.sources.request import S3Message, read_request


@dataclass(frozen=True)
class Work:
    """One object to judge.

    Attributes:
        announced: an event said that the object was made, rather than a caller asking for it by name.
    """

    target: S3Object
    options: AnalysisOptions
    announced: bool


@dataclass(frozen=True)
class Order:
    """A message's content.

    Attributes:
        work: empty where there is nothing to do (a test event, a deletion).
        task_token: of the Step Functions task that waits for the answer.
        fault: why the message asks for nothing that can be done.
    """

    work: tuple[Work, ...] = ()
    task_token: str | None = None
    fault: ServiceError | None = None


def parse_message(body: str) -> Order:
    """Read a message. One of none of the three shapes, or with options out of range, is an order with a fault."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return _refused("the message is not JSON")
    try:
        return _order(message)
    except (KeyError, TypeError, AttributeError):
        return _refused("the event lacks its bucket or key")


def _order(message: Any) -> Order:
    match message:
        case {"s3_bucket": _} | {"task_token": _}:
            return _own(message)
        case {"Records": records}:
            return Order(tuple(_notified(record) for record in records if _tells_of_upload(record)))
        case {"source": "aws.s3"}:
            return _event(message)
        case {"Event": "s3:TestEvent"}:
            return Order()
        case dict():
            return _refused("the message has no 's3_bucket' and 's3_key', and is no S3 event")
        case _:
            return _refused("the message is not a JSON object")


def _refused(sentence: str) -> Order:
    return Order(fault=MalformedRequest(sentence))


def _own(message: dict[str, Any]) -> Order:
    try:
        own = read_request(S3Message, message)
    except ServiceError as error:
        token = message.get("task_token")
        return Order(task_token=token if isinstance(token, str) and token else None, fault=error)
    target = S3Object(own.s3_bucket, own.s3_key, own.version_id)
    return Order((Work(target, own.options(), announced=False),), own.task_token or None)


def _tells_of_upload(record: dict[str, Any]) -> bool:
    return record.get("eventSource") == "aws:s3" and str(record.get("eventName", "")).startswith("ObjectCreated:")


def _notified(record: dict[str, Any]) -> Work:
    # Notifications carry keys as in a query string, EventBridge carries them as they are.
    s3 = record["s3"]
    return _announced(s3["bucket"]["name"], unquote_plus(s3["object"]["key"]), s3["object"].get("versionId"))


def _event(message: dict[str, Any]) -> Order:
    if message["detail-type"] != "Object Created":
        return Order()
    detail = message["detail"]
    return Order((_announced(detail["bucket"]["name"], detail["object"]["key"], detail["object"].get("version-id")),))


def _announced(bucket: Any, key: Any, version_id: Any) -> Work:
    if not all(isinstance(text, str) for text in (bucket, key, version_id or "")) or not bucket or not key:
        raise TypeError
    return Work(S3Object(bucket, key, version_id or None), AnalysisOptions(), announced=True)
