# The two node groups: their sizes, types, labels and taint, and what Cluster Autoscaler is told of them.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "ml_spot_is_a_spot_group_from_0_to_5_for_ml_pods_only" {
  command = plan

  assert {
    condition     = module.eks.node_groups["ml_spot"].node_group_name_prefix == "ml-spot-"
    error_message = "The group's AWS name must begin with ml-spot, and be free to have a successor."
  }
  assert {
    condition     = module.eks.node_groups["ml_spot"].capacity_type == "SPOT"
    error_message = "ml_spot must run on Spot."
  }
  assert {
    condition     = module.eks.node_groups["ml_spot"].instance_types == tolist(["c5.xlarge", "c5.2xlarge", "c5a.xlarge"])
    error_message = "ml_spot must offer c5.xlarge, c5.2xlarge and c5a.xlarge, in this order."
  }
  assert {
    condition     = module.eks.node_groups["ml_spot"].labels == tomap({ workload = "ml", nodeType = "spot" })
    error_message = "ml_spot nodes must carry workload=ml and nodeType=spot, and nothing else."
  }
  assert {
    condition     = [for t in module.eks.node_groups["ml_spot"].taint : "${t.key}=${t.value}:${t.effect}"] == ["workload=ml:NO_SCHEDULE"]
    error_message = "ml_spot must have the taint workload=ml:NoSchedule, and no other."
  }
  assert {
    condition     = module.eks.node_groups["ml_spot"].scaling_config[0].min_size == 0
    error_message = "ml_spot must be able to go to zero."
  }
  assert {
    condition     = module.eks.node_groups["ml_spot"].scaling_config[0].desired_size == 0
    error_message = "ml_spot must start at zero."
  }
  assert {
    condition     = module.eks.node_groups["ml_spot"].scaling_config[0].max_size == 5
    error_message = "ml_spot must stop at 5."
  }
}

run "general_is_on_demand_and_never_empty" {
  command = plan

  assert {
    condition     = module.eks.node_groups["general"].capacity_type == "ON_DEMAND"
    error_message = "general must be on demand."
  }
  assert {
    condition     = module.eks.node_groups["general"].instance_types == tolist(["t3.medium"])
    error_message = "general must be t3.medium."
  }
  assert {
    condition     = module.eks.node_groups["general"].scaling_config[0].min_size == 2
    error_message = "general must keep its spare: at 1 the autoscaler takes it."
  }
  assert {
    condition     = module.eks.node_groups["general"].scaling_config[0].desired_size == 2
    error_message = "general must start with 2 nodes."
  }
  assert {
    condition     = module.eks.node_groups["general"].scaling_config[0].max_size == 3
    error_message = "general must stop at 3 nodes."
  }
  assert {
    condition     = length(module.eks.node_groups["general"].taint) == 0
    error_message = "general must have no taint, or CoreDNS has nowhere to run."
  }
  assert {
    condition     = toset(keys(module.eks.node_groups)) == toset(["general", "ml_spot"])
    error_message = "The node groups must be general and ml_spot, under these keys."
  }
}

run "nodes_are_current_encrypted_and_hide_their_role" {
  command = plan

  assert {
    condition     = alltrue([for g in values(module.eks.node_groups) : g.ami_type == "AL2023_x86_64_STANDARD" && g.version == "1.35"])
    error_message = "Nodes must run Amazon Linux 2023 at the cluster's version."
  }
  assert {
    condition     = alltrue([for t in values(module.eks.launch_templates) : t.metadata_options[0].http_tokens == "required"])
    error_message = "IMDSv1 must be off."
  }
  assert {
    condition     = alltrue([for t in values(module.eks.launch_templates) : t.metadata_options[0].http_put_response_hop_limit == 1])
    error_message = "The hop limit must be 1, or pods reach the node's role."
  }
  assert {
    condition     = alltrue([for t in values(module.eks.launch_templates) : t.block_device_mappings[0].ebs[0].encrypted == "true" && t.block_device_mappings[0].ebs[0].volume_type == "gp3"])
    error_message = "Node disks must be encrypted gp3."
  }
  assert {
    condition     = module.eks.launch_templates["ml_spot"].block_device_mappings[0].ebs[0].volume_size == 100
    error_message = "A Spot node must have a disk of 100 GiB."
  }
  assert {
    condition     = module.eks.launch_templates["general"].block_device_mappings[0].ebs[0].volume_size == 30
    error_message = "A general node must have a disk of 30 GiB."
  }
  assert {
    condition = toset(module.eks.node_policy_arns) == toset([
      "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy",
      "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly",
    ])
    error_message = "Nodes must join and pull, and no more: the CNI has its own role."
  }
}

run "autoscaler_knows_a_spot_node_before_there_is_one" {
  command = plan

  assert {
    condition = {
      for k, t in module.eks.autoscaler_tags : t.tag[0].key => t.tag[0].value if startswith(k, "ml_spot/")
      } == {
      "k8s.io/cluster-autoscaler/node-template/label/workload"              = "ml"
      "k8s.io/cluster-autoscaler/node-template/label/nodeType"              = "spot"
      "k8s.io/cluster-autoscaler/node-template/taint/workload"              = "ml:NoSchedule"
      "k8s.io/cluster-autoscaler/node-template/resources/ephemeral-storage" = "80Gi"
    }
    error_message = "The autoscaling group must carry the Spot group's labels, taint and disk as tags, or it never leaves zero."
  }
}

run "created_group" {
  # Applied (to the mock) so that the next run has a state to differ from.
  command = apply

  assert {
    condition     = alltrue([for t in values(module.eks.autoscaler_tags) : t.autoscaling_group_name == "eks-mock"])
    error_message = "The tags must be on the node group's own autoscaling group."
  }
}

run "autoscalers_desired_size_is_not_fought" {
  command = plan

  variables {
    general_min_size = 1
  }

  assert {
    condition     = module.eks.node_groups["general"].scaling_config[0].desired_size == 2 && module.eks.node_groups["general"].scaling_config[0].min_size == 1
    error_message = "The number of nodes must be left as it is."
  }
}

run "labels_taint_and_sizes_follow_their_variables" {
  command = plan

  variables {
    ml_spot_labels   = { team = "voice" }
    ml_spot_taint    = { key = "team", value = "voice", effect = "NO_EXECUTE" }
    ml_spot_max_size = 9
  }

  assert {
    condition     = module.eks.autoscaler_tags["ml_spot/label/team"].tag[0].value == "voice"
    error_message = "The autoscaler's label tags must follow ml_spot_labels."
  }
  assert {
    condition     = module.eks.autoscaler_tags["ml_spot/taint/team"].tag[0].value == "voice:NoExecute"
    error_message = "The autoscaler's taint tag must follow ml_spot_taint."
  }
  assert {
    condition     = module.eks.node_groups["ml_spot"].scaling_config[0].max_size == 9
    error_message = "The ceiling must follow ml_spot_max_size."
  }
}
