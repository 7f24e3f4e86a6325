module "eks" {
  source = "./modules/eks"

  cluster_name             = var.cluster_name
  partition                = local.partition
  kubernetes_version       = var.kubernetes_version
  support_type             = var.kubernetes_support_type
  subnet_ids               = [for zone in var.availability_zones : aws_subnet.private[zone].id]
  public_access_cidrs      = var.cluster_endpoint_public_access_cidrs
  cluster_creator_is_admin = var.cluster_creator_is_admin
  cluster_admin_arns       = var.cluster_admin_arns
  log_types                = var.cluster_log_types
  log_retention_days       = var.log_retention_days
  kms_key_arn              = aws_kms_key.cluster.arn
  tags                     = local.tags

  # The emulator has neither add-ons nor the autoscaling groups of its node groups.
  autoscaler_tags = !var.local
  addons = var.local ? {} : {
    # Pods need addresses before a node is ready.
    vpc-cni = {
      version       = lookup(var.addon_versions, "vpc-cni", null)
      configuration = jsonencode({ enableNetworkPolicy = "true" })
      before_nodes  = true
    }
    kube-proxy = {
      version      = lookup(var.addon_versions, "kube-proxy", null)
      before_nodes = true
    }
    coredns = {
      version = lookup(var.addon_versions, "coredns", null)
    }
  }

  node_groups = {
    general = {
      capacity_type  = "ON_DEMAND"
      instance_types = var.general_instance_types
      min_size       = var.general_min_size
      max_size       = var.general_max_size
      desired_size   = var.general_desired_size
      disk_gib       = var.general_disk_gib
    }
    ml_spot = {
      capacity_type  = "SPOT"
      instance_types = var.ml_spot_instance_types
      min_size       = var.ml_spot_min_size
      max_size       = var.ml_spot_max_size
      desired_size   = var.ml_spot_desired_size
      disk_gib       = var.ml_spot_disk_gib
      labels         = var.ml_spot_labels
      taints         = [var.ml_spot_taint]
    }
  }

  # Nodes pull images and reach the API through these; without them they never join.
  depends_on = [aws_route.nat, aws_route_table_association.private, aws_vpc_endpoint.interface, aws_vpc_endpoint.s3]
}
