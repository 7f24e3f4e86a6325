"""What the chart renders fits what Terraform made: both as they are after a deployment, neither copied down here.

Nodes, taints, roles and queues are read from `terraform show -json` of the applied configuration, pods from the release
that the deployment installed, and the size of instances from EC2's catalogue, which the emulator carries.
"""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.helm.chart import (
    EKS,
    NAMESPACE,
    SERVICES,
    Object,
    container,
    environment,
    parse,
    quantity,
    render,
    render_text,
)
from tests.helm.conftest import Deployed
from tests.helm.fake_cluster import FakeCluster
from tests.terraform.conftest import copy_of_configuration

MIB = 2**20
GIB = 2**30
# Requests of what runs on every EKS node: aws-node with its policy agent, kube-proxy, and room for an agent for logs.
DAEMONS = {"cpu": 0.05 + 0.1 + 0.1, "memory": 256 * MIB, "pods": 4}
EFFECTS = {"NO_SCHEDULE": "NoSchedule", "NO_EXECUTE": "NoExecute", "PREFER_NO_SCHEDULE": "PreferNoSchedule"}


def resources_of(module: Object) -> Iterator[Object]:
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources_of(child)


class Infrastructure:
    """The applied configuration."""

    def __init__(self, shown: Object) -> None:
        self.outputs: dict[str, Any] = {k: v["value"] for k, v in shown["values"]["outputs"].items()}
        self.resources = list(resources_of(shown["values"]["root_module"]))

    def of(self, kind: str) -> list[Object]:
        return [item["values"] for item in self.resources if item["type"] == kind and item["mode"] == "managed"]

    def node_group(self, key: str) -> Object:
        (group,) = (
            item["values"]
            for item in self.resources
            if item["type"] == "aws_eks_node_group" and item.get("index") == key
        )
        return dict(group)

    def taints(self, key: str) -> list[Object]:
        found = self.node_group(key)["taint"]
        return [{"key": t["key"], "value": t["value"], "effect": EFFECTS[t["effect"]]} for t in found]

    def role(self, arn: str) -> Object:
        (role,) = (item for item in self.of("aws_iam_role") if item["arn"] == arn)
        return dict(role)

    def policies(self, arn: str) -> list[Object]:
        name = self.role(arn)["name"]
        texts = [item["policy"] for item in self.of("aws_iam_role_policy") if item["role"] == name]
        return [statement for text in texts for statement in json.loads(text)["Statement"]]


