"""make verify-cluster on a played cluster: what it says where all is well, and where something is not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helm.chart import CASES, EKS, NAMESPACE, ROOT, render_text
from tests.helm.fake_cluster import ML_NODE, FakeCluster, Object

RESOURCES = {
    "Deployment": "deployments", "Service": "services",
    "HTTPScaledObject": "httpscaledobjects", "ScaledObject": "scaledobjects",
}  # fmt: skip


@pytest.fixture(scope="session")
def manifests() -> dict[str, list[Object]]:
    import yaml  # noqa: PLC0415

    texts = {
        "eks": render_text(EKS),
        "keda-http": render_text(*CASES["keda-http"]),
        "none": render_text(*CASES["none"]),
    }
    return {case: [item for item in yaml.safe_load_all(text) if item] for case, text in texts.items()}


@pytest.fixture
def check(cluster: FakeCluster, tmp_path: Path, manifests: dict[str, list[Object]]) -> Callable[..., Any]:
    """Installs a case's objects, and runs the checks with kubectl pointed at the cluster."""
    (tmp_path / "kubectl").symlink_to(ROOT / "tests/helm/standin.sh")
    variables = os.environ | {
        "KUBECONFIG": str(tmp_path / "kubeconfig"), "REAL_PATH": os.environ["PATH"], "PYTHON": sys.executable,
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "CALLS": str(tmp_path / "calls"),
    }  # fmt: skip
    for arguments in (
        ["set-cluster", "c", f"--server={cluster.url}"],
        ["set-context", "c", "--cluster=c"],
        ["use-context", "c"],
    ):
        subprocess.run(["kubectl", "config", *arguments], env=variables, check=True, capture_output=True)

    def run(*arguments: str, case: str = "eks", **more: str) -> tuple[int, dict[str, list[str]]]:
        if cluster.get("namespaces", NAMESPACE) is None:
            cluster.put("namespaces", {"metadata": {"name": NAMESPACE}})
            for item in manifests[case]:
                if item["kind"] in RESOURCES:
                    cluster.put(RESOURCES[item["kind"]], item)
        command = [sys.executable, str(ROOT / "tools/verify_cluster.py"), "--timeout", "5", *arguments]
        ended = subprocess.run(command, env=variables | more, capture_output=True, text=True, check=False)
        assert ended.stderr == ""
        lines: dict[str, list[str]] = {}
        for line in ended.stdout.splitlines():
            word, _, rest = line.partition(" ")
            assert word in ("ok", "FAIL"), line
            lines.setdefault(rest.strip().partition(":")[0], []).append(f"{word} {rest.strip().partition(': ')[2]}")
        return ended.returncode, lines

    return run


def test_all_is_well(check: Callable[..., Any], cluster: FakeCluster) -> None:
    code, lines = check("--analyze")
    assert code == 0, lines
    assert lines["nodes"] == ["ok 1 Spot nodes for ML: ml-1"]
    assert lines["taint"] == ["ok every ML node has taint workload=ml:NoSchedule, and no other node"]
    assert lines["placement"] == ["ok 2 ML pods, all on ML nodes, and nothing else there"]
    assert lines["isolation"] == ["ok a plain pod went to general-1, and is gone again"]
    assert [line.split()[1] for line in lines["health"]] == ["audio-analyzer:", "video-analyzer:"]
    assert "judged by played" in lines["health"][1]
    assert len(lines["events"]) == 2


def test_woken_services_are_put_back_to_sleep(check: Callable[..., Any], cluster: FakeCluster) -> None:
    check("--only", "services")
    for name in ("audio-analyzer", "video-analyzer"):
        deployment = cluster.get("deployments", name, NAMESPACE)
        assert deployment is not None
        assert deployment["spec"]["replicas"] == 0
    assert not cluster.all("pods", NAMESPACE)


def test_sleepers_can_be_left_asleep(check: Callable[..., Any], cluster: FakeCluster) -> None:
    code, lines = check("--no-wake")
    assert code == 0
    assert lines["health"] == [
        f"ok {name} sleeps, and was left asleep" for name in ("audio-analyzer", "video-analyzer")
    ]
    assert not any("/scale" in path for _, path in cluster.log)


def test_running_services_keep_running(check: Callable[..., Any], cluster: FakeCluster) -> None:
    code, _ = check("--only", "services", case="none")
    assert code == 0
    deployment = cluster.get("deployments", "audio-analyzer", NAMESPACE)
    assert deployment is not None
    assert deployment["spec"]["replicas"] == 1


def test_services_scaled_by_requests_are_asked_through_the_interceptor(
    check: Callable[..., Any], cluster: FakeCluster
) -> None:
    cluster.put("namespaces", {"metadata": {"name": "keda"}})
    port = {"spec": {"ports": [{"port": 8080}]}}
    cluster.put("services", {"metadata": {"name": "keda-add-ons-http-interceptor-proxy", "namespace": "keda"}, **port})
    code, lines = check("--only", "services", "--analyze", case="keda-http")
    assert code == 0, lines
    assert not any("/scale" in path for _, path in cluster.log), "the interceptor wakes it"


