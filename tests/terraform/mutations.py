# ruff: noqa: E501
"""Breaks one rule of the configuration at a time and sees whether `terraform test` notices.

usage: python -m tests.terraform.mutations [WORD]   (`make mutate-terraform`; WORD picks mutations by file or text)

Prints one line a mutation with the run that failed by it; exits 1 if any survives. By hand, since it takes as many
test runs as there are mutations.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.terraform.conftest import copy_of_configuration

NODES, CLUSTER, NETWORK, STORAGE, QUEUES, ROLES = "node_groups", "cluster", "network", "storage", "queues", "roles"
EKS = "modules/eks/"

# (test file that must notice, mutated file, text, what it becomes)
MUTATIONS = [
    (NODES, "variables_nodes.tf", '["c5.xlarge", "c5.2xlarge", "c5a.xlarge"]', '["c5.xlarge", "c5.2xlarge"]'),
    (NODES, "variables_nodes.tf", '["c5.xlarge", "c5.2xlarge", "c5a.xlarge"]', '["c5.2xlarge", "c5.xlarge", "c5a.xlarge"]'),
    (NODES, "variables_nodes.tf", '["t3.medium"]', '["t3.large"]'),
    (NODES, "variables_nodes.tf", 'workload = "ml", nodeType = "spot"', 'workload = "ml"'),
    (NODES, "variables_nodes.tf", 'effect = "NO_SCHEDULE" }', 'effect = "NO_EXECUTE" }'),
    (NODES, "variables_nodes.tf", "  default     = 5\n", "  default     = 6\n"),
    (NODES, "variables_nodes.tf", "  default     = 3\n", "  default     = 4\n"),
    (NODES, "variables_nodes.tf", "  default     = 2\n", "  default     = 1\n"),
    (NODES, "variables_nodes.tf", "  default     = 100\n", "  default     = 50\n"),
    (NODES, "eks.tf", 'capacity_type  = "SPOT"', 'capacity_type  = "ON_DEMAND"'),
    (NODES, "eks.tf", 'capacity_type  = "ON_DEMAND"', 'capacity_type  = "SPOT"'),
    (NODES, "eks.tf", "      taints         = [var.ml_spot_taint]\n", ""),
    (NODES, "eks.tf", "ml_spot = {", "spot = {"),
    (NODES, EKS + "node_groups.tf", 'node_group_name_prefix = "${replace(each.key, "_", "-")}-"', 'node_group_name        = replace(each.key, "_", "-")'),
    (NODES, EKS + "node_groups.tf", "desired_size = each.value.min_size", "desired_size = each.value.max_size"),
    (CLUSTER, EKS + "node_groups.tf", "  release_version        = var.node_release_version\n", ""),
    (CLUSTER, "eks.tf", "most_recent        = true", "most_recent        = false"),
    (CLUSTER, "eks.tf", "kubernetes_version = var.kubernetes_version\n  most", 'kubernetes_version = "1.35"\n  most'),
    (CLUSTER, "eks.tf", "data.aws_eks_addon_version.newest[name].version)", "null)"),
    (CLUSTER, "eks.tf", "      metrics-server = {}\n", ""),
    (CLUSTER, "eks.tf", '["1.33", "1.34", "1.35"]', '["1.33", "1.34", "1.35", "1.36"]'),
    (CLUSTER, EKS + "addons.tf", "service-role/AmazonEFSCSIDriverPolicy", "AdministratorAccess"),
    (NODES, EKS + "node_groups.tf", "ignore_changes = [scaling_config[0].desired_size]", "ignore_changes = []"),
    (NODES, EKS + "node_groups.tf", 'http_tokens                 = "required"', 'http_tokens                 = "optional"'),
    (NODES, EKS + "node_groups.tf", "hop_limit = 1", "hop_limit = 2"),
    (NODES, EKS + "node_groups.tf", "encrypted             = true", "encrypted             = false"),
    (NODES, EKS + "node_groups.tf", 'key   = "taint/${t.key}"', 'key   = "taints/${t.key}"'),
    (NODES, EKS + "node_groups.tf", 'NO_SCHEDULE        = "NoSchedule"', 'NO_SCHEDULE        = "NO_SCHEDULE"'),
    (NODES, EKS + "node_groups.tf", "node-template/${each.value.key}", "${each.value.key}"),
    (NODES, EKS + "node_groups.tf", '"AmazonEC2ContainerRegistryPullOnly"', '"AmazonEC2ContainerRegistryFullAccess"'),
    (CLUSTER, "variables.tf", 'default     = "silver-guardian-cluster"', 'default     = "silver-guardian"'),
    (CLUSTER, "variables.tf", 'default     = "ap-northeast-2"', 'default     = "ap-northeast-1"'),
    (CLUSTER, "variables.tf", '"controllerManager", "scheduler"]\n  nullable', '"controllerManager"]\n  nullable'),
    (CLUSTER, "variables.tf", "  default     = 365\n", "  default     = 7\n"),
    (CLUSTER, "eks.tf", 'enableNetworkPolicy = "true"', 'enableNetworkPolicy = "false"'),
    (CLUSTER, EKS + "main.tf", 'resources = ["secrets"]\n    provider {\n      key_arn = var.kms_key_arn\n    }', 'resources = ["secrets"]\n    provider {\n      key_arn = "arn:aws:kms:ap-northeast-2:123456789012:key/other"\n    }'),
    (CLUSTER, EKS + "main.tf", "endpoint_public_access  = length(var.public_access_cidrs) > 0", "endpoint_public_access  = true"),
    (CLUSTER, EKS + "main.tf", '= "API"', '= "API_AND_CONFIG_MAP"'),
    (CLUSTER, "kms.tf", "enable_key_rotation     = true", "enable_key_rotation     = false"),
    (CLUSTER, "eks.tf", "aws_subnet.private[zone].id]\n  public", "aws_subnet.public[zone].id]\n  public"),
    (NETWORK, "variables.tf", '["ap-northeast-2a", "ap-northeast-2c"]', '["ap-northeast-2a", "ap-northeast-2b"]'),
    (NETWORK, "variables.tf", '  type        = set(string)\n  default     = []\n  nullable    = false\n\n  validation {\n    condition     = alltrue([for s in var.interface', '  type        = set(string)\n  default     = ["sqs"]\n  nullable    = false\n\n  validation {\n    condition     = alltrue([for s in var.interface'),
    (NETWORK, "vpc.tf", "cidrsubnet(var.vpc_cidr, 8, 240 + i)", "cidrsubnet(var.vpc_cidr, 8, 64 + i)"),
    (NETWORK, "vpc.tf", '.${each.key}"\n  private_dns_enabled = true', '.${each.key}"\n  private_dns_enabled = false'),
    (NETWORK, "vpc.tf", "route_table_ids   = [for zone in var.availability_zones : aws_route_table.private[zone].id]", "route_table_ids   = [aws_route_table.public.id]"),
    (NETWORK, "vpc.tf", "map_public_ip_on_launch = false", "map_public_ip_on_launch = true"),
    (NETWORK, "vpc.tf", "cidr_ipv4         = var.vpc_cidr", 'cidr_ipv4         = "0.0.0.0/0"'),
    (STORAGE, "s3.tf", "block_public_policy     = true", "block_public_policy     = false"),
    (STORAGE, "s3.tf", 'status = "Enabled"\n  }\n}\n\nresource "aws_s3_bucket_server', 'status = "Suspended"\n  }\n}\n\nresource "aws_s3_bucket_server'),
    (STORAGE, "s3.tf", 'sse_algorithm     = "aws:kms"', 'sse_algorithm     = "AES256"'),
    (STORAGE, "s3.tf", '"aws:SecureTransport" = "false"', '"aws:SecureTransport" = "true"'),
    (STORAGE, "s3.tf", '"s3:if-none-match" = "true"', '"s3:if-none-match" = "false"'),
    (STORAGE, "s3.tf", "/${var.results_prefix}*\"\n        Condition", "/${var.uploads_prefix}*\"\n        Condition"),
    (STORAGE, "s3.tf", "eventbridge = true", "eventbridge = false"),
    (STORAGE, "s3.tf", "length(var.cors_allowed_origins) > 0 ? 1 : 0", "1"),
    (STORAGE, "s3.tf", "prefix = var.results_prefix", "prefix = var.uploads_prefix"),
    (STORAGE, "variables_data.tf", "  default     = 90\n", "  default     = 30\n"),
    (STORAGE, "ecr.tf", '"IMMUTABLE"', '"MUTABLE"'),
    (STORAGE, "ecr.tf", "scan_on_push = true", "scan_on_push = false"),
    (STORAGE, "ecr.tf", 'tagStatus   = "untagged"', 'tagStatus   = "any"'),
    (STORAGE, "variables_data.tf", '["audio-analyzer", "video-analyzer"]', '["audio-analyzer"]'),
    (QUEUES, "queue.tf", "maxReceiveCount     = var.queue_max_receive_count", "maxReceiveCount     = 50"),
    (QUEUES, "queue.tf", '-dlq"', '-dead"'),
    (QUEUES, "queue.tf", 'sqs_managed_sse_enabled    = true', 'sqs_managed_sse_enabled    = false'),
    (QUEUES, "queue.tf", "prefix = var.uploads_prefix", 'prefix = ""'),
    (QUEUES, "queue.tf", '"aws:SourceArn" = aws_cloudwatch_event_rule.uploads.arn', '"aws:SourceArn" = "*"'),
    (QUEUES, "queue.tf", "  for_each = var.services\n\n  rule ", '  for_each = toset(["audio-analyzer"])\n\n  rule '),
    (QUEUES, "queue.tf", "arn = aws_sqs_queue.dlq[each.key].arn\n  }\n\n  depends", "arn = aws_sqs_queue.this[each.key].arn\n  }\n\n  depends"),
    (QUEUES, "queue.tf", 'redrivePermission = "byQueue"', 'redrivePermission = "allowAll"'),
    (QUEUES, "alarms.tf", "QueueName = aws_sqs_queue.dlq[each.key].name", "QueueName = aws_sqs_queue.this[each.key].name"),
    (QUEUES, "alarms.tf", '"ApproximateAgeOfOldestMessage"', '"ApproximateNumberOfMessagesVisible"'),
    (QUEUES, "alarms.tf", "threshold           = 0", "threshold           = 1"),
    (QUEUES, "alarms.tf", "ok_actions         = local.alarm_actions", "ok_actions         = []"),
    (QUEUES, "alarms.tf", '  treat_missing_data = "notBreaching"', '  treat_missing_data = "missing"'),
    (ROLES, "iam.tf", "/${local.kinds[each.key]}-*.json", ""),
    (ROLES, "iam.tf", 'Action    = "kms:Decrypt"', 'Action    = "kms:*"'),
    (ROLES, "iam.tf", "local.service_accounts[each.key].worker", "local.service_accounts[each.key].http"),
    (ROLES, "iam.tf", '"s3:GetObject", "s3:GetObjectVersion"', '"s3:GetObject"'),
    (ROLES, "iam.tf", "${aws_s3_bucket.media.arn}/${var.models_prefix}*", "${aws_s3_bucket.media.arn}/*"),
    (ROLES, "iam.tf", 'Condition = { StringLike = { "s3:prefix"', 'Condition = { StringNotLike = { "s3:prefix"'),
    (ROLES, "iam.tf", '"s3:GetObject", "s3:PutObject"', '"s3:*"'),
    (ROLES, "iam.tf", '"sqs:DeleteMessage", ', ""),
    (ROLES, "iam.tf", "Resource = aws_sqs_queue.this[each.key].arn", 'Resource = "*"'),
    (ROLES, "iam.tf", '"states:SendTaskSuccess", ', ""),
    (ROLES, "iam.tf", '"kms:Decrypt", "kms:GenerateDataKey"', '"kms:Decrypt"'),
    (ROLES, "iam.tf", 'Action   = "sqs:GetQueueAttributes"', 'Action   = ["sqs:GetQueueAttributes", "sqs:ReceiveMessage"]'),
    (ROLES, "iam.tf", '= "owned" } }', '= "shared" } }'),
    (ROLES, "modules/irsa/main.tf", ":sub\" = \"system:serviceaccount:${var.namespace}:${var.service_account}\"", ":sub\" = \"system:serviceaccount:${var.namespace}:*\""),
    (ROLES, "modules/irsa/main.tf", '"${local.issuer}:aud" = "sts.amazonaws.com"\n', ""),
    (ROLES, "variables_data.tf", 'namespace = "keda", name', 'namespace = "default", name'),
    (ROLES, "variables_data.tf", 'default     = "silver-guardian"', 'default     = "default"'),
]  # fmt: skip


def run(folder: Path, test: str, path: str = "", text: str = "", becomes: str = "") -> str | None:
    """The run that fails by the mutation, or, without one, fails anyway; None if all pass."""
    terraform = copy_of_configuration(folder)
    if path:
        target = folder / path
        source = target.read_text()
        assert text in source, f"{path} no longer holds {text!r}"
        target.write_text(source.replace(text, becomes, 1))
    done = subprocess.run(
        terraform.command("test", f"-filter=tests/{test}.tftest.hcl"),
        env=terraform.variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return None
    failed = re.search(r'run "(\w+)"\.\.\. fail', done.stdout)
    return failed.group(1) if failed else f"(no run: {(done.stderr or done.stdout).strip()[:200]})"


def main() -> int:
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [m for m in MUTATIONS if any(word in part for part in m)]
    survivors = 0
    # Tests that fail anyway would notice everything.
    for test in sorted({mutation[0] for mutation in chosen}):
        with tempfile.TemporaryDirectory() as scratch:
            failing = run(Path(scratch) / "terraform", test)
        if failing:
            print(f"tests/{test}.tftest.hcl fails without a mutation: {failing}")
            return 1
    for number, (test, path, text, becomes) in enumerate(chosen, 1):
        with tempfile.TemporaryDirectory() as scratch:
            caught = run(Path(scratch) / "terraform", test, path, text, becomes)
        survivors += caught is None
        print(
            f"{number}/{len(chosen)} {path}: {text.strip()!r} -> {becomes.strip()!r}: {caught or 'SURVIVED'}",
            flush=True,
        )
    print(f"mutations={len(chosen)} survived={survivors}")
    return survivors > 0


if __name__ == "__main__":
    sys.exit(main())
