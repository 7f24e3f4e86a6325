# The newest of what runs on kubernetes_version. Read here: within the module they would wait for the network to be made.
data "aws_eks_addon_version" "newest" {
  for_each = { for name, addon in local.addons : name => addon if !contains(keys(var.addon_versions), name) }

  addon_name         = each.key
  kubernetes_version = var.kubernetes_version
  most_recent        = true
}

data "aws_ssm_parameter" "node_release" {
  # The emulator has no AMIs of EKS.
  count = var.local || var.node_release_version != null ? 0 : 1

  name = "/aws/service/eks/optimized-ami/${var.kubernetes_version}/amazon-linux-2023/x86_64/standard/recommended/release_version"
}

# What helm/versions.env has been tested with; another version is possible, and worth a look at that table first.
check "kubernetes_version_is_tested" {
  assert {
    condition     = contains(["1.33", "1.34", "1.35"], var.kubernetes_version)
    error_message = "KEDA and its HTTP add-on, as helm/versions.env has them, are tested on Kubernetes 1.33 to 1.35: move them together with kubernetes_version (docs/operations.md, Versions)."
  }
}

locals {
  node_release_version = var.local ? null : try(nonsensitive(data.aws_ssm_parameter.node_release[0].value), var.node_release_version)

  # The emulator has no add-ons.
  addons = var.local ? {} : merge(
    {
      # Pods need addresses before a node is ready.
      vpc-cni = { before_nodes = true, configuration = jsonencode({ enableNetworkPolicy = "true" }) }
      # kubectl top, and KEDA's cpu trigger, read it.
      metrics-server = {}
      kube-proxy     = { before_nodes = true }
      coredns        = {}
    },
    { for driver in var.csi_drivers : driver => {} },
  )
}

module "eks" {
  source = "./modules/eks"

  cluster_name             = var.cluster_name
  partition                = local.partition
  kubernetes_version       = var.kubernetes_version
  support_type             = var.kubernetes_support_type
  control_plane_subnet_ids = [for zone in slice(var.availability_zones, 0, 2) : aws_subnet.private[zone].id]
  subnet_ids               = [for zone in var.availability_zones : aws_subnet.private[zone].id]
  public_access_cidrs      = var.cluster_endpoint_public_access_cidrs
  cluster_creator_is_admin = var.cluster_creator_is_admin
  cluster_admin_arns       = var.cluster_admin_arns
  log_types                = var.cluster_log_types
  log_retention_days       = var.log_retention_days
  kms_key_arn              = aws_kms_key.cluster.arn
  tags                     = local.tags

  node_release_version = local.node_release_version

  # The emulator has no autoscaling groups of node groups.
  autoscaler_tags = !var.local
  addons = {
    for name, addon in local.addons : name => merge(addon, {
      version = try(var.addon_versions[name], data.aws_eks_addon_version.newest[name].version)
    })
  }

  node_groups = {
    general = {
      capacity_type  = "ON_DEMAND"
      instance_types = var.general_instance_types
      min_size       = var.general_min_size
      max_size       = var.general_max_size
      disk_gib       = var.general_disk_gib
    }
    ml_spot = {
      capacity_type  = "SPOT"
      instance_types = var.ml_spot_instance_types
      min_size       = var.ml_spot_min_size
      max_size       = var.ml_spot_max_size
      disk_gib       = var.ml_spot_disk_gib
      labels         = var.ml_spot_labels
      taints         = [var.ml_spot_taint]
    }
  }

  # Nodes pull images and reach the API through these; without them they never join.
  depends_on = [aws_route.nat, aws_route_table_association.private, aws_vpc_endpoint.interface, aws_vpc_endpoint.s3]
}
