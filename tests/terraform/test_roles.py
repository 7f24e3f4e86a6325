"""What each role can do, judged from the policies read back from the emulator: all it must, and nothing else."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

import pytest
from policy_sentry.querying.actions import get_action_data
from policy_sentry.querying.all import get_all_actions

from tests.terraform.iam import Request, admits, allowed, statements

ACCOUNT = "123456789012"
BUCKET = "arn:aws:s3:::silver-guardian-media-123456789012-ap-northeast-2"
QUEUES = f"arn:aws:sqs:ap-northeast-2:{ACCOUNT}:silver-guardian"
SERVICES = ["audio-analyzer", "video-analyzer"]
DOORS = [s + suffix for s in SERVICES for suffix in ("", "-worker")]
RESULTS = f"{BUCKET}/results/uploads/u1/clip.mp4/1"
ACCOUNTS = {
    "silver-guardian-audio-analyzer": ("silver-guardian", "audio-analyzer"),
    "silver-guardian-video-analyzer": ("silver-guardian", "video-analyzer"),
    "silver-guardian-audio-analyzer-worker": ("silver-guardian", "audio-analyzer-worker"),
    "silver-guardian-video-analyzer-worker": ("silver-guardian", "video-analyzer-worker"),
    "silver-guardian-keda-operator": ("keda", "keda-operator"),
    "silver-guardian-cluster-autoscaler": ("kube-system", "cluster-autoscaler"),
    "silver-guardian-cluster-vpc-cni": ("kube-system", "aws-node"),
}
VIA_S3 = {"kms:ViaService": "s3.ap-northeast-2.amazonaws.com"}
OWNED = "aws:ResourceTag/k8s.io/cluster-autoscaler/silver-guardian-cluster"
GROUP = f"arn:aws:autoscaling:ap-northeast-2:{ACCOUNT}:autoScalingGroup:1:autoScalingGroupName/eks-ml-spot-1"
NODE_GROUPS = f"arn:aws:eks:ap-northeast-2:{ACCOUNT}:nodegroup"

# Contexts under which a request may come. Every condition key of our policies occurs, well met and not.
CONTEXTS: list[Mapping[str, str]] = [
    {},
    VIA_S3,
    {"kms:ViaService": "sqs.ap-northeast-2.amazonaws.com"},
    {"s3:prefix": "uploads/u1/clip.mp4"},
    {"s3:prefix": "results/"},
    {"s3:prefix": ""},
    {OWNED: "owned"},
    {OWNED: "shared"},
    {"aws:ResourceTag/k8s.io/cluster-autoscaler/other-cluster": "owned"},
]


@pytest.fixture(scope="session")
def documents(aws: Any) -> dict[str, list[dict[str, Any]]]:
    """Every policy document of every role: inline and attached."""
    iam = aws("iam")
    found: dict[str, list[dict[str, Any]]] = {}
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        found[name] = [
            iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
        ]
        for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            version = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]["DefaultVersionId"]
            found[name].append(
                iam.get_policy_version(PolicyArn=attached["PolicyArn"], VersionId=version)["PolicyVersion"]["Document"]
            )
    return found


@pytest.fixture(scope="session")
def key(aws: Any) -> str:
    """ARN of the key of media and results."""
    kms = aws("kms")
    alias = next(a for a in kms.list_aliases()["Aliases"] if a["AliasName"] == "alias/silver-guardian-data")
    arn: str = kms.describe_key(KeyId=alias["TargetKeyId"])["KeyMetadata"]["Arn"]
    return arn


def must(door: str) -> list[Request]:
    """Everything the role of a service's servers, or of its workers, has to be able to do."""
    service, worker, _ = door.partition("-worker")
    reads = [
        Request("s3:GetObject", f"{BUCKET}/uploads/u1/clip.mp4"),
        Request("s3:GetObjectVersion", f"{BUCKET}/uploads/u1/clip.mp4"),
        Request("s3:GetObject", f"{BUCKET}/models/audio/model.json"),
        Request("s3:GetObjectVersion", f"{BUCKET}/models/audio/model.json"),
    ]
    if not worker:
        return reads
    queue, result = f"{QUEUES}-{service}", f"{RESULTS}/{service.removesuffix('-analyzer')}-1.json"
    return [
        *reads,
        Request("s3:GetObject", result),
        Request("s3:PutObject", result),
        Request("sqs:ReceiveMessage", queue),
        Request("sqs:DeleteMessage", queue),
        Request("sqs:ChangeMessageVisibility", queue),
        Request("sqs:GetQueueAttributes", queue),
        Request("states:SendTaskSuccess"),
        Request("states:SendTaskFailure"),
        Request("states:SendTaskHeartbeat"),
    ]


