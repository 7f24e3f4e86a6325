"""What a message asks for: our own JSON, an S3 event notification, or an EventBridge S3 event."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from pydantic import Field, ValidationError

from sg_common.analysis import AnalysisOptions
from sg_common.errors import InvalidOption, MalformedRequest
from sg_common.sources.request import S3Request, options_for
from sg_common.sources.s3 import S3Object


class _OwnMessage(S3Request):
    version_id: str | None = Field(default=None, max_length=1024)
    task_token: str | None = Field(default=None, max_length=4096, description="Step Functions waits for it")


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
    """A message's content. `work` is empty where there is nothing to do (a test event, a deletion)."""

    work: tuple[Work, ...]
    task_token: str | None = None


class MalformedMessage(MalformedRequest):
    """A message of none of the three shapes; `task_token` where one could still be read."""

    def __init__(self, detail: str, task_token: str | None = None) -> None:
        super().__init__(detail)
        self.task_token = task_token


def parse_message(body: str, kind: str) -> Order:
    """Read a message for an analyzer of `kind`.

    Raises:
        MalformedMessage: it is of none of the three shapes, or its options are out of range.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage("the message is not JSON") from error
    if not isinstance(message, dict):
        raise MalformedMessage("the message is not a JSON object")
    try:
        if "s3_bucket" in message or "task_token" in message:
            return _own(message, kind)
        if "Records" in message:
            return Order(tuple(_notified(record) for record in message["Records"] if _tells_of_upload(record)))
        if message.get("source") == "aws.s3":
            return _event(message)
        if message.get("Event") == "s3:TestEvent":
            return Order(())
    except (KeyError, TypeError, AttributeError) as error:
        raise MalformedMessage("the event lacks its bucket or key") from error
    raise MalformedMessage("the message has no 's3_bucket' and 's3_key', and is no S3 event")


def _own(message: dict[str, Any], kind: str) -> Order:
    token = message.get("task_token")
    token = token if isinstance(token, str) and token else None
    try:
        own = _OwnMessage.model_validate(message, strict=True)
        options = options_for(kind, own.sample_rate)
    except ValidationError as error:
        first = error.errors()[0]
        raise MalformedMessage(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", token) from error
    except InvalidOption as error:
        raise MalformedMessage(error.detail, token) from error
    return Order((Work(S3Object(own.s3_bucket, own.s3_key, own.version_id), options, announced=False),), token)


def _tells_of_upload(record: dict[str, Any]) -> bool:
    return record.get("eventSource") == "aws:s3" and str(record.get("eventName", "")).startswith("ObjectCreated:")


def _notified(record: dict[str, Any]) -> Work:
    # Notifications carry keys as in a query string, EventBridge carries them as they are.
    s3 = record["s3"]
    target = S3Object(s3["bucket"]["name"], unquote_plus(s3["object"]["key"]), s3["object"].get("versionId"))
    return Work(_checked(target), AnalysisOptions(), announced=True)


def _event(message: dict[str, Any]) -> Order:
    if message["detail-type"] != "Object Created":
        return Order(())
    detail = message["detail"]
    target = S3Object(detail["bucket"]["name"], detail["object"]["key"], detail["object"].get("version-id"))
    return Order((Work(_checked(target), AnalysisOptions(), announced=True),))


def _checked(target: S3Object) -> S3Object:
    texts = [target.bucket, target.key, target.version_id or ""]
    if not all(isinstance(text, str) for text in texts) or not target.bucket or not target.key:
        raise TypeError
    return S3Object(target.bucket, target.key, target.version_id or None)
