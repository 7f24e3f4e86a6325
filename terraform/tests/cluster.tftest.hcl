# The control plane: names, encryption, logs, who may reach it, add-ons.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "cluster_is_private_encrypted_and_logged" {
  command = apply

  assert {
    condition     = module.eks.cluster.name == "silver-guardian-cluster" && output.cluster_name == "silver-guardian-cluster"
    error_message = "The cluster must be called silver-guardian-cluster."
  }
  assert {
    condition     = var.region == "ap-northeast-2" && output.region == "ap-northeast-2"
    error_message = "The region must be ap-northeast-2."
  }
  assert {
    condition     = module.eks.cluster.version == "1.35"
    error_message = "The cluster must run the version in kubernetes_version."
  }
  assert {
    condition     = module.eks.cluster.upgrade_policy[0].support_type == "STANDARD"
    error_message = "Extended support costs six times as much; it must be asked for."
  }
  assert {
    condition     = module.eks.cluster.encryption_config[0].resources == toset(["secrets"]) && module.eks.cluster.encryption_config[0].provider[0].key_arn == aws_kms_key.cluster.arn
    error_message = "Kubernetes secrets must be encrypted with the cluster's key."
  }
  assert {
    condition     = module.eks.cluster.enabled_cluster_log_types == toset(["api", "audit", "authenticator", "controllerManager", "scheduler"])
    error_message = "All five control-plane logs must be on."
  }
  assert {
    condition     = module.eks.log_group.name == "/aws/eks/silver-guardian-cluster/cluster" && module.eks.log_group.retention_in_days == 365 && module.eks.log_group.kms_key_id == aws_kms_key.cluster.arn
    error_message = "Control-plane logs must be kept for 365 days, encrypted, in the group that EKS writes to."
  }
  assert {
    condition     = module.eks.cluster.vpc_config[0].endpoint_private_access && !module.eks.cluster.vpc_config[0].endpoint_public_access
    error_message = "The API must be reachable from the VPC, and from nowhere else by default."
  }
  assert {
    condition     = module.eks.cluster.vpc_config[0].subnet_ids == toset([for s in aws_subnet.private : s.id])
    error_message = "The cluster must lie in the private subnets."
  }
  assert {
    condition     = alltrue([for g in values(module.eks.node_groups) : g.subnet_ids == toset([for s in aws_subnet.private : s.id])])
    error_message = "Nodes must lie in the private subnets."
  }
  assert {
    condition     = module.eks.cluster.access_config[0].authentication_mode == "API"
    error_message = "Access must be by access entries, not by the aws-auth ConfigMap."
  }
  assert {
    condition     = module.eks.oidc_provider.client_id_list == toset(["sts.amazonaws.com"])
    error_message = "Service accounts' tokens must be for STS."
  }
  assert {
    condition     = aws_kms_key.cluster.enable_key_rotation && aws_kms_key.data.enable_key_rotation
    error_message = "Keys must be rotated."
  }
  assert {
    condition = toset(one([
      for s in jsondecode(aws_kms_key.cluster.policy).Statement : s.Condition.ArnEquals["kms:EncryptionContext:aws:logs:arn"] if s.Sid == "LogsOfClusterAndVpc"
      ])) == toset([
      "arn:aws:logs:ap-northeast-2:123456789012:log-group:${module.eks.log_group.name}",
      "arn:aws:logs:ap-northeast-2:123456789012:log-group:${aws_cloudwatch_log_group.flow_logs.name}",
    ])
    error_message = "CloudWatch Logs must be able to use the key for our two log groups, and for no other."
  }
}

run "addons_enforce_network_policies" {
  command = plan

  assert {
    condition     = toset(keys(module.eks.addons)) == toset(["vpc-cni", "kube-proxy", "coredns"])
    error_message = "The add-ons must be vpc-cni, kube-proxy and coredns."
  }
  assert {
    condition     = jsondecode(module.eks.addons["vpc-cni"].configuration_values).enableNetworkPolicy == "true"
    error_message = "The VPC CNI must enforce network policies."
  }
  assert {
    condition     = !module.eks.cluster.bootstrap_self_managed_addons
    error_message = "EKS must not install add-ons of its own besides ours."
  }
}

run "api_opens_to_named_ranges_and_admins_only" {
  command = plan

  variables {
    cluster_endpoint_public_access_cidrs = ["203.0.113.7/32"]
    cluster_admin_arns                   = ["arn:aws:iam::123456789012:role/platform-admin"]
    cluster_name                         = "other"
    region                               = "eu-west-1"
    availability_zones                   = ["eu-west-1a", "eu-west-1b"]
  }

  assert {
    condition     = module.eks.cluster.vpc_config[0].endpoint_public_access && module.eks.cluster.vpc_config[0].public_access_cidrs == toset(["203.0.113.7/32"])
    error_message = "The public endpoint must be open to the ranges given, and to no other."
  }
  assert {
    condition     = [for a in values(module.eks.admins) : "${a.principal_arn} ${reverse(split("/", a.policy_arn))[0]}"] == ["arn:aws:iam::123456789012:role/platform-admin AmazonEKSClusterAdminPolicy"]
    error_message = "Administrators must be the ones given."
  }
  assert {
    condition     = module.eks.cluster.name == "other" && aws_vpc_endpoint.s3.service_name == "com.amazonaws.eu-west-1.s3"
    error_message = "Name and region must follow their variables."
  }
}

run "emulator_mode_leaves_out_only_what_emulators_lack" {
  command = plan

  variables {
    local = true
  }

  assert {
    condition     = length(module.eks.addons) == 0 && length(module.eks.autoscaler_tags) == 0 && length(aws_sqs_queue_redrive_allow_policy.dlq) == 0
    error_message = "With local=true, add-ons, autoscaling group tags and redrive allow policies must be left out."
  }
  assert {
    condition     = length(module.eks.node_groups) == 2 && length(aws_sqs_queue.this) == 2
    error_message = "With local=true, everything else must stay."
  }
}
