"""Send messages, break everything, count.

    python -m benchmarks.faults.campaign [--messages 200] [--kills 5] [--analyzer bytes|audio]

A real S3 server (SeaweedFS, a versioned bucket) and a real queue API (moto) each stand behind a proxy that refuses,
cuts, delays and fails connections. Workers with clocks ten minutes fast and slow are killed by KILL and TERM in turn.
The exit status is 0 only when nothing is lost, wrong or duplicated.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.faults.analyzer import FaultyAnalyzer, expected
from benchmarks.faults.cases import Case, make_cases
from benchmarks.faults.fleet import Fleet, running_fleet
from benchmarks.faults.proxy import Proxy, Weather, proxied
from benchmarks.faults.verdict import Judge, Standard, Tally, compare, read_left
from testbed.servers import AwsServer, Queue, S3Server, aws_environment, aws_server, make_queue, s3_server

BUCKET = "campaign"
MAX_RECEIVES = 5
VISIBILITY_SECONDS = 6
SLOTS = 4
_BATCH = 10
_QUEUE_LENGTH = 120
_SPEAK_SECONDS = 30.0


@dataclass(frozen=True)
class Plan:
    """What is sent and how results are checked."""

    cases: list[Case]
    judge: Judge
    result_name: str


@dataclass(frozen=True)
class Ground:
    """The servers as the campaign itself sees them, without the proxies."""

    s3: Any
    sqs: Any
    queue: Queue

    def remaining(self) -> int:
        """Messages in the queue, hidden ones included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.queue.url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


def main() -> int:
    options = _options()
    started = time.monotonic()
    with ExitStack() as stack:
        folder = Path(options.logs or stack.enter_context(tempfile.TemporaryDirectory(prefix="sg-faults-")))
        folder.mkdir(parents=True, exist_ok=True)
        store, aws = stack.enter_context(s3_server()), stack.enter_context(aws_server())
        ground = _prepare(store, aws)
        plan = _plan(options)
        versions = _upload(ground, plan.cases)
        print(f"{len(versions)} objects are there after {time.monotonic() - started:.0f} s", flush=True)
        s3_proxy = stack.enter_context(proxied(store.url, Weather(), options.seed))
        sqs_proxy = stack.enter_context(proxied(aws.url, Weather(), options.seed + 1))
        environment = {
            **aws_environment(replace(store, url=s3_proxy.url), replace(aws, url=sqs_proxy.url)),
            **_settings(ground.queue.url.replace(aws.url, sqs_proxy.url), folder),
        }
        with running_fleet(options.workers, options.analyzer, environment, folder, options.seed) as fleet:
            _oversee(ground, fleet, plan.cases, options.kills, options.limit)
        left = read_left(ground.s3, ground.sqs, BUCKET, "results/", ground.queue.dead_url)
        tally = compare(plan.cases, left, Standard(plan.judge, versions, plan.result_name))
        tally.kills = len(fleet.kills)
        _report(tally, fleet, (s3_proxy, sqs_proxy), time.monotonic() - started)
    return 0 if tally.clean and tally.kills >= options.kills else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Send messages, break everything, count.")
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--analyzer", default="bytes", help="bytes, or audio for the real one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=3600, help="seconds after which what is left counts as lost")
    parser.add_argument("--logs", type=Path, help="keep the workers' logs in this folder")
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> Plan:
    if options.analyzer == "bytes":
        analyzer = FaultyAnalyzer()
        cases = list(make_cases(options.messages, BUCKET, options.seed))
        return Plan(cases, expected, f"{analyzer.kind}-{analyzer.model.version}.json")
    # Speech synthesis and the models are loaded only where they are used.
    from benchmarks.faults.media import real_media  # noqa: PLC0415

    cases, judge_media, name = real_media(options.analyzer, options.messages, BUCKET, options.seed)
    return Plan(cases, judge_media, name)


def _prepare(store: S3Server, aws: AwsServer) -> Ground:
    s3 = store.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    queue = make_queue(aws, BUCKET, visibility_seconds=VISIBILITY_SECONDS, max_receives=MAX_RECEIVES)
    return Ground(s3, aws.client("sqs"), queue)


