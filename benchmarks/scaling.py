"""Makes docs/scaling.md: pods, nodes, dollars and waiting times for a thousand to a hundred million clips a day.

    python -m benchmarks.scaling [--measure] [--check]

CPU seconds a clip come from benchmarks/results/clips.json, start-up from benchmarks/results/start.json (`--measure`
remakes it), prices from benchmarks/cost/prices.toml, sizes from the defaults of Terraform and of the chart. `--check`
fails where the page is not current.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from benchmarks.cost.cost import PRICES, ROOT, figures, spot_price, table, terraform_default
from benchmarks.record import RESULTS, machine, record
from testbed.processes import cpu_seconds

PAGE = ROOT / "docs" / "scaling.md"
START = RESULTS / "start.json"
NODE = "c5.xlarge"
DAY = 86_400
LOADS = (1_000, 1_000_000, 100_000_000)

PEAK = 3.0
"""Busiest hour over the day's average: an assumption; measure yours."""
SHARE_OF_NODE = 0.9
"""vCPU of a node that pods may have, beside the system's: an assumption."""
MESSAGE_SECONDS = 1.0
"""Wall time of a message beside its CPU time (S3, SQS): an assumption, on the safe side."""

S3_READS, S3_WRITES, SQS_CALLS = 3, 1, 3
"""Of one message in the worker: HEAD, the missing result, GET; PUT; receive, delete and an extension or empty poll."""

QUOTAS = [
    ("SQS messages in flight", 120_000, "of one standard queue"),
    ("S3 writes/s", 3_500, "of one partition; S3 splits busy prefixes by itself, within minutes to hours"),
    ("S3 reads/s", 5_500, "of one partition; likewise"),
    (
        "EventBridge deliveries/s",
        1_100,
        "in regions without a higher one (18,750 in us-east-1); late above it, not lost",
    ),
]

WAITS = [
    ("KEDA looks at the queue", "0-15 s", "`pollingInterval` of the chart, 15 s"),
    ("Cluster Autoscaler sees the pending pod", "0-10 s", "its scan interval; assumption"),
    ("a Spot node starts and joins", "60-120 s", "assumption; EC2 without Spot capacity: until there is some"),
    ("the image is pulled", "10-30 s", "assumption; nothing on a node that had it"),
]


@dataclass(frozen=True)
class Service:
    """One kind of worker: its measured cost and its pod."""

    name: str
    clip: str
    cpu_seconds: float
    pod_vcpu: float

    def clips_per_pod_hour(self, utilisation: float) -> float:
        return 3600 * self.pod_vcpu * utilisation / self.cpu_seconds


def services() -> list[Service]:
    """Every service whose clip was measured, with the processor share that the chart requests for its pod."""
    chart = yaml.safe_load((ROOT / "helm/silver-guardian/values.yaml").read_text())["services"]
    requests = {name: values["resources"]["requests"]["cpu"] for name, values in chart.items()}
    return [
        Service(clip["service"], clip["clip"], clip["cpu_seconds"], _vcpu(requests[_match(clip["service"], requests)]))
        for clip in figures()
    ]


def _match(service: str, names: Mapping[str, object]) -> str:
    kind = service.partition("-")[0]
    return next(name for name in names if name.lower().startswith(kind))


def _vcpu(quantity: str | int | float) -> float:
    text = str(quantity)
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


def measure_start() -> None:
    """Write start.json: CPU seconds from nothing to a model that has answered its golden input."""
    where, found = machine(), {}
    for kind in ("audio", "video"):
        before = cpu_seconds({os.getpid()})
        done = subprocess.run([sys.executable, "-m", f"{kind}_analyzer", "check"], cwd=ROOT, check=False)
        if done.returncode == 0:
            found[f"{kind}-analyzer"] = round(cpu_seconds({os.getpid()}) - before, 2)
    record(START, by="python -m benchmarks.scaling --measure", where=where, start_cpu_seconds=found)


def load_rows(prices: Mapping[str, Any], all_services: Sequence[Service]) -> list[list[str]]:
    """One row for each load and service."""
    utilisation = prices["use"]["cpu_utilisation"]
    node_vcpu = prices["ml_nodes"][NODE]["vcpu"]
    rows = []
    for load in LOADS:
        for service in all_services:
            hourly = service.clips_per_pod_hour(utilisation)
            peak = load / 24 * PEAK
            pods = math.ceil(peak / hourly)
            nodes = math.ceil(pods * service.pod_vcpu / (node_vcpu * SHARE_OF_NODE))
            node_hours = load / hourly * service.pod_vcpu / (node_vcpu * SHARE_OF_NODE)
            compute = node_hours * spot_price(prices, NODE)
            rows.append([
                f"{load:,}", service.name, f"{load / DAY:,.2f}", f"{load / DAY * PEAK:,.1f}", f"{pods:,}", f"{nodes:,}",
                f"{compute:,.2f}", f"{_requests(prices, load):,.2f}",
            ])  # fmt: skip
    return rows


def _requests(prices: Mapping[str, Any], load: int) -> float:
    """USD a day for the calls of one kind of worker and the event that feeds it."""
    rates = prices["requests"]
    s3 = (S3_READS * rates["s3_get_per_1000"] + S3_WRITES * rates["s3_put_per_1000"]) / 1000
    return float(load * (s3 + (SQS_CALLS * rates["sqs_per_million"] + rates["eventbridge_per_million"]) / 1e6))


