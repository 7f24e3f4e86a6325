"""Objects on their way to the workers' queues, and their results on the way back."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sg_common.analysis import AnalysisOptions
from sg_common.errors import QueueUnavailable
from sg_common.sources.s3 import S3Object, S3Version, make_client, translated_errors
from sg_common.worker.results import ResultName, normal_prefix, result_folder

KINDS = ("audio", "video")
_BATCH = 10
_SEND_ATTEMPTS = 4


@dataclass
class Item:
    """One object for one kind of worker. `known`: versions of models whose results do not count."""

    version: S3Version
    kind: str
    options: AnalysisOptions
    known: set[str] = field(default_factory=set)
    result: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        return str(self.version.target)


class Submission:
    def __init__(self, options: argparse.Namespace) -> None:
        self._s3, self._sqs = make_client("s3"), make_client("sqs")
        self._prefix = normal_prefix(options.results_prefix)
        self._options = options
        given = {kind: getattr(options, f"{kind}_queue") for kind in KINDS}
        self.queues: dict[str, str] = {kind: url for kind, url in given.items() if url}

    def items(self) -> list[Item]:
        """Every object that was named, for every kind of worker.

        Raises:
            ServiceError: an address is wrong, or the store does not answer.
        """
        found = [version for address in self._options.objects for version in self._objects(address)]
        rate = self._options.sample_rate
        return [
            Item(version, kind, AnalysisOptions(sample_rate=rate if kind == "video" else None))
            for version in found
            for kind in self.queues
        ]

    def _objects(self, address: str) -> Iterator[S3Version]:
        bucket, _, key = address.removeprefix("s3://").partition("/")
        if key and not key.endswith("/"):
            yield self._stat(S3Object(bucket, key))
            return
        with translated_errors(address):
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
                for entry in page.get("Contents", []):
                    if not entry["Key"].startswith(self._prefix) and not entry["Key"].endswith("/"):
                        yield self._stat(S3Object(bucket, entry["Key"]))

    def _stat(self, target: S3Object) -> S3Version:
        with translated_errors(str(target)):
            answer = self._s3.head_object(Bucket=target.bucket, Key=target.key)
        found = S3Object(target.bucket, target.key, answer.get("VersionId"))
        return S3Version(found, answer["ETag"].strip('"'), answer["ContentLength"])

    def answered_by(self, item: Item) -> set[str]:
        """The versions of the models whose results are there."""
        with translated_errors(item.name):
            return {name.model_version for name, _ in self._results(item)}

    def look(self, item: Item) -> None:
        """Read the item's newest result, if there is one by a model version that is not in `known`."""
        with translated_errors(item.name):
            for name, key in self._results(item):
                if name.model_version not in item.known:
                    answer = self._s3.get_object(Bucket=item.version.target.bucket, Key=key)
                    item.result = json.loads(answer["Body"].read())
                    return

    def _results(self, item: Item) -> Iterator[tuple[ResultName, str]]:
        """Names and keys of the results that answer this item, newest first."""
        target = item.version.target
        folder = result_folder(self._prefix, target.key, item.version.identity)
        entries = self._s3.list_objects_v2(Bucket=target.bucket, Prefix=folder).get("Contents", [])
        for entry in sorted(entries, key=lambda entry: entry["LastModified"], reverse=True):
            name = ResultName.parse(entry["Key"].removeprefix(folder))
            if name is not None and (name.kind, name.options) == (item.kind, item.options):
                yield name, entry["Key"]

    def send(self, items: Sequence[Item]) -> None:
        """Send a message for each item.

        Raises:
            ServiceError: the queue does not take them.
        """
        for kind, url in self.queues.items():
            bodies = [message_body(item) for item in items if item.kind == kind]
            for start in range(0, len(bodies), _BATCH):
                self._send_batch(url, bodies[start : start + _BATCH])

    def _send_batch(self, url: str, bodies: Sequence[str]) -> None:
        left = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        for attempt in range(_SEND_ATTEMPTS):
            failed = {failure["Id"] for failure in self._try_batch(url, left)}
            left = [entry for entry in left if entry["Id"] in failed]
            if not left:
                return
            time.sleep(2**attempt / 4)
        raise QueueUnavailable(f"{url} refuses {len(left)} messages; send them again")

    def _try_batch(self, url: str, entries: list[dict[str, str]]) -> list[dict[str, Any]]:
        try:
            failed: list[dict[str, Any]] = self._sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed", [])
        except (ClientError, BotoCoreError) as error:
            raise QueueUnavailable(f"{url} takes no messages: {error}") from error
        return failed


def message_body(item: Item) -> str:
    """Our own message for an item."""
    target = item.version.target
    body: dict[str, Any] = {"s3_bucket": target.bucket, "s3_key": target.key}
    if target.version_id not in (None, "null"):
        body["version_id"] = target.version_id
    if item.options.sample_rate is not None:
        body["sample_rate"] = item.options.sample_rate
    return json.dumps(body)
