"""make verify-cluster on a played cluster: what it says where all is well, and where something is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.helm.chart import CASES, EKS, NAMESPACE, ROOT, SERVICES, render_text
from tests.helm.fake_cluster import ML_NODE, FakeCluster, Object

RESOURCES = {
    "Deployment": "deployments", "Service": "services",
    "InterceptorRoute": "interceptorroutes", "ScaledObject": "scaledobjects",
}  # fmt: skip


MEDIA = "verify-media"


@pytest.fixture(scope="session")
def queues(emulator: str) -> Iterator[dict[str, str]]:
    """A bucket whose uploads become messages in two queues, as terraform/ makes it; the variables that lead there."""
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "ap-northeast-2"}
    session = boto3.Session("test", "test", region_name="ap-northeast-2")

    def client(name: str) -> Any:
        return session.client(name, endpoint_url=emulator)  # type: ignore[call-overload]

    where = {"LocationConstraint": "ap-northeast-2"}
    client("s3").create_bucket(Bucket=MEDIA, CreateBucketConfiguration=where)
    configuration: Any = {"EventBridgeConfiguration": {}}
    client("s3").put_bucket_notification_configuration(Bucket=MEDIA, NotificationConfiguration=configuration)
    detail = {"bucket": {"name": [MEDIA]}, "object": {"key": [{"prefix": "uploads/"}]}}
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": detail}
    client("events").put_rule(Name="verify-uploads", EventPattern=json.dumps(pattern))
    arn = "arn:aws:sqs:ap-northeast-2:123456789012:verify"
    for name in SERVICES:
        client("sqs").create_queue(QueueName=f"verify-{name}-dlq")
        redrive = {"deadLetterTargetArn": f"{arn}-{name}-dlq", "maxReceiveCount": 5}
        client("sqs").create_queue(QueueName=f"verify-{name}", Attributes={"RedrivePolicy": json.dumps(redrive)})
        client("events").put_targets(Rule="verify-uploads", Targets=[{"Id": name, "Arn": f"{arn}-{name}"}])
    yield keys | {"AWS_ENDPOINT_URL": emulator, "QUEUE_PREFIX": "verify"}
    client("events").remove_targets(Rule="verify-uploads", Ids=list(SERVICES))
    client("events").delete_rule(Name="verify-uploads")
    for name in SERVICES:
        for suffix in ("", "-dlq"):
            client("sqs").delete_queue(QueueUrl=f"{emulator}/123456789012/verify-{name}{suffix}")
    for item in client("s3").list_objects_v2(Bucket=MEDIA).get("Contents", []):
        client("s3").delete_object(Bucket=MEDIA, Key=item["Key"])
    client("s3").delete_bucket(Bucket=MEDIA)


@pytest.fixture(scope="session")
def manifests(emulator: str) -> dict[str, list[Object]]:
    import yaml  # noqa: PLC0415

    queue_urls = [f"services.{name}.queueUrl={emulator}/123456789012/verify-{name}" for name in SERVICES]
    texts = {
        "eks": render_text(EKS, sets=(f"storage.bucket={MEDIA}", *queue_urls)),
        "keda-http": render_text(*CASES["keda-http"]),
        "none": render_text(*CASES["none"]),
    }
    return {case: [item for item in yaml.safe_load_all(text) if item] for case, text in texts.items()}


@pytest.fixture
def check(cluster: FakeCluster, tmp_path: Path, manifests: dict[str, list[Object]]) -> Callable[..., Any]:
    """Installs a case's objects, and runs the checks with kubectl pointed at the cluster."""
    for tool in ("kubectl", "aws"):
        (tmp_path / tool).symlink_to(ROOT / "tests/helm/standin.sh")
    real = f"{os.environ['PATH']}{os.pathsep}{Path(sys.executable).parent}"
    variables = os.environ | {
        "KUBECONFIG": str(tmp_path / "kubeconfig"), "REAL_PATH": real, "PYTHON": sys.executable,
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
        command = [sys.executable, str(ROOT / "helm/tools/verify_cluster.py"), "--timeout", "5", *arguments]
        ended = subprocess.run(command, env=variables | more, capture_output=True, text=True, check=False)
        assert ended.stderr == ""
        lines: dict[str, list[str]] = {}
        for line in ended.stdout.splitlines():
            word, _, rest = line.partition(" ")
            assert word in ("ok", "FAIL"), line
            lines.setdefault(rest.strip().partition(":")[0], []).append(f"{word} {rest.strip().partition(': ')[2]}")
        return ended.returncode, lines

    return run


def test_all_is_well(check: Callable[..., Any], queues: dict[str, str]) -> None:
    code, lines = check("--analyze", **queues)
    assert code == 0, lines
    assert lines["nodes"] == ["ok 1 Spot nodes for ML: ml-1"]
    assert lines["taint"] == ["ok every ML node has taint workload=ml:NoSchedule, and no other node"]
    assert lines["placement"] == ["ok 2 ML pods, all on ML nodes, and nothing else there"]
    assert lines["isolation"] == ["ok a plain pod went to general-1, and is gone again"]
    assert [line.split()[1] for line in lines["health"]] == ["audio-analyzer:", "video-analyzer:"]
    assert "judged by played" in lines["health"][1]
    assert len(lines["events"]) == 2
    assert lines["scaling"] == ["ok 2 ScaledObjects, all Ready"]
    assert lines["queue"] == [
        "ok " + "; ".join(f"{name}: an upload was judged by a worker with played 0" for name in SERVICES)
    ]
    assert lines["dead letters"] == [f"ok none in verify-{name}-dlq" for name in SERVICES]
    assert contents(queues) == [], "samples and results are removed again"


def contents(queues: dict[str, str]) -> list[str]:
    s3 = boto3.client("s3", endpoint_url=queues["AWS_ENDPOINT_URL"], aws_access_key_id="t", aws_secret_access_key="t")
    return [item["Key"] for item in s3.list_objects_v2(Bucket=MEDIA).get("Contents", [])]


def test_an_upload_that_nobody_works_on(check: Callable[..., Any], queues: dict[str, str]) -> None:
    """The default path: a server that answers says nothing of it."""
    code, lines = check("--only", "queue", "--timeout", "1", WORKERS_IDLE="1", **queues)
    assert code == 1
    assert lines["queue"][0].startswith("FAIL audio-analyzer: no result of an upload after 1 s; messages waiting ")
    assert "0 of 0 workers ready (kubectl describe scaledobject,deployment audio-analyzer-worker)" in lines["queue"][0]
    assert [key for key in contents(queues) if key.startswith("uploads/")] == []


def test_dead_letters_are_said(check: Callable[..., Any], queues: dict[str, str]) -> None:
    sqs = boto3.client(
        "sqs", endpoint_url=queues["AWS_ENDPOINT_URL"], region_name="ap-northeast-2",
        aws_access_key_id="t", aws_secret_access_key="t",
    )  # fmt: skip
    url = sqs.get_queue_url(QueueName="verify-video-analyzer-dlq")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="lost")
    try:
        code, lines = check("--only", "queue", "--no-wake", **queues)
    finally:
        sqs.purge_queue(QueueUrl=url)
    assert code == 1
    assert "queue" not in lines, "nothing is woken"
    assert lines["dead letters"][1].startswith("FAIL 1 messages in verify-video-analyzer-dlq")


