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
    condition     = toset(keys(module.eks.addons)) == toset(["vpc-cni", "kube-proxy", "coredns", "metrics-server"])
    error_message = "The add-ons must be vpc-cni, kube-proxy, coredns and metrics-server."
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

run "addons_and_nodes_follow_the_newest_version" {
  command = plan

  assert {
    condition     = alltrue([for a in values(module.eks.addons) : a.addon_version == "v9.9.9-eksbuild.9"])
    error_message = "An add-on without a version of ours must follow the newest, or it stays as it was at its creation."
  }
  assert {
    condition     = alltrue([for d in values(data.aws_eks_addon_version.newest) : d.kubernetes_version == "1.35" && d.most_recent])
    error_message = "The newest must be the newest for kubernetes_version."
  }
  assert {
    condition     = alltrue([for g in values(module.eks.node_groups) : g.release_version == "1.35.0-20261101"])
    error_message = "Nodes must follow AWS's newest AMI, or they keep that of their creation."
  }
  assert {
    condition     = data.aws_ssm_parameter.node_release[0].name == "/aws/service/eks/optimized-ami/1.35/amazon-linux-2023/x86_64/standard/recommended/release_version"
    error_message = "The newest AMI must be that of kubernetes_version and of the groups' AMI type."
  }
}

run "an_upgrade_moves_all_of_it" {
  command = plan

  variables {
    kubernetes_version = "1.34"
  }

  assert {
    condition     = module.eks.cluster.version == "1.34" && alltrue([for g in values(module.eks.node_groups) : g.version == "1.34"])
    error_message = "Control plane and nodes must move together."
  }
  assert {
    condition     = alltrue([for d in values(data.aws_eks_addon_version.newest) : d.kubernetes_version == "1.34"]) && strcontains(data.aws_ssm_parameter.node_release[0].name, "/1.34/")
    error_message = "Add-ons and AMI must be looked up for the new version."
  }
}

run "versions_can_be_held" {
  command = plan

  variables {
    addon_versions       = { coredns = "v1.12.1-eksbuild.2" }
    node_release_version = "1.35.0-20260901"
  }

  assert {
    condition     = module.eks.addons["coredns"].addon_version == "v1.12.1-eksbuild.2" && module.eks.addons["kube-proxy"].addon_version == "v9.9.9-eksbuild.9"
    error_message = "A named add-on must be held, and the others follow."
  }
  assert {
    condition     = alltrue([for g in values(module.eks.node_groups) : g.release_version == "1.35.0-20260901"]) && length(data.aws_ssm_parameter.node_release) == 0
    error_message = "Nodes must be held at node_release_version."
  }
}

run "volumes_when_asked" {
  command = apply

  variables {
    csi_drivers = ["aws-efs-csi-driver"]
  }

  assert {
    condition     = contains(keys(module.eks.addons), "aws-efs-csi-driver") && !contains(keys(module.eks.addons), "aws-ebs-csi-driver")
    error_message = "The asked driver must be there, and no other."
  }
  assert {
    condition     = module.eks.addon_policy_arns == { vpc-cni = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy", aws-efs-csi-driver = "arn:aws:iam::aws:policy/service-role/AmazonEFSCSIDriverPolicy" }
    error_message = "Each add-on that calls AWS must have AWS's policy for it."
  }
}

run "an_untested_kubernetes_is_said" {
  command = plan

  variables {
    kubernetes_version = "1.36"
  }

  expect_failures = [check.kubernetes_version_is_tested]
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
