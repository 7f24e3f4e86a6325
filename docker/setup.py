"""Makes the bucket and queues of the local stack and uploads the samples. What is there already stays.

Runs inside the audio analyzer's image, which has boto3.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

BUCKET = "uploads"
QUEUES = ("audio", "video")
MAX_RECEIVES = 5
WAIT_SECONDS = 120


def make_bucket(s3: Any, samples: Path) -> None:
    if not any(bucket["Name"] == BUCKET for bucket in s3.list_buckets()["Buckets"]):
        s3.create_bucket(Bucket=BUCKET)
    present = {entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix="samples/").get("Contents", [])}
    for sample in sorted(samples.glob("*.m[p4]*")):
        key = f"samples/{sample.name}"
        if key not in present:
            s3.put_object(Bucket=BUCKET, Key=key, Body=sample.read_bytes())


def make_queues(sqs: Any) -> None:
    for name in QUEUES:
        dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": MAX_RECEIVES})
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": redrive})


def until_it_answers(work: Callable[[], None], end: float) -> None:
    """Servers that have just been started refuse connections, or writes, for a few seconds."""
    while True:
        try:
            work()
        except (BotoCoreError, ClientError) as error:
            if time.monotonic() > end:
                raise
            print(f"waiting: {error}", file=sys.stderr, flush=True)
            time.sleep(1)
        else:
            return


def main() -> None:
    quick = Config(connect_timeout=3, read_timeout=10, retries={"max_attempts": 1}, s3={"addressing_style": "path"})
    s3, sqs = (boto3.client(name, config=quick) for name in ("s3", "sqs"))
    end = time.monotonic() + WAIT_SECONDS
    until_it_answers(lambda: make_bucket(s3, Path("/samples")), end)
    until_it_answers(lambda: make_queues(sqs), end)
    print(f"bucket {BUCKET} with samples/, queues {', '.join(QUEUES)} and their dead-letter queues are there")


if __name__ == "__main__":
    main()
