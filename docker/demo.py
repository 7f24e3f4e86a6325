"""Shows the three doors of a running local stack: each sample by upload, from S3 and through the queue.

Prints a table of verdicts. The exit status is 1 when an answer is missing. Runs inside the audio analyzer's image.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import urllib3
from botocore.config import Config

BUCKET = "uploads"
SCORES = {"audio": "deepfake_probability", "video": "manipulation_probability"}
SERVICES = {"audio": "http://audio-analyzer:8000", "video": "http://video-analyzer:8001"}
QUEUE_SECONDS = 120.0

Answer = dict[str, Any]


@dataclass(frozen=True)
class Clip:
    path: Path
    key: str
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    door: str
    kind: str
    clip: str
    answer: Answer | None
    problem: str = ""

    @property
    def complete(self) -> bool:
        return self.answer is not None and self.answer.get("status") == "success"

    def __str__(self) -> str:
        if self.answer is None:
            return f"{self.door:8}{self.kind:7}{self.clip:12}{self.problem}"
        score = self.answer[SCORES[self.kind]]
        seconds = self.answer.get("processing_seconds", 0.0)
        note = self.answer.get("message") or ""
        return f"{self.door:8}{self.kind:7}{self.clip:12}{self.answer['verdict']:20}{score:11.3f}{seconds:9.2f}  {note}"


def asked(http: urllib3.PoolManager, kind: str, **body: Any) -> Answer:
    answer = http.request("POST", f"{SERVICES[kind]}/analyze", timeout=300, **body)
    if answer.status != 200:
        raise RuntimeError(f"HTTP {answer.status}: {answer.data.decode(errors='replace')}")
    document: Answer = answer.json()
    return document


def by_http(http: urllib3.PoolManager, clips: Iterable[Clip]) -> Iterable[Row]:
    """Each clip as an upload, then by its place in S3."""

    def attempt(door: str, kind: str, clip: Clip, **body: Any) -> Row:
        try:
            return Row(door, kind, clip.path.name, asked(http, kind, **body))
        except (RuntimeError, urllib3.exceptions.HTTPError) as error:
            return Row(door, kind, clip.path.name, None, str(error))

    for clip in clips:
        for kind in clip.kinds:
            upload = {"file": (clip.path.name, clip.path.read_bytes())}
            place = {"s3_bucket": BUCKET, "s3_key": clip.key}
            yield attempt("upload", kind, clip, fields=upload)
            yield attempt("s3", kind, clip, json=place)


def by_queue(s3: Any, sqs: Any, clips: Iterable[Clip]) -> Iterable[Row]:
    """A message for each clip and kind; the workers' results are awaited in the bucket."""
    awaited = {(kind, clip.key): clip for clip in clips for kind in clip.kinds}
    for kind, key in awaited:
        url = sqs.get_queue_url(QueueName=kind)["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"s3_bucket": BUCKET, "s3_key": key}))
    end = time.monotonic() + QUEUE_SECONDS
    while awaited and time.monotonic() < end:
        for (kind, key), clip in list(awaited.items()):
            found = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"results/{key}/").get("Contents", [])
            for result in (entry["Key"] for entry in found if f"/{kind}-" in entry["Key"]):
                document = json.loads(s3.get_object(Bucket=BUCKET, Key=result)["Body"].read())
                yield Row("queue", kind, clip.path.name, document)
                del awaited[kind, key]
        time.sleep(0.5)
    for (kind, _), clip in awaited.items():
        yield Row("queue", kind, clip.path.name, None, f"no result within {QUEUE_SECONDS:g} s")


def main() -> int:
    # A place of its own for every run: a result that is there already would not be made again.
    place = f"demo/{time.time_ns()}"
    samples = {"voice.m4a": ("audio",), "talk.mp4": ("audio", "video")}
    clips = [Clip(Path("/samples") / name, f"{place}/{name}", kinds) for name, kinds in samples.items()]
    s3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
    for clip in clips:
        s3.put_object(Bucket=BUCKET, Key=clip.key, Body=clip.path.read_bytes())
    print(f"{'door':8}{'kind':7}{'clip':12}{'verdict':20}{'probability':>11}{'seconds':>9}")
    rows = []
    http = urllib3.PoolManager(retries=False)
    for source in (by_http(http, clips), by_queue(s3, boto3.client("sqs"), clips)):
        for row in source:
            print(row, flush=True)
            rows.append(row)
    missing = [row for row in rows if not row.complete]
    if missing:
        print(f"{len(missing)} of {len(rows)} answers are missing", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