def key_actions(door: str) -> set[str]:
    return {"kms:Decrypt", "kms:GenerateDataKey"} if door.endswith("-worker") else {"kms:Decrypt"}


def test_there_are_no_other_roles(documents: dict[str, Any]) -> None:
    assert set(documents) == set(ACCOUNTS) | {
        "silver-guardian-cluster-control-plane",
        "silver-guardian-cluster-node",
        "silver-guardian-vpc-flow-logs",
    }


@pytest.mark.parametrize("door", DOORS)
def test_a_service_can_do_its_work(door: str, documents: dict[str, Any], key: str) -> None:
    role = documents[f"silver-guardian-{door}"]
    for request in must(door):
        assert allowed(role, request), request
    for action in key_actions(door):
        assert allowed(role, Request(action, key, VIA_S3)), action


def test_a_result_is_written_once(aws: Any, documents: dict[str, Any]) -> None:
    """By the bucket's policy, whoever writes: a put needs If-None-Match, and S3 answers 412 for what is there."""
    policy = json.loads(aws("s3").get_bucket_policy(Bucket=BUCKET.rsplit(":", 1)[1])["Policy"])
    role = documents["silver-guardian-audio-analyzer-worker"]
    secure, once = {"aws:SecureTransport": "true"}, {"s3:if-none-match": "*"}
    result, upload = f"{RESULTS}/audio-1.json", f"{BUCKET}/uploads/u1/clip.mp4"

    def may(who: list[dict[str, Any]], action: str, resource: str, context: dict[str, str]) -> bool:
        return allowed([*who, policy], Request(action, resource, context))

    assert may(role, "s3:PutObject", result, secure | once)
    assert not may(role, "s3:PutObject", result, secure)
    anybody = [{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}]
    assert not may(anybody, "s3:PutObject", result, secure)
    assert may(anybody, "s3:PutObject", upload, secure), "uploads may be replaced: they are versioned"
    assert may(anybody, "s3:DeleteObject", result, secure), "to judge again"
    assert not may(anybody, "s3:GetObject", result, {"aws:SecureTransport": "false"})


@pytest.mark.parametrize("service", DOORS)
@pytest.mark.parametrize(
    ("prefix", "told"),
    [
        ("uploads/u1/missing.mp4", True),
        ("models/audio/missing.onnx", True),
        ("results/missing.json", False),
        ("private/missing", False),
        ("", False),
        (None, False),
    ],
)
def test_a_missing_key_reads_as_missing_where_it_may(
    service: str, prefix: str | None, told: bool, documents: dict[str, Any]
) -> None:
    """S3 answers 404 instead of 403 if the caller may list the bucket with the key as prefix."""
    context = {} if prefix is None else {"s3:prefix": prefix}
    role = documents[f"silver-guardian-{service}"]
    assert allowed(role, Request("s3:ListBucket", BUCKET, context)) is told


@pytest.mark.parametrize("door", DOORS)
def test_a_service_can_do_nothing_else(door: str, documents: dict[str, Any], key: str) -> None:
    """Every action AWS has, on everything of ours and some of others', in every context."""
    role = documents[f"silver-guardian-{door}"]
    service = door.removesuffix("-worker")
    other = next(s for s in SERVICES if s != service)
    ours = {request.resource for request in must(f"{service}-worker")} | {BUCKET, key}
    foreign = {
        "*",
        f"{BUCKET}/uploads",
        f"{BUCKET}/private/file",
        "arn:aws:s3:::other-bucket",
        "arn:aws:s3:::other-bucket/uploads/u1/clip.mp4",
        f"{RESULTS}/{other.removesuffix('-analyzer')}-1.json",
        f"{RESULTS}/notes.json",
        f"{QUEUES}-{service}-dlq",
        f"{QUEUES}-{other}",
        f"{QUEUES}-{other}-dlq",
        key.replace(ACCOUNT, "999999999999"),
        key[:-1] + ("0" if key[-1] != "0" else "1"),
        f"arn:aws:iam::{ACCOUNT}:role/silver-guardian-{other}",
    }
    expected = {(request.action.lower(), request.resource) for request in must(door)}
    expected |= {("s3:listbucket", BUCKET)} | {(action.lower(), key) for action in key_actions(door)}
    # Three that take no resource are granted on all; AWS ignores the resource for them.
    expected |= {
        (f"states:sendtask{what}", resource)
        for what in ("success", "failure", "heartbeat")
        for resource in ours | foreign
        if door.endswith("-worker")
    }
    actions = {action.lower() for action in get_all_actions()}
    assert len(actions) > 10_000
    candidates = {action for action in actions if any(allowed_by_action(role, action))}
    granted = {
        (action, resource)
        for action, resource, context in itertools.product(candidates, ours | foreign, CONTEXTS)
        if allowed(role, Request(action, resource, context))
    }
    assert granted == expected


