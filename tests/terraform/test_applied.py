"""What AWS's own interfaces say of the applied configuration."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.terraform.conftest import Terraform

CLUSTER = "silver-guardian-cluster"
BUCKET = "silver-guardian-media-123456789012-ap-northeast-2"
SERVICES = ["audio-analyzer", "video-analyzer"]


def node_group(aws: Any, name: str) -> dict[str, Any]:
    """The node group whose name begins so; the rest of the name is Terraform's."""
    (full,) = (
        found for found in aws("eks").list_nodegroups(clusterName=CLUSTER)["nodegroups"] if found.startswith(name)
    )
    group: dict[str, Any] = aws("eks").describe_nodegroup(clusterName=CLUSTER, nodegroupName=full)["nodegroup"]
    return group


def queue_attributes(aws: Any, name: str) -> dict[str, Any]:
    sqs = aws("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    attributes: dict[str, Any] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return attributes


def test_there_is_one_cluster_with_two_node_groups(aws: Any) -> None:
    assert aws("eks").list_clusters()["clusters"] == [CLUSTER]
    groups = sorted(aws("eks").list_nodegroups(clusterName=CLUSTER)["nodegroups"])
    assert [name.rsplit("-", 1)[0] for name in groups] == ["general", "ml-spot"]


def test_the_spot_group_is_exactly_as_asked(aws: Any) -> None:
    group = node_group(aws, "ml-spot")
    assert group["capacityType"] == "SPOT"
    assert group["instanceTypes"] == ["c5.xlarge", "c5.2xlarge", "c5a.xlarge"]
    assert group["scalingConfig"] == {"minSize": 0, "maxSize": 5, "desiredSize": 0}
    assert group["labels"] == {"workload": "ml", "nodeType": "spot"}
    assert group["taints"] == [{"key": "workload", "value": "ml", "effect": "NO_SCHEDULE"}]


def test_the_general_group_is_exactly_as_asked(aws: Any) -> None:
    group = node_group(aws, "general")
    assert group["capacityType"] == "ON_DEMAND"
    assert group["instanceTypes"] == ["t3.medium"]
    assert group["scalingConfig"] == {"minSize": 2, "maxSize": 3, "desiredSize": 2}
    assert not group.get("taints")


def test_nodes_start_from_a_template_that_hides_their_role(aws: Any) -> None:
    for name in ("general", "ml-spot"):
        template = node_group(aws, name)["launchTemplate"]
        version = aws("ec2").describe_launch_template_versions(
            LaunchTemplateId=template["id"], Versions=[template["version"]]
        )["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        assert version["MetadataOptions"]["HttpTokens"] == "required"
        assert version["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
        assert version["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True


def test_the_cluster_is_private_encrypted_and_logged(aws: Any) -> None:
    cluster = aws("eks").describe_cluster(name=CLUSTER)["cluster"]
    assert cluster["resourcesVpcConfig"]["endpointPrivateAccess"] is True
    assert cluster["resourcesVpcConfig"]["endpointPublicAccess"] is False
    assert cluster["encryptionConfig"][0]["resources"] == ["secrets"]
    enabled = next(logs for logs in cluster["logging"]["clusterLogging"] if logs["enabled"])
    assert sorted(enabled["types"]) == ["api", "audit", "authenticator", "controllerManager", "scheduler"]


def test_nodes_lie_in_private_subnets_that_leave_through_nat(aws: Any) -> None:
    ec2 = aws("ec2")
    subnets = ec2.describe_subnets(SubnetIds=node_group(aws, "ml-spot")["subnets"])["Subnets"]
    assert sorted(subnet["AvailabilityZone"] for subnet in subnets) == ["ap-northeast-2a", "ap-northeast-2c"]
    for subnet in subnets:
        assert subnet["MapPublicIpOnLaunch"] is False
        tables = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [subnet["SubnetId"]]}])
        routes = {
            r["DestinationCidrBlock"]: r for r in tables["RouteTables"][0]["Routes"] if "DestinationCidrBlock" in r
        }
        assert routes["0.0.0.0/0"].get("NatGatewayId", "").startswith("nat-")


def test_media_have_their_endpoint_and_nothing_costs_one(aws: Any) -> None:
    endpoints = aws("ec2").describe_vpc_endpoints()["VpcEndpoints"]
    assert {
        e["ServiceName"].removeprefix("com.amazonaws.ap-northeast-2."): e["VpcEndpointType"] for e in endpoints
    } == {"s3": "Gateway"}


def test_queues_raise_alarms(aws: Any) -> None:
    alarms = {alarm["AlarmName"]: alarm for alarm in aws("cloudwatch").describe_alarms()["MetricAlarms"]}
    assert set(alarms) == {f"silver-guardian-{s}-{what}" for s in SERVICES for what in ("queue-age", "dead-letters")}
    for service in SERVICES:
        age, dead = (alarms[f"silver-guardian-{service}-{what}"] for what in ("queue-age", "dead-letters"))
        assert (age["MetricName"], age["Threshold"]) == ("ApproximateAgeOfOldestMessage", 900)
        assert (dead["MetricName"], dead["Threshold"]) == ("ApproximateNumberOfMessagesVisible", 0)
        queues = [alarm["Dimensions"] for alarm in (age, dead)]
        assert queues == [[{"Name": "QueueName", "Value": f"silver-guardian-{service}{s}"}] for s in ("", "-dlq")]


def test_repositories_scan_and_keep_their_tags(aws: Any) -> None:
    repositories = aws("ecr").describe_repositories()["repositories"]
    assert sorted(r["repositoryName"] for r in repositories) == SERVICES
    assert all(r["imageScanningConfiguration"]["scanOnPush"] for r in repositories)
    assert {r["imageTagMutability"] for r in repositories} == {"IMMUTABLE"}


def test_the_bucket_is_private_encrypted_and_versioned(aws: Any, outputs: dict[str, Any]) -> None:
    s3 = aws("s3")
    assert outputs["media_bucket"] == BUCKET
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == [BUCKET]
    assert set(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values()) == {True}
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    rule = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    rules = {r["ID"]: r for r in s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]}
    assert (rules["results"]["Filter"]["Prefix"], rules["results"]["Expiration"]["Days"]) == ("results/", 90)