@pytest.fixture(scope="session")
def infrastructure(deployed: Deployed) -> Infrastructure:
    checkout = deployed.checkout
    shown = subprocess.run(
        ["terraform", "-chdir=terraform", "show", "-json"],
        cwd=checkout.folder,
        env=checkout.variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return Infrastructure(json.loads(shown.stdout))


@pytest.fixture(scope="session")
def pods(deployed: Deployed, live_cluster: FakeCluster) -> dict[str, Object]:
    """Pod templates of the deployed release."""
    found = live_cluster.all("deployments", NAMESPACE)
    return {item["metadata"]["name"]: item["spec"]["template"] for item in found}


def tolerates(spec: Object, taint: Object) -> bool:
    """As the scheduler decides it."""
    if taint["effect"] == "PreferNoSchedule":
        return True
    for toleration in spec.get("tolerations", []):
        key_fits = toleration.get("key", taint["key"]) == taint["key"]
        effect_fits = toleration.get("effect", taint["effect"]) == taint["effect"]
        value_fits = toleration.get("operator", "Equal") == "Exists" or toleration.get("value") == taint["value"]
        if key_fits and effect_fits and value_fits:
            return True
    return False


def may_land(spec: Object, infrastructure: Infrastructure, key: str) -> bool:
    labels = infrastructure.node_group(key)["labels"] or {}
    selected = all(labels.get(name) == value for name, value in spec.get("nodeSelector", {}).items())
    return selected and all(tolerates(spec, taint) for taint in infrastructure.taints(key))


# --- who may run where ---


def test_every_ml_pod_lands_on_the_spot_group_and_nowhere_else(
    pods: dict[str, Object], infrastructure: Infrastructure
) -> None:
    assert set(pods) == {name + suffix for name in SERVICES for suffix in ("", "-worker")}
    (bearer,) = (pod for name, pod in render("eks").pods().items() if name == "video-analyzer-test")
    for pod in [*pods.values(), bearer]:
        assert may_land(pod["spec"], infrastructure, "ml_spot")
        assert not may_land(pod["spec"], infrastructure, "general")


def test_nothing_else_lands_on_the_spot_group(infrastructure: Infrastructure) -> None:
    others = {
        "plain": {},
        "wishes": {"nodeSelector": infrastructure.node_group("ml_spot")["labels"]},
        "tolerates another": {"tolerations": [{"key": "dedicated", "operator": "Exists"}]},
        "a test that asks the service": render("none").one("Pod", "audio-analyzer-test")["spec"],
    }
    for name, spec in others.items():
        assert not may_land(spec, infrastructure, "ml_spot"), name
        if name != "wishes":
            assert may_land(spec, infrastructure, "general"), name


@pytest.fixture(scope="session")
def planned(emulator: str, tmp_path_factory: pytest.TempPathFactory) -> list[Object]:
    """Resources that a first apply to AWS itself would make: with what is left out for the emulator."""
    folder = tmp_path_factory.mktemp("planned") / "terraform"
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
    terraform = copy_of_configuration(folder, AWS_ENDPOINT_URL=emulator, **keys)
    # The emulator knows no add-ons and no AMIs of EKS, and so not which are the newest.
    held = dict.fromkeys(("vpc-cni", "kube-proxy", "coredns", "metrics-server"), "v1.0.0-eksbuild.1")
    pins = [f"-var=addon_versions={json.dumps(held)}", "-var=node_release_version=1.35.0-20261101"]
    terraform.run("plan", "-input=false", f"-out={folder / 'plan'}", *pins)
    shown = json.loads(terraform.run("show", "-json", str(folder / "plan")))
    return list(resources_of(shown["planned_values"]["root_module"]))


def test_the_autoscaler_knows_the_node_that_is_not_there_yet(
    pods: dict[str, Object], planned: list[Object], infrastructure: Infrastructure
) -> None:
    prefix = "k8s.io/cluster-autoscaler/node-template/"
    found = [item["values"]["tag"][0] for item in planned if item["type"] == "aws_autoscaling_group_tag"]
    tags = {tag["key"].removeprefix(prefix): tag["value"] for tag in found if tag["key"].startswith(prefix)}
    for pod in pods.values():
        spec = pod["spec"]
        assert {f"label/{k}": v for k, v in spec["nodeSelector"].items()}.items() <= tags.items()
        for taint in infrastructure.taints("ml_spot"):
            assert tags[f"taint/{taint['key']}"] == f"{taint['value']}:{taint['effect']}"
    spot = [item for item in planned if item["type"] == "aws_autoscaling_group_tag" and "ml_spot" in item["index"]]
    (disk,) = (t["values"]["tag"][0] for t in spot if "ephemeral-storage" in t["index"])
    for pod in pods.values():
        wanted = quantity(container(pod)["resources"]["requests"]["ephemeral-storage"])
        assert wanted <= quantity(disk["value"])


# --- what fits ---


def allocatable(kind: str, disk_gib: float, emulator: str) -> dict[str, float]:
    """What a node offers to pods: EC2's size less what the hypervisor and EKS's kubelet keep back.

    CPU and memory by the formulas of EKS's AMI: 6%, 1%, 0.5% and 0.5% of the first four cores and 0.25% of the rest;
    255 MiB and 11 MiB for each pod that the network interfaces allow; 100 MiB before eviction. The hypervisor takes
    about 7.5% of the memory, as the node autoscalers assume. A tenth of the disk is kept before eviction.
    """
    ec2: Any = boto3.client(
        "ec2", endpoint_url=emulator, region_name="ap-northeast-2", aws_access_key_id="t", aws_secret_access_key="t"
    )
    (found,) = ec2.describe_instance_types(InstanceTypes=[kind])["InstanceTypes"]
    cores = found["VCpuInfo"]["DefaultVCpus"]
    shares = [0.06, 0.01, 0.005, 0.005] + [0.0025] * max(0, cores - 4)
    network = found["NetworkInfo"]
    pods = network["MaximumNetworkInterfaces"] * (network["Ipv4AddressesPerInterface"] - 1) + 2
    memory = found["MemoryInfo"]["SizeInMiB"] * MIB * 0.925 - (255 + 11 * pods + 100) * MIB
    return {
        "cpu": cores - sum(shares[:cores]),
        "memory": memory,
        "ephemeral-storage": disk_gib * GIB * 0.8,
        "pods": pods,
    }


def demand(pods: list[Object], kind: str, resource: str) -> float:
    return sum(quantity(container(pod)["resources"][kind][resource]) for pod in pods)


@pytest.mark.parametrize(("kind", "of_each"), [("c5.xlarge", 1), ("c5a.xlarge", 1), ("c5.2xlarge", 2)])
@pytest.mark.parametrize("door", ["", "-worker"])
def test_audio_and_video_fit_a_node_together(
    kind: str, of_each: int, door: str, pods: dict[str, Object], infrastructure: Infrastructure, emulator: str
) -> None:
    group = infrastructure.node_group("ml_spot")
    assert kind in group["instance_types"]
    (template,) = (t for t in infrastructure.of("aws_launch_template") if t["id"] == group["launch_template"][0]["id"])
    disk = template["block_device_mappings"][0]["ebs"][0]["volume_size"]
    node = allocatable(kind, disk, emulator)
    together = [pods[name + door] for name in SERVICES] * of_each
    for resource in ("cpu", "memory", "ephemeral-storage"):
        assert demand(together, "requests", resource) + DAEMONS.get(resource, 0) <= node[resource], resource
    assert len(together) + DAEMONS["pods"] <= node["pods"]
    # Memory at its limit, too: a node that runs out of it kills whatever it likes.
    assert demand(together, "limits", "memory") + DAEMONS["memory"] <= node["memory"]


def test_every_type_of_the_group_takes_every_pod(
    pods: dict[str, Object], infrastructure: Infrastructure, emulator: str
) -> None:
    """The autoscaler sizes a new node by the first type, and EC2 may send any."""
    for kind in infrastructure.node_group("ml_spot")["instance_types"]:
        node = allocatable(kind, 100, emulator)
        for pod in pods.values():
            for resource in ("cpu", "memory"):
                assert demand([pod], "requests", resource) + DAEMONS[resource] <= node[resource]
            assert demand([pod], "limits", "cpu") <= math.ceil(node["cpu"])


def test_the_most_workers_fit_the_largest_group(
    live_cluster: FakeCluster, pods: dict[str, Object], infrastructure: Infrastructure, emulator: str
) -> None:
    group = infrastructure.node_group("ml_spot")
    nodes = group["scaling_config"][0]["max_size"]
    smallest = allocatable("c5.xlarge", 100, emulator)
    most = {
        item["metadata"]["name"]: item["spec"]["maxReplicaCount"]
        for item in live_cluster.all("scaledobjects", NAMESPACE)
    }
    for resource in ("cpu", "memory"):
        needed = sum(demand([pods[name]], "requests", resource) * count for name, count in most.items())
        assert needed <= nodes * (smallest[resource] - DAEMONS[resource])


# --- rights and names ---


@pytest.mark.parametrize("service", SERVICES)
def test_the_role_trusts_the_service_account_that_the_pod_has(
    service: str, pods: dict[str, Object], live_cluster: FakeCluster, infrastructure: Infrastructure
) -> None:
    for name in (service, f"{service}-worker"):
        account = pods[name]["spec"]["serviceAccountName"]
        found = live_cluster.get("serviceaccounts", account, NAMESPACE)
        assert found is not None
        role = infrastructure.role(found["metadata"]["annotations"]["eks.amazonaws.com/role-arn"])
        (statement,) = json.loads(role["assume_role_policy"])["Statement"]
        subjects = [v for k, v in statement["Condition"]["StringEquals"].items() if k.endswith(":sub")]
        assert subjects == [f"system:serviceaccount:{NAMESPACE}:{account}"]


@pytest.mark.parametrize("service", SERVICES)
def test_the_worker_has_the_rights_its_settings_need(
    service: str, pods: dict[str, Object], infrastructure: Infrastructure
) -> None:
    variables = environment(pods[f"{service}-worker"])
    statements = infrastructure.policies(infrastructure.outputs["service_role_arns"][service]["worker"])

    def allowed(action: str) -> set[str]:
        found = [s for s in statements if action in (s["Action"] if isinstance(s["Action"], list) else [s["Action"]])]
        return {r for s in found for r in (s["Resource"] if isinstance(s["Resource"], list) else [s["Resource"]])}

    (queue,) = (q for q in infrastructure.of("aws_sqs_queue") if q["url"] == variables["SG_QUEUE_URL"])
    assert queue["name"] == f"silver-guardian-{service}"
    assert allowed("sqs:ReceiveMessage") == {queue["arn"]}
    (entry,) = variables["SG_S3_ALLOW"].split(",")
    assert f"arn:aws:s3:::{entry}/*" in allowed("s3:GetObject")
    bucket = entry.split("/")[0]
    kind = service.removesuffix("-analyzer")
    assert allowed("s3:PutObject") == {f"arn:aws:s3:::{bucket}/{variables['SG_RESULTS_PREFIX']}*/{kind}-*.json"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_server_has_no_right_that_changes_anything(service: str, infrastructure: Infrastructure) -> None:
    statements = infrastructure.policies(infrastructure.outputs["service_role_arns"][service]["http"])
    named = {action for s in statements for action in (s["Action"] if isinstance(s["Action"], list) else [s["Action"]])}
    assert named == {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "kms:Decrypt"}


def test_keda_reads_the_queues_that_the_workers_serve(
    live_cluster: FakeCluster, pods: dict[str, Object], infrastructure: Infrastructure
) -> None:
    (statement,) = infrastructure.policies(infrastructure.outputs["keda_role_arn"])
    readable = set(statement["Resource"])
    by_url = {queue["url"]: queue["arn"] for queue in infrastructure.of("aws_sqs_queue")}
    found = live_cluster.all("scaledobjects", NAMESPACE)
    by_queue = [item for item in found if item["spec"]["triggers"][0]["type"] == "aws-sqs-queue"]
    assert {item["spec"]["scaleTargetRef"]["name"] for item in by_queue} == {f"{name}-worker" for name in SERVICES}
    for item in by_queue:
        url = item["spec"]["triggers"][0]["metadata"]["queueURL"]
        assert url == environment(pods[item["spec"]["scaleTargetRef"]["name"]])["SG_QUEUE_URL"]
        assert by_url[url] in readable


def test_the_defaults_for_eks_are_what_terraform_makes_by_default(
    infrastructure: Infrastructure, deployed: Deployed
) -> None:
    """values-eks.yaml derives names; after an apply with defaults they are the real ones."""
    outputs = infrastructure.outputs
    manifests = parse(render_text(EKS, given={"aws": {"accountId": outputs["account_id"]}}))
    for service in SERVICES:
        worker = manifests.pods()[f"{service}-worker"]
        assert environment(worker)["SG_QUEUE_URL"].rsplit("/", 1)[1] == outputs["queue_urls"][service].rsplit("/", 1)[1]
        assert environment(worker)["SG_S3_ALLOW"] == f"{outputs['media_bucket']}/uploads"
        assert environment(worker)["AWS_REGION"] == outputs["region"]
        assert container(worker)["image"].rsplit(":", 1)[0] == outputs["repository_urls"][service]
        for door, name in (("http", service), ("worker", f"{service}-worker")):
            role = manifests.one("ServiceAccount", name)["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
            assert role == outputs["service_role_arns"][service][door]
    assert outputs["kubernetes_namespace"] == NAMESPACE


def test_a_killed_workers_message_comes_back_in_time(infrastructure: Infrastructure) -> None:
    """The dead-letter queue takes what several workers gave up, not what one interruption hid."""
    for queue in infrastructure.of("aws_sqs_queue"):
        if not queue["name"].endswith("-dlq"):
            assert json.loads(queue["redrive_policy"])["maxReceiveCount"] >= 3
