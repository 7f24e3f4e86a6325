"""Destroying leaves nothing behind that costs money."""

from __future__ import annotations

from typing import Any

from tests.terraform.conftest import Terraform


def test_destroy_leaves_nothing(aws: Any, destroyed: Terraform) -> None:
    assert destroyed.run("state", "list").strip() == ""
    assert aws("eks").list_clusters()["clusters"] == []
    assert aws("sqs").list_queues().get("QueueUrls", []) == []
    assert aws("s3").list_buckets()["Buckets"] == []
    assert aws("ecr").describe_repositories()["repositories"] == []
    gateways = aws("ec2").describe_nat_gateways()["NatGateways"]
    assert [g for g in gateways if g["State"] not in ("deleted", "deleting")] == []
