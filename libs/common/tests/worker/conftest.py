from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sg_common.worker.host import WorkerHost

from testbed.analyzer import BytesAnalyzer, bytes_service
from testbed.running import wait_for
from testbed.servers import AwsServer, Queue, S3Server, aws_environment, make_queue

MAX_RECEIVES = 3
VISIBILITY_SECONDS = 4


@dataclass(frozen=True)
class Bench:
    """A bucket, a queue with dead letters, and the means to start workers on them."""

    aws: AwsServer
    bucket: str
    queue: Queue
    s3: Any
    sqs: Any
    folder: Path

    def put(self, key: str, data: bytes = b"MEDIA x") -> dict[str, Any]:
        answer: dict[str, Any] = self.s3.put_object(Bucket=self.bucket, Key=key, Body=data)
        return answer

    def send(self, body: object) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.sqs.send_message(QueueUrl=self.queue.url, MessageBody=text)

    def ask(self, key: str, **fields: object) -> None:
        self.send({"s3_bucket": self.bucket, "s3_key": key, **fields})

    def results(self, key: str = "") -> dict[str, dict[str, Any]]:
        """Result documents below `results/<key>`, by their keys."""
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=f"results/{key}").get("Contents", [])
        keys = [entry["Key"] for entry in found]
        return {key: json.loads(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()) for key in keys}

    def counts(self, url: str | None = None) -> tuple[int, int]:
        """Visible and hidden messages of a queue."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs.get_queue_attributes(QueueUrl=url or self.queue.url, AttributeNames=names)["Attributes"]
        return int(answer[names[0]]), int(answer[names[1]])

    def dead(self) -> list[str]:
        """Bodies of the dead letters."""
        bodies: list[str] = []
        while found := self.sqs.receive_message(QueueUrl=self.queue.dead_url, MaxNumberOfMessages=10).get("Messages"):
            bodies += [message["Body"] for message in found]
        return bodies

    def wait_empty(self, seconds: float = 60) -> None:
        """Wait until no message is in the queue, visible or hidden."""
        # The two are counted one after the other: a message that comes to light in between is in neither.
        wait_for(lambda: self.counts() == self.counts() == (0, 0), seconds)

    @contextmanager
    def worker(self, analyzer: BytesAnalyzer | None = None, grace: float = 5, **settings: Any) -> Iterator[WorkerHost]:
        """Work until the block ends, then drain."""
        defaults = {
            "work_dir": self.folder,
            "s3_allow": self.bucket,
            "queue_url": self.queue.url,
            "queue_visibility_seconds": VISIBILITY_SECONDS,
            "queue_wait_seconds": 1,
            "queue_retry_seconds": 0.1,
            "max_concurrency": 2,
        }
        service = bytes_service(analyzer, **{**defaults, **settings})
        failures: list[Exception] = []
        host = WorkerHost(service, service.settings(), self.queue.url)
        host.load_in_background(failures.append)
        try:
            yield host
        finally:
            host.drain()
            host.finish(grace)
            host.close()
        assert failures == []


@pytest.fixture
def bench(store: S3Server, aws: AwsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    for name, value in aws_environment(store, aws).items():
        monkeypatch.setenv(name, value)
    bucket = f"bench-{uuid.uuid4().hex[:12]}"
    s3 = store.client("s3")
    s3.create_bucket(Bucket=bucket)
    queue = make_queue(aws, bucket, visibility_seconds=30, max_receives=MAX_RECEIVES)
    return Bench(aws, bucket, queue, s3, aws.client("sqs"), tmp_path)


@pytest.fixture
def metric() -> Callable[..., float]:
    def value(host: WorkerHost, name: str, **labels: str) -> float:
        return host.metrics.registry.get_sample_value(f"silver_guardian_queue_{name}", labels) or 0.0

    return value


def settle(seconds: float = 1.0) -> None:
    """Give something that must not happen the time to happen."""
    time.sleep(seconds)