def test_a_server_whose_role_does_not_read_uploads(
    check: Callable[..., Any], cluster: FakeCluster, queues: dict[str, str]
) -> None:
    code, lines = check("--only", "services", "--only", "queue", "--analyze", POD_FORBIDDEN="1", **queues)
    assert code == 1
    assert "403" in lines["queue"][0]
    assert "S3 denies access" in lines["queue"][0]


def test_a_scaled_object_that_keda_cannot_serve(check: Callable[..., Any], cluster: FakeCluster) -> None:
    cluster.broken.add("video-analyzer-worker")
    code, lines = check("--only", "services")
    assert code == 1
    assert lines["scaling"] == ["FAIL video-analyzer-worker is not Ready: AccessDenied: sqs"]


def test_what_is_woken_is_not_the_deployment(check: Callable[..., Any], cluster: FakeCluster) -> None:
    """Scaling it would take the number of replicas from helm, which would refuse to change it later."""
    assert check("--only", "services")[0] == 0
    assert not [path for _, path in cluster.log if "/deployments/" in path]
    assert not cluster.all("pods", NAMESPACE)


def test_sleepers_can_be_left_asleep(check: Callable[..., Any], cluster: FakeCluster) -> None:
    code, lines = check("--only", "services", "--no-wake")
    assert code == 0
    assert lines["health"] == [
        f"ok {name} sleeps, and was left asleep" for name in ("audio-analyzer", "video-analyzer")
    ]
    assert not cluster.log


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
    assert not cluster.log, "the interceptor wakes it"


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
    assert not cluster.all("pods", NAMESPACE), "put back to sleep all the same"


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
        [sys.executable, str(ROOT / "helm/tools/verify_cluster.py")], capture_output=True, text=True, check=False,
        env=os.environ | {"KUBECONFIG": str(tmp_path / "none")},
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stdout.startswith("FAIL")
    assert ended.stderr == ""