def allowed_by_action(role: list[dict[str, Any]], action: str) -> list[bool]:
    """Whether each statement names the action: a quick sieve before resources and contexts are tried."""
    bare = [{"Effect": "Allow", "Action": s["Action"], "Resource": "*"} for s in statements(role)]
    return [allowed([{"Statement": [statement]}], Request(action)) for statement in bare]


@pytest.mark.parametrize("service", DOORS)
def test_the_key_opens_only_through_s3(service: str, documents: dict[str, Any], key: str) -> None:
    role = documents[f"silver-guardian-{service}"]
    assert not allowed(role, Request("kms:Decrypt", key))
    assert not allowed(role, Request("kms:Decrypt", key, {"kms:ViaService": "ec2.ap-northeast-2.amazonaws.com"}))


def test_keda_can_only_count_messages(documents: dict[str, Any]) -> None:
    role = documents["silver-guardian-keda-operator"]
    actions = {action for action in (a.lower() for a in get_all_actions()) if any(allowed_by_action(role, action))}
    assert actions == {"sqs:getqueueattributes"}
    for service in SERVICES:
        assert allowed(role, Request("sqs:GetQueueAttributes", f"{QUEUES}-{service}"))
        assert not allowed(role, Request("sqs:GetQueueAttributes", f"{QUEUES}-{service}-dlq"))
    assert not allowed(role, Request("sqs:GetQueueAttributes", f"arn:aws:sqs:ap-northeast-2:{ACCOUNT}:other"))


@pytest.mark.parametrize(
    "action", ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
)
def test_the_autoscaler_scales_this_clusters_groups_only(action: str, documents: dict[str, Any]) -> None:
    role = documents["silver-guardian-cluster-autoscaler"]
    assert allowed(role, Request(action, GROUP, {OWNED: "owned"}))
    for context in ({}, {OWNED: "shared"}, {OWNED.replace("silver-guardian-cluster", "other"): "owned"}):
        assert not allowed(role, Request(action, GROUP, context)), context


def test_the_autoscaler_otherwise_only_reads(documents: dict[str, Any]) -> None:
    role = documents["silver-guardian-cluster-autoscaler"]
    actions = {action for action in get_all_actions() if any(allowed_by_action(role, action))}
    levels = {
        action: get_action_data(*action.split(":"))[action.split(":")[0]][0]["access_level"] for action in actions
    }
    changing = {action for action, level in levels.items() if level not in ("Read", "List")}
    assert changing == {"autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"}
    assert allowed(role, Request("eks:DescribeNodegroup", f"{NODE_GROUPS}/silver-guardian-cluster/ml-spot/1"))
    assert not allowed(role, Request("eks:DescribeNodegroup", f"{NODE_GROUPS}/other/ml-spot/1"))
    for needed in ("DescribeAutoScalingGroups", "DescribeAutoScalingInstances", "DescribeLaunchConfigurations",
                   "DescribeScalingActivities", "DescribeTags"):  # fmt: skip
        assert f"autoscaling:{needed}" in actions
    for needed in ("DescribeImages", "DescribeInstanceTypes", "DescribeLaunchTemplateVersions",
                   "GetInstanceTypesFromInstanceRequirements"):  # fmt: skip
        assert f"ec2:{needed}" in actions


