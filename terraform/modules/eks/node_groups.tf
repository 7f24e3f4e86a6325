locals {
  taint_effects = {
    NO_SCHEDULE        = "NoSchedule"
    NO_EXECUTE         = "NoExecute"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
  }

  # What Cluster Autoscaler must know of a node before the first one exists. Disk, too: without its tag a
  # pod that requests ephemeral storage fits no node that is not there yet. The kubelet keeps some back.
  autoscaler_tags = merge([
    for name, group in var.node_groups : merge(
      { for k, v in group.labels : "${name}/label/${k}" => { group = name, key = "label/${k}", value = v } },
      {
        for t in group.taints : "${name}/taint/${t.key}" => {
          group = name
          key   = "taint/${t.key}"
          value = "${t.value}:${local.taint_effects[t.effect]}"
        }
      },
      {
        "${name}/resources/ephemeral-storage" = {
          group = name
          key   = "resources/ephemeral-storage"
          value = "${floor(group.disk_gib * 0.8)}Gi"
        }
      },
    )
  ]...)
}

resource "aws_iam_role" "node" {
  name = "${var.cluster_name}-node"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset(["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"])

  role       = aws_iam_role.node.name
  policy_arn = "arn:${var.partition}:iam::aws:policy/${each.key}"
}

resource "aws_launch_template" "this" {
  for_each = var.node_groups

  name_prefix            = "${var.cluster_name}-${replace(each.key, "_", "-")}-"
  update_default_version = true

  # Hop limit 1: a pod cannot reach the instance metadata, and so not the node's role.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_type           = "gp3"
      volume_size           = each.value.disk_gib
      encrypted             = true
      delete_on_termination = true
    }
  }

  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume", "network-interface"])
    content {
      resource_type = tag_specifications.value
      tags          = merge(var.tags, { Name = "${var.cluster_name}-${replace(each.key, "_", "-")}" })
    }
  }
}

resource "aws_eks_node_group" "this" {
  for_each = var.node_groups

  cluster_name = aws_eks_cluster.this.name
  # A name of its own each time, so that a group's successor can be there before it goes.
  node_group_name_prefix = "${replace(each.key, "_", "-")}-"
  node_role_arn          = aws_iam_role.node.arn
  subnet_ids             = var.subnet_ids
  version                = var.kubernetes_version
  release_version        = var.node_release_version
  ami_type               = "AL2023_x86_64_STANDARD"
  capacity_type          = each.value.capacity_type
  instance_types         = each.value.instance_types
  labels                 = each.value.labels

  launch_template {
    id      = aws_launch_template.this[each.key].id
    version = aws_launch_template.this[each.key].latest_version
  }

  scaling_config {
    min_size     = each.value.min_size
    max_size     = each.value.max_size
    desired_size = each.value.min_size
  }

  update_config {
    max_unavailable_percentage = 33
  }

  dynamic "taint" {
    for_each = each.value.taints
    content {
      key    = taint.value.key
      value  = taint.value.value
      effect = taint.value.effect
    }
  }

  lifecycle {
    # Else a change of the instance types takes away CoreDNS, KEDA and the autoscaler with the old group.
    create_before_destroy = true
    # The autoscaler's from here on.
    ignore_changes = [scaling_config[0].desired_size]

    postcondition {
      condition     = self.scaling_config[0].desired_size >= self.scaling_config[0].min_size
      error_message = "EKS refuses a minimum above the nodes that the group has now, which are the autoscaler's to change. First: aws eks update-nodegroup-config --cluster-name ${self.cluster_name} --nodegroup-name ${self.node_group_name} --scaling-config minSize=${self.scaling_config[0].min_size},desiredSize=${self.scaling_config[0].min_size} and then plan again."
    }
  }

  depends_on = [
    aws_iam_role_policy_attachment.node,
    aws_iam_role_policy_attachment.addon,
    aws_eks_addon.before_nodes,
  ]
}

# A managed node group does not pass its tags to its autoscaling group.
resource "aws_autoscaling_group_tag" "this" {
  for_each = var.autoscaler_tags ? local.autoscaler_tags : {}

  autoscaling_group_name = aws_eks_node_group.this[each.value.group].resources[0].autoscaling_groups[0].name

  tag {
    key                 = "k8s.io/cluster-autoscaler/node-template/${each.value.key}"
    value               = each.value.value
    propagate_at_launch = false
  }
}
