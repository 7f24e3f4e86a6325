"""Check a live cluster, one line a check: python3 helm/tools/verify_cluster.py [--namespace NS].

Exit status 1 if one fails.

Needs kubectl, pointed at the cluster, aws, signed in to its account, and Python's standard library. A service without a
server gets one for its check, and the workers get a sample through the bucket, which takes the minutes that a Spot node
needs to start; --no-wake leaves all asleep, unchecked.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from kubectl import CheckFailed, Cluster
from queue_path import SAMPLES, check_dead_letters, check_queue_path

ROOT = Path(__file__).resolve().parents[2]
SERVICES = tuple(SAMPLES)
PARTS = ("cluster", "services", "queue")
FILES = ROOT / "helm" / "silver-guardian" / "files"
ML_LABELS = {"workload": "ml", "nodeType": "spot"}
TAINT = {"key": "workload", "value": "ml", "effect": "NoSchedule"}
PROBE = "isolation-probe"
PROBE_IMAGE = "registry.k8s.io/pause:3.10"
EVENTS = {
    "scaling": {
        "KEDAScaleTargetActivated", "KEDAScaleTargetDeactivated", "ScalingReplicaSet", "SuccessfulRescale",
        "TriggeredScaleUp", "NotTriggerScaleUp", "ScaledUpGroup", "ScaleDown", "ScaleDownEmpty", "FailedToScaleUpGroup",
    },
    "Spot": {"SpotInterruption", "SpotRebalanceRecommendation", "NodeNotReady", "RemovingNode", "TaintManagerEviction"},
}  # fmt: skip


# --- checks: each returns its line, or raises CheckFailed with it ---


def is_ml(node: dict[str, Any]) -> bool:
    labels = node["metadata"].get("labels", {})
    return all(labels.get(key) == value for key, value in ML_LABELS.items())


def has_taint(node: dict[str, Any]) -> bool:
    taints = node["spec"].get("taints", [])
    return any(all(taint.get(key) == value for key, value in TAINT.items()) for taint in taints)


def names(items: list[dict[str, Any]]) -> str:
    return ", ".join(sorted(item["metadata"]["name"] for item in items))


def check_nodes(cluster: Cluster) -> str:
    ml = [node for node in cluster.items("nodes") if is_ml(node)]
    return f"{len(ml)} Spot nodes for ML: {names(ml)}" if ml else "no Spot node for ML now; nothing runs, nothing costs"


def check_taint(cluster: Cluster) -> str:
    nodes = cluster.items("nodes")
    bare = [node for node in nodes if is_ml(node) and not has_taint(node)]
    if bare:
        raise CheckFailed(f"without taint workload=ml:NoSchedule: {names(bare)}")
    stray = [node for node in nodes if has_taint(node) and not is_ml(node)]
    if stray:
        raise CheckFailed(f"tainted, but without the labels {ML_LABELS}: {names(stray)}")
    return "every ML node has taint workload=ml:NoSchedule, and no other node"


def check_placement(cluster: Cluster) -> str:
    ml_nodes = {node["metadata"]["name"] for node in cluster.items("nodes") if is_ml(node)}
    placed = [pod for pod in cluster.items("pods", "-A") if pod["spec"].get("nodeName")]
    alive = [pod for pod in placed if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")]
    ml_pods = [pod for pod in alive if pod["metadata"].get("labels", {}).get("workload") == "ml"]
    astray = [pod for pod in ml_pods if pod["spec"]["nodeName"] not in ml_nodes]
    if astray:
        raise CheckFailed(f"ML pods off the ML nodes: {names(astray)}")
    strangers = [
        pod for pod in alive if pod not in ml_pods and pod["spec"]["nodeName"] in ml_nodes and not belongs_to_node(pod)
    ]
    if strangers:
        raise CheckFailed(f"other pods on the ML nodes: {names(strangers)}")
    return f"{len(ml_pods)} ML pods, all on ML nodes, and nothing else there"


def belongs_to_node(pod: dict[str, Any]) -> bool:
    """Whether it is a daemon: one on every node."""
    owners = pod["metadata"].get("ownerReferences", [])
    return any(owner["kind"] in ("DaemonSet", "Node") for owner in owners)


def check_isolation(cluster: Cluster) -> str:
    """A plain pod that would love an ML node, and must not get one."""
    wish = {"matchExpressions": [{"key": k, "operator": "In", "values": [v]} for k, v in ML_LABELS.items()]}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": PROBE, "namespace": cluster.namespace},
        "spec": {
            "affinity": {
                "nodeAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": wish}]
                }
            },
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True, "runAsUser": 65535, "seccompProfile": {"type": "RuntimeDefault"}
            },
            "containers": [
                {
                    "name": "pause",
                    "image": PROBE_IMAGE,
                    "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}, "limits": {"memory": "16Mi"}},
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }  # fmt: skip
    where = ("-n", cluster.namespace)
    delete = ("delete", "pod", PROBE, *where, "--ignore-not-found", "--wait=true", "--timeout=60s")
    cluster.run(*delete)
    try:
        cluster.run("create", "-f", "-", *where, given=json.dumps(pod))
        node = wait_for_node(cluster)
    finally:
        cluster.run(*delete)
    ml_nodes = {item["metadata"]["name"] for item in cluster.items("nodes") if is_ml(item)}
    if node in ml_nodes:
        raise CheckFailed(f"a plain pod landed on the ML node {node}")
    return f"a plain pod {f'went to {node}' if node else 'found no node'}, and is gone again"


def wait_for_node(cluster: Cluster) -> str | None:
    deadline = time.monotonic() + min(60, cluster.timeout)
    while time.monotonic() < deadline:
        node = cluster.get("pod", PROBE, "-n", cluster.namespace)["spec"].get("nodeName")
        if node:
            return str(node)
        time.sleep(1)
    return None


def check_health(cluster: Cluster, service: str, analyze: bool) -> str:
    if not cluster.has_server(service):
        return f"{service} sleeps, and was left asleep"
    with cluster.reached(service) as (url, host):
        headers = {"Host": host} if host else {}
        try:
            request = urllib.request.Request(f"{url}/health", headers=headers)  # noqa: S310
            with urllib.request.urlopen(request, timeout=cluster.timeout) as answer:  # noqa: S310
                health = json.load(answer)
        except (OSError, ValueError) as error:
            raise CheckFailed(f"{service}/health: {error}") from error
        if health.get("status") != "healthy":
            raise CheckFailed(f"{service}/health says {health}")
        if not analyze:
            return f"{service}/health says healthy"
        return run_smoke_test(url, service, str(FILES / "samples" / SAMPLES[service]), host)


def run_smoke_test(url: str, service: str, sample: str, host: str | None) -> str:
    """What `helm test` runs, through the port-forward."""
    done = subprocess.run(
        [sys.executable, str(FILES / "smoke_test.py"), url, sample],
        capture_output=True, text=True, check=False, env={**os.environ, "SMOKE_HOST": host or ""},
    )  # fmt: skip
    line = (done.stdout.strip().splitlines() or [done.stderr.strip()])[-1]
    if done.returncode != 0:
        raise CheckFailed(f"{service}: {line}")
    return f"{service}: {line.removeprefix('ok ')}"


def check_scaling(cluster: Cluster) -> str:
    """KEDA says of each ScaledObject that it can read what it scales by."""
    try:
        found = cluster.items("scaledobjects.keda.sh", "-n", cluster.namespace)
    except CheckFailed as error:
        if "doesn't have a resource type" not in str(error):
            raise
        return "KEDA is not there; nothing is scaled"
    for item in found:
        conditions = {c["type"]: c for c in item.get("status", {}).get("conditions", [])}
        ready = conditions.get("Ready", {"status": "Unknown", "message": "KEDA has not looked at it"})
        if ready["status"] != "True":
            raise CheckFailed(f"{item['metadata']['name']} is not Ready: {ready.get('message', ready['status'])}")
        if conditions.get("Fallback", {}).get("status") == "True":
            raise CheckFailed(f"{item['metadata']['name']}: KEDA cannot read its trigger and falls back")
    return f"{len(found)} ScaledObjects, all Ready"


def check_server_reads_uploads(cluster: Cluster, service: str, address: str) -> None:
    """A server's own role is another than the worker's."""
    if not cluster.has_server(service):
        return
    with cluster.reached(service) as (url, host):
        run_smoke_test(url, service, address, host)


def check_events(cluster: Cluster, kind: str) -> str:
    events = cluster.items("events", "-A", "--sort-by=.metadata.creationTimestamp")
    found = [event for event in events if event.get("reason") in EVENTS[kind]]
    last = [f"{e['reason']} {e.get('involvedObject', {}).get('name', '')}" for e in found[-3:]]
    return f"{len(found)} recent {kind} events" + (f", last: {'; '.join(last)}" if last else "")


def checks(options: argparse.Namespace) -> Iterator[tuple[str, Callable[[Cluster], str]]]:
    """Name and check, in the order in which they run."""
    if "cluster" in options.only:
        yield "nodes", check_nodes
        yield "taint", check_taint
        yield "placement", check_placement
        yield "isolation", check_isolation
    if "services" in options.only:
        yield "scaling", check_scaling
        for service in SERVICES:
            yield "health", partial(check_health, service=service, analyze=options.analyze)
    if "queue" in options.only:
        if not options.no_wake:
            yield "queue", partial(check_queue_path, ask_server=check_server_reads_uploads if options.analyze else None)
        for service in SERVICES:
            yield "dead letters", partial(check_dead_letters, service=service)
    if "cluster" in options.only:
        for kind in EVENTS:
            yield "events", partial(check_events, kind=kind)


def run_checks(cluster: Cluster, options: argparse.Namespace) -> int:
    """Print a line for each check; how many failed."""
    failed = 0
    for name, check in checks(options):
        try:
            word, line = "ok", check(cluster)
        except CheckFailed as error:
            word, line = "FAIL", str(error)
            failed += 1
        print(f"{word:<4} {name}: {line}", flush=True)
    return failed


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--namespace", default="silver-guardian", help="namespace of the services")
    parser.add_argument(
        "--only", action="append", choices=PARTS, help="one part, or several: nodes and pods, what scales and answers, "
        "an upload's way to its result (all by default)",
    )  # fmt: skip
    parser.add_argument("--analyze", action="store_true", help="have each server judge a sample, too")
    parser.add_argument("--no-wake", action="store_true", help="leave services asleep that are scaled to zero")
    parser.add_argument("--timeout", type=float, default=900, help="seconds that a service may take to wake")
    options = parser.parse_args(arguments)
    options.only = options.only or PARTS
    cluster = Cluster(options.namespace, options.timeout)
    wakes = "services" in options.only and not options.no_wake
    try:
        with cluster.awake(SERVICES) if wakes else contextlib.nullcontext():
            return 1 if run_checks(cluster, options) else 0
    except CheckFailed as error:
        print(f"FAIL wake: {error}", flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