def _upload(ground: Ground, cases: Sequence[Case]) -> dict[str, str]:
    """Put every object; the version id of each key."""

    def put(case: Case) -> tuple[str, str]:
        answer = ground.s3.put_object(Bucket=BUCKET, Key=case.key, Body=case.data)
        return str(case.key), answer["VersionId"]

    with ThreadPoolExecutor(4) as pool:
        return dict(pool.map(put, (case for case in cases if case.key is not None and case.data)))


class Feed:
    """Sends the messages as fast as they are answered: the emulated queue slows down with its length."""

    def __init__(self, ground: Ground, cases: Sequence[Case]) -> None:
        self._ground = ground
        self._bodies = [case.body for case in cases for _ in range(case.copies)]
        self.total = len(self._bodies)

    @property
    def left(self) -> int:
        return len(self._bodies)

    def top_up(self, waiting: int) -> None:
        """Send what makes `_QUEUE_LENGTH` of the waiting messages."""
        while self._bodies and waiting < _QUEUE_LENGTH:
            batch, self._bodies = self._bodies[:_BATCH], self._bodies[_BATCH:]
            entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(batch)]
            answer = self._ground.sqs.send_message_batch(QueueUrl=self._ground.queue.url, Entries=entries)
            assert not answer.get("Failed"), answer
            waiting += len(batch)


def _settings(queue_url: str, folder: Path) -> dict[str, str]:
    return {
        "SG_PORT": "0",
        "SG_WORK_DIR": str(folder / "work"),
        "SG_QUEUE_URL": queue_url,
        "SG_S3_ALLOW": BUCKET,
        "SG_MAX_CONCURRENCY": str(SLOTS),
        "SG_THREADS": "1",
        "SG_QUEUE_VISIBILITY_SECONDS": str(VISIBILITY_SECONDS),
        "SG_QUEUE_WAIT_SECONDS": "2",
        "SG_QUEUE_RETRY_SECONDS": "0.5",
        "SG_QUEUE_RETRY_MAX_SECONDS": "10",
        "SG_GRACE_SECONDS": "8",
    }


def _oversee(ground: Ground, fleet: Fleet, cases: Sequence[Case], kills: int, limit_seconds: float) -> None:
    """Kill a worker whenever another share of the messages is done, until all are sent and the queue is empty."""
    end = time.monotonic() + limit_seconds
    spoken = time.monotonic()
    feed = Feed(ground, cases)
    feed.top_up(0)
    empty = 0
    while time.monotonic() < end:
        fleet.tend()
        waiting = ground.remaining()
        remaining = waiting + feed.left
        feed.top_up(waiting)
        if len(fleet.kills) < kills and feed.total - remaining >= (len(fleet.kills) + 0.5) * feed.total * 0.9 / kills:
            print(f"{remaining:6} left: {fleet.kill_one().name}", flush=True)
        elif time.monotonic() - spoken > _SPEAK_SECONDS:
            spoken = time.monotonic()
            print(f"{remaining:6} left", flush=True)
        # A message on its way back counts nowhere for a moment, so the queue must be seen empty more than once.
        empty = empty + 1 if remaining == 0 else 0
        if empty >= 3:
            return
        time.sleep(0.3)
    print(f"the campaign did not end in {limit_seconds:g} s", file=sys.stderr)


def _report(tally: Tally, fleet: Fleet, proxies: tuple[Proxy, ...], seconds: float) -> None:
    for complaint in tally.complaints[:20]:
        print(complaint, file=sys.stderr)
    names = ", ".join(f"{fleet.kills.count(number)} {number.name}" for number in sorted(set(fleet.kills)))
    connections, faults = (sum(getattr(proxy, name) for proxy in proxies) for name in ("connections", "faults"))
    print(
        f"{seconds:.0f} s; kills: {names or 'none'}; {fleet.restarts} workers died by themselves (fatal files); "
        f"{faults} of {connections} connections were broken or slow"
    )
    print(tally.line(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