def test_no_node_at_all_is_well_too(check: Callable[..., Any], cluster: FakeCluster) -> None:
    cluster.delete("nodes", "", "ml-1")
    code, lines = check("--only", "cluster")
    assert code == 0
    assert lines["nodes"] == ["ok no Spot node for ML now; nothing runs, nothing costs"]


def test_a_node_without_its_taint(check: Callable[..., Any], cluster: FakeCluster) -> None:
    cluster.put("nodes", {"metadata": ML_NODE["metadata"] | {"name": "ml-0"}, "spec": {}})
    code, lines = check("--only", "cluster")
    assert code == 1
    assert lines["taint"] == ["FAIL without taint workload=ml:NoSchedule: ml-0"]
    assert lines["isolation"] == ["ok a plain pod went to general-1, and is gone again"]


def test_a_tainted_node_without_labels(check: Callable[..., Any], cluster: FakeCluster) -> None:
    cluster.put("nodes", {"metadata": {"name": "odd"}, "spec": ML_NODE["spec"]})
    code, lines = check("--only", "cluster")
    assert code == 1
    assert lines["taint"][0].startswith("FAIL tainted, but without the labels")


def test_a_plain_pod_that_gets_an_ml_node(check: Callable[..., Any], cluster: FakeCluster) -> None:
    cluster.delete("nodes", "", "general-1")
    cluster.put("nodes", {"metadata": ML_NODE["metadata"] | {"name": "ml-0"}, "spec": {}})
    code, lines = check("--only", "cluster")
    assert code == 1
    assert lines["isolation"] == ["FAIL a plain pod landed on the ML node ml-0"]
    assert cluster.get("pods", "isolation-probe", NAMESPACE) is None, "cleaned up all the same"


@pytest.mark.parametrize(
    ("labels", "node", "says"),
    [
        ({"workload": "ml"}, "general-1", "FAIL ML pods off the ML nodes: astray"),
        ({}, "ml-1", "FAIL other pods on the ML nodes: astray"),
    ],
)
def test_pods_in_the_wrong_place(
    labels: dict[str, str], node: str, says: str, check: Callable[..., Any], cluster: FakeCluster
) -> None:
    meta = {"name": "astray", "namespace": "default", "labels": labels}
    cluster.put("pods", {"metadata": {**meta, "ownerReferences": [{"kind": "ReplicaSet"}]}, "spec": {"nodeName": node}})
    code, lines = check("--only", "cluster")
    assert code == 1
    assert lines["placement"] == [says]


def test_daemons_and_ended_pods_may_be_there(check: Callable[..., Any], cluster: FakeCluster) -> None:
    owner = {"ownerReferences": [{"kind": "DaemonSet"}]}
    cluster.put(
        "pods", {"metadata": {"name": "aws-node", "namespace": "kube-system", **owner}, "spec": {"nodeName": "ml-1"}}
    )
    ended = {"metadata": {"name": "done", "namespace": "default", "ownerReferences": [{"kind": "Job"}]}}
    cluster.put("pods", {**ended, "spec": {"nodeName": "ml-1"}, "status": {"phase": "Succeeded"}})
    assert check("--only", "cluster")[0] == 0


def test_a_sick_service(check: Callable[..., Any]) -> None:
    code, lines = check("--only", "services", POD_HEALTH="loading")
    assert code == 1
    assert lines["health"][0].startswith("FAIL audio-analyzer/health says")


def test_a_service_that_does_not_wake(check: Callable[..., Any], cluster: FakeCluster) -> None:
    cluster.broken.add("video-analyzer")
    code, lines = check("--only", "services")
    assert code == 1
    assert "timed out" in lines["wake"][0]
    deployment = cluster.get("deployments", "audio-analyzer", NAMESPACE)
    assert deployment is not None
    assert deployment["spec"]["replicas"] == 0, "put back to sleep all the same"


def test_events_are_shown(check: Callable[..., Any], cluster: FakeCluster) -> None:
    for number, reason in enumerate(("TriggeredScaleUp", "KEDAScaleTargetActivated", "Pulled", "NodeNotReady")):
        event = {"metadata": {"name": f"e{number}", "namespace": "default"}, "involvedObject": {"name": "x"}}
        cluster.put("events", {**event, "reason": reason})
    _, lines = check("--only", "cluster")
    assert lines["events"] == [
        "ok 2 recent scaling events, last: TriggeredScaleUp x; KEDAScaleTargetActivated x",
        "ok 1 recent Spot events, last: NodeNotReady x",
    ]


def test_no_cluster(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, str(ROOT / "tools/verify_cluster.py")], capture_output=True, text=True, check=False,
        env=os.environ | {"KUBECONFIG": str(tmp_path / "none")},
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stdout.startswith("FAIL")
    assert ended.stderr == ""