def test_every_action_named_exists(documents: dict[str, Any]) -> None:
    """A misspelt action is a permission that is silently missing."""
    known = {action.lower() for action in get_all_actions()}
    ours = [name for name in documents if name in ACCOUNTS or name.endswith(("flow-logs", "control-plane"))]
    for name in ours:
        for statement in statements(documents[name]):
            for action in [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]:
                assert "*" in action or action.lower() in known, f"{name}: {action}"


def test_only_actions_without_a_resource_are_granted_on_all(aws: Any) -> None:
    iam = aws("iam")
    for name in ACCOUNTS:
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for statement in (s for s in statements([document]) if s["Resource"] == "*"):
                for action in statement["Action"]:
                    service = action.split(":")[0]
                    resources = {row["resource_arn_format"] for row in get_action_data(*action.split(":"))[service]}
                    assert resources == {"*"}, f"{name}: {action} can be limited to {resources}"


@pytest.mark.parametrize("name", ACCOUNTS)
def test_each_role_is_taken_by_its_service_account_alone(name: str, aws: Any) -> None:
    iam = aws("iam")
    trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    (provider,) = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    issuer = aws("eks").describe_cluster(name="silver-guardian-cluster")["cluster"]["identity"]["oidc"]["issuer"]
    issuer = issuer.removeprefix("https://")
    federated = ("Federated", provider["Arn"])
    action = "sts:AssumeRoleWithWebIdentity"

    def token(namespace: str, account: str, audience: str = "sts.amazonaws.com") -> dict[str, str]:
        return {f"{issuer}:aud": audience, f"{issuer}:sub": f"system:serviceaccount:{namespace}:{account}"}

    for namespace, account in {*ACCOUNTS.values(), ("default", "default"), ("silver-guardian", "default")}:
        mine = ACCOUNTS[name] == (namespace, account)
        assert admits(trust, federated, action, token(namespace, account)) is mine, (namespace, account)
    assert not admits(trust, federated, action, token(*ACCOUNTS[name], audience="kubernetes"))
    assert not admits(trust, ("AWS", f"arn:aws:iam::{ACCOUNT}:root"), "sts:AssumeRole", {})
    assert not admits(trust, ("Service", "ec2.amazonaws.com"), "sts:AssumeRole", {})


@pytest.mark.parametrize("queue", [f"silver-guardian-{s}{suffix}" for s in SERVICES for suffix in ("", "-dlq")])
def test_only_our_rule_may_send_to_a_queue(queue: str, aws: Any) -> None:
    sqs = aws("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    policy = json.loads(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"])
    events = ("Service", "events.amazonaws.com")
    rule = f"arn:aws:events:ap-northeast-2:{ACCOUNT}:rule/silver-guardian-uploads"
    secure = {"aws:SecureTransport": "true"}
    assert admits(policy, events, "sqs:SendMessage", {"aws:SourceArn": rule} | secure)
    assert not admits(policy, events, "sqs:SendMessage", {"aws:SourceArn": rule, "aws:SecureTransport": "false"})
    assert not admits(policy, events, "sqs:SendMessage", {"aws:SourceArn": rule + "-other"} | secure)
    assert not admits(policy, events, "sqs:ReceiveMessage", {"aws:SourceArn": rule} | secure)
    assert not admits(policy, ("Service", "s3.amazonaws.com"), "sqs:SendMessage", {"aws:SourceArn": rule} | secure)


def test_nodes_may_join_and_pull_and_not_touch_data(documents: dict[str, Any], key: str) -> None:
    role = documents["silver-guardian-cluster-node"]
    assert allowed(
        role, Request("ecr:BatchGetImage", f"arn:aws:ecr:ap-northeast-2:{ACCOUNT}:repository/audio-analyzer")
    )
    assert allowed(role, Request("ecr:GetAuthorizationToken"))
    assert allowed(role, Request("ec2:DescribeInstances"))
    for request in (
        Request("s3:GetObject", f"{BUCKET}/uploads/u1/clip.mp4"),
        Request("sqs:ReceiveMessage", f"{QUEUES}-audio-analyzer"),
        Request("kms:Decrypt", key, VIA_S3),
        Request("ecr:PutImage", f"arn:aws:ecr:ap-northeast-2:{ACCOUNT}:repository/audio-analyzer"),
        Request("ec2:AssignPrivateIpAddresses"),
    ):
        assert not allowed(role, request), request