def test_each_queue_is_encrypted_and_has_its_dead_letter_queue(aws: Any) -> None:
    names = {url.rsplit("/", 1)[1] for url in aws("sqs").list_queues()["QueueUrls"]}
    assert names == {f"silver-guardian-{s}{suffix}" for s in SERVICES for suffix in ("", "-dlq")}
    for service in SERVICES:
        queue = queue_attributes(aws, f"silver-guardian-{service}")
        dlq = queue_attributes(aws, f"silver-guardian-{service}-dlq")
        assert json.loads(queue["RedrivePolicy"]) == {"deadLetterTargetArn": dlq["QueueArn"], "maxReceiveCount": 5}
        assert (queue["VisibilityTimeout"], queue["ReceiveMessageWaitTimeSeconds"]) == ("120", "20")
        assert dlq["MessageRetentionPeriod"] == "1209600"
        assert queue["SqsManagedSseEnabled"] == dlq["SqsManagedSseEnabled"] == "true"


def test_one_upload_becomes_one_message_in_each_queue(aws: Any, outputs: dict[str, Any]) -> None:
    """A real put, through the real rule, into the real queues, and nothing for other prefixes."""
    s3, sqs = aws("s3"), aws("sqs")
    # The emulator refuses everything by a Deny, whatever its condition (ours: plain HTTP).
    policy = s3.get_bucket_policy(Bucket=BUCKET)["Policy"]
    s3.delete_bucket_policy(Bucket=BUCKET)
    keys = ["uploads/u1/clip.mp4", "results/uploads/u1/clip.mp4/1/audio-1.json", "models/audio/model.json", "uploads"]
    try:
        for key in keys:
            s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
        for service in SERVICES:
            received = []
            for _ in range(3):
                received += sqs.receive_message(
                    QueueUrl=outputs["queue_urls"][service], MaxNumberOfMessages=10, WaitTimeSeconds=0
                ).get("Messages", [])
            events = [json.loads(message["Body"]) for message in received]
            assert [
                (e["detail-type"], e["detail"]["bucket"]["name"], e["detail"]["object"]["key"]) for e in events
            ] == [("Object Created", BUCKET, "uploads/u1/clip.mp4")], service
    finally:
        for version in s3.list_object_versions(Bucket=BUCKET).get("Versions", []):
            s3.delete_object(Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"])
        s3.put_bucket_policy(Bucket=BUCKET, Policy=policy)


def test_outputs_are_what_the_chart_needs(outputs: dict[str, Any]) -> None:
    account = "123456789012"
    assert outputs["cluster_name"] == CLUSTER
    assert outputs["kubernetes_namespace"] == "silver-guardian"
    assert outputs["service_accounts"] == {s: {"http": s, "worker": f"{s}-worker"} for s in SERVICES}
    role = f"arn:aws:iam::{account}:role/silver-guardian"
    assert outputs["service_role_arns"] == {
        s: {"http": f"{role}-{s}", "worker": f"{role}-{s}-worker"} for s in SERVICES
    }
    assert outputs["keda_role_arn"] == f"arn:aws:iam::{account}:role/silver-guardian-keda-operator"
    assert outputs["cluster_autoscaler_role_arn"] == f"arn:aws:iam::{account}:role/silver-guardian-cluster-autoscaler"
    assert outputs["repository_urls"] == {s: f"{account}.dkr.ecr.ap-northeast-2.amazonaws.com/{s}" for s in SERVICES}
    assert {s: url.rsplit("/", 1)[1] for s, url in outputs["queue_urls"].items()} == {
        s: f"silver-guardian-{s}" for s in SERVICES
    }
    assert outputs["node_groups"]["ml_spot"].pop("name").startswith("ml-spot-")
    assert outputs["node_groups"]["ml_spot"] == {
        "capacity_type": "SPOT",
        "instance_types": ["c5.xlarge", "c5.2xlarge", "c5a.xlarge"],
        "min_size": 0,
        "max_size": 5,
        "labels": {"workload": "ml", "nodeType": "spot"},
        "taints": [{"key": "workload", "value": "ml", "effect": "NO_SCHEDULE"}],
        "disk_gib": 100,
    }


def test_the_runbooks_target_plans_the_spot_group_alone(applied: Terraform) -> None:
    address = 'module.eks.aws_eks_node_group.this["ml_spot"]'
    applied.run("plan", "-input=false", "-state=none.tfstate", f"-target={address}", "-out=target.tfplan")
    plan = json.loads(applied.run("show", "-json", "target.tfplan"))
    planned = [change["address"] for change in plan["resource_changes"]]
    assert address in planned
    assert 'module.eks.aws_eks_node_group.this["general"]' not in planned
    assert not [other for other in planned if "aws_s3_" in other or "aws_sqs_" in other or "aws_ecr_" in other]


def actions(applied: Terraform, key: str, **variables: str) -> list[str]:
    """What a plan with changed variables would do to a node group."""
    address = f'module.eks.aws_eks_node_group.this["{key}"]'
    given = [f"-var={name}={value}" for name, value in variables.items()]
    applied.run("plan", "-input=false", "-refresh=false", f"-target={address}", "-out=changed.tfplan", *given)
    plan = json.loads(applied.run("show", "-json", "changed.tfplan"))
    (found,) = (c["change"]["actions"] for c in plan["resource_changes"] if c["address"] == address)
    return list(found)


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("general", {"general_instance_types": '["t3.large"]'}),
        ("ml_spot", {"ml_spot_instance_types": '["c6i.xlarge", "c5.xlarge"]'}),
    ],
)
def test_a_groups_successor_is_there_before_it_goes(applied: Terraform, key: str, change: dict[str, str]) -> None:
    """CoreDNS, KEDA and the autoscaler live on the general group."""
    assert actions(applied, key, **change) == ["create", "delete"]