def quota_rows(all_services: Sequence[Service], utilisation: float) -> list[list[str]]:
    """What each quota sees at each load's peak, both queues together where they share it."""
    rows = []
    for name, quota, note in QUOTAS:
        cells = []
        for load in LOADS:
            rate = load / DAY * PEAK
            used = {
                "SQS messages in flight": max(
                    rate * (service.cpu_seconds / utilisation + MESSAGE_SECONDS) for service in all_services
                ),
                "S3 writes/s": rate * S3_WRITES * 2,
                "S3 reads/s": rate * S3_READS * 2,
                "EventBridge deliveries/s": rate * 2,
            }[name]
            cells.append(f"**{used:,.0f}**" if used > quota else f"{used:,.1f}")
        rows.append([name, f"{quota:,}", *cells, note])
    return rows


def page() -> str:
    """The whole of docs/scaling.md."""
    prices = tomllib.loads(PRICES.read_text())
    utilisation = prices["use"]["cpu_utilisation"]
    known = services()
    start = json.loads(START.read_text())
    chart = yaml.safe_load((ROOT / "helm/silver-guardian/values.yaml").read_text())["autoscaling"]["sqs"]
    measured = table(
        ["Worker", "Clip", "CPU seconds a clip", "Start, CPU seconds", "vCPU a pod", "Clips a pod-hour"],
        [
            [
                service.name,
                service.clip,
                f"{service.cpu_seconds:g}",
                f"{start['start_cpu_seconds'].get(service.name, math.nan):g}",
                f"{service.pod_vcpu:g}",
                f"{service.clips_per_pod_hour(utilisation):,.0f}",
            ]
            for service in known
        ],
    )
    missing = {"audio-analyzer", "video-analyzer"} - {service.name for service in known}
    absent = "".join(f"\n\n{name} is not measured yet." for name in sorted(missing))
    largest = terraform_default("ml_spot_max_size")
    ceiling = min(service.clips_per_pod_hour(utilisation) for service in known) * 24 * chart["maxReplicas"]
    loads = table(
        ["Clips a day", "Worker", "Clips/s", "at the peak", "Pods at the peak", "Nodes at the peak", "Spot, USD a day",
         "Calls, USD a day"], load_rows(prices, known)
    )  # fmt: skip
    quotas = table(
        ["Quota", "Default", *(f"{load:,} a day" for load in LOADS), "Which"], quota_rows(known, utilisation)
    )
    slowest = max(start["start_cpu_seconds"].values()) / min(service.pod_vcpu for service in known)
    waits = table(["What", "How long", "Whence"], [[a, b, c] for a, b, c in WAITS] + [
        ["Python starts and the model loads", f"{slowest:.0f} s at most", "measured CPU seconds at the pod's request"],
        ["the queue's first message", "under 1 s", "long polling"],
    ])  # fmt: skip
    return f"""# How it scales

<!-- Made by `make bench-scaling` from benchmarks/results/, benchmarks/cost/prices.toml and the defaults of
Terraform and the chart. -->

An upload is one message in each queue; KEDA makes workers of messages, Cluster Autoscaler makes nodes of pods. Nothing
in the path is shared between two messages but the bucket and the queue, so capacity is a count of pods. This page is
arithmetic on measured costs: no cluster of these sizes was run.

## Measured

{measured}{absent}

CPU seconds on {start["machine"]}, {start["measured"]}. A pod-hour counts {utilisation:.0%} of the requested vCPU as
analysis (`cpu_utilisation`, an assumption); a pod may burst above its request while its node has room.

## Three days

`{NODE}` on Spot at {spot_price(prices, NODE):.3f} USD an hour in {prices["region"]}
(prices and their date: [cost.md](cost.md)), the busiest
hour {PEAK:g} times the average, {SHARE_OF_NODE:.0%} of a node's vCPU for pods. Calls are S3, SQS and EventBridge of one
worker kind: {S3_READS} reads, {S3_WRITES} write, {SQS_CALLS} queue calls and one event a clip.

{loads}

Where the calls cost more than the judging, a faster model would save little.

## Where it first stops

- **The defaults.** `maxReplicas: {chart["maxReplicas"]}` and `ml_spot_max_size = {largest}` cap the bill: about
  {ceiling:,.0f} clips of the slower kind a day. More waits in the queue, for its retention, until somebody raises them.
- **A thousand a day** needs one pod for minutes; what is felt is the start from zero, below.
- **A million a day** stays under every quota in the table. Raise the two ceilings, and the account's Spot vCPU quota,
  which is often below what the nodes need.
- **A hundred million a day** exceeds default quotas (bold, at the peak). EventBridge's deliveries come first and are a
  request for a higher quota, or a region that has it. S3 splits prefixes as they grow busy and answers 503 meanwhile,
  which workers meet with backoff; results lie below their objects' keys and so spread as uploads do. Hundreds of nodes
  are past one zone's Spot capacity: more instance types and zones (`availability_zones` takes up to six), and subnets
  with enough addresses.

{quotas}

The in-flight row counts messages being worked on, {MESSAGE_SECONDS:g} s each beside the analysis.

## What a burst waits for

From nothing running at all; a worker that is already there has none of it.

{waits}

So the first answer of a cold burst comes after one and a half to three minutes, and while nodes are there, new pods
answer within half a minute. To wait less: KEDA's cron trigger before busy hours
(`autoscaling.sqs.extraTriggers`), or a worker that stays (`autoscaling.sqs.minReplicas`).

A node lost without notice costs its messages the visibility time (`SG_QUEUE_VISIBILITY_SECONDS`, 60 s); a worker that
gets the two minutes' notice of a Spot interruption hands back at once what it can't finish: see [queue.md](queue.md).
"""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--measure", action="store_true", help="measure the start of each service first")
    parser.add_argument("--check", action="store_true", help="fail where the page is not current")
    options = parser.parse_args()
    if options.measure:
        measure_start()
    text = page()
    if options.check:
        return 0 if PAGE.read_text() == text else 1
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
