"""Shows the three doors of a running local stack: each sample by upload, from S3 and through the queue.

Prints a table of verdicts. The exit status is 1 when an answer is missing. Runs inside the audio analyzer's image.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sg_common.analysis import AnalysisOptions
from sg_common.aws.client import make_client
from sg_common.aws.objects import ObjectStore, S3Object
from sg_common.cli.submission import Submission
from sg_common.client import Client
from sg_common.errors import ServiceError
from sg_common.verdict import Verdict

BUCKET = "uploads"
SERVICES = {"audio": "http://audio-analyzer:8000", "video": "http://video-analyzer:8001"}
SAMPLES = {"voice.m4a": ("audio",), "talk.mp4": ("audio", "video")}
QUEUE_SECONDS = 120.0


@dataclass(frozen=True)
class Clip:
    path: Path
    key: str
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One answer; without a verdict, `note` says why there is none."""

    door: str
    kind: str
    clip: str
    note: str
    verdict: Verdict | None = None
    probability: float = 0.0
    seconds: float = 0.0

    def __str__(self) -> str:
        head = f"{self.door:8}{self.kind:7}{self.clip:12}"
        return (
            f"{head}{self.verdict:20}{self.probability:11.3f}{self.seconds:9.2f}  {self.note}"
            if self.verdict
            else (head + self.note)
        )


def row(door: str, kind: str, clip: Clip, answer: dict[str, Any]) -> Row:
    """What the table says of an answer: a report, or a result without a judgement."""
    note = answer["message"] or ""
    if answer["status"] != "success":
        return Row(door, kind, clip.path.name, note)
    verdict = Verdict(answer["verdict"])
    return Row(door, kind, clip.path.name, note, verdict, answer["probability"], answer["processing_seconds"])


def by_http(clips: Iterable[Clip]) -> Iterator[Row]:
    """Each clip as an upload, then by its place in S3."""
    clients = {kind: Client(address, timeout_seconds=300) for kind, address in SERVICES.items()}
    for clip in clips:
        for kind in clip.kinds:
            for door, media in (("upload", clip.path), ("s3", f"s3://{BUCKET}/{clip.key}")):
                try:
                    report = clients[kind].analyze(media)
                except ServiceError as error:
                    yield Row(door, kind, clip.path.name, error.detail)
                else:
                    yield row(door, kind, clip, report.model_dump(mode="json"))


def by_queue(clips: Iterable[Clip]) -> Iterator[Row]:
    """A message for each clip and kind; the workers' results are awaited in the bucket."""
    sqs = make_client("sqs")
    queues = {kind: sqs.get_queue_url(QueueName=kind)["QueueUrl"] for kind in SERVICES}
    submission = Submission(queues, "results/")
    by_name = {f"s3://{BUCKET}/{clip.key}": clip for clip in clips}
    found = submission.items(list(by_name), dict.fromkeys(SERVICES, AnalysisOptions()))
    items = [item for item in found if item.kind in by_name[item.name].kinds]
    submission.send(items)
    submission.wait(items, QUEUE_SECONDS, lambda _: None)
    for item in items:
        clip = by_name[item.name]
        if item.result is None:
            yield Row("queue", item.kind, clip.path.name, f"no result within {QUEUE_SECONDS:g} s")
        else:
            yield row("queue", item.kind, clip, item.result.document())


def main() -> int:
    # A place of its own for every run: a result that is there already would not be made again.
    place = f"demo/{time.time_ns()}"
    clips = [Clip(Path("/samples") / name, f"{place}/{name}", kinds) for name, kinds in SAMPLES.items()]
    store = ObjectStore()
    for clip in clips:
        store.put_new(S3Object(BUCKET, clip.key), clip.path.read_bytes(), "application/octet-stream")
    print(f"{'door':8}{'kind':7}{'clip':12}{'verdict':20}{'probability':>11}{'seconds':>9}")
    missing = 0
    for answered in (by_http, by_queue):
        for line in answered(clips):
            print(line, flush=True)
            missing += line.verdict is None
    if missing:
        print(f"{missing} answers are missing", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
