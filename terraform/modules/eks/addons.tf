resource "aws_eks_addon" "before_nodes" {
  for_each = { for name, addon in var.addons : name => addon if addon.before_nodes }

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = each.value.version
  configuration_values        = each.value.configuration
  service_account_role_arn    = try(module.addon_role[each.key].arn, null)
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
}

resource "aws_eks_addon" "this" {
  for_each = { for name, addon in var.addons : name => addon if !addon.before_nodes }

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = each.value.version
  configuration_values        = each.value.configuration
  service_account_role_arn    = try(module.addon_role[each.key].arn, null)
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  depends_on = [aws_eks_node_group.this]
}

locals {
  # Add-ons that call AWS: service account, and AWS's own policy for them.
  addon_roles = {
    vpc-cni            = { account = "aws-node", policy = "AmazonEKS_CNI_Policy" }
    aws-ebs-csi-driver = { account = "ebs-csi-controller-sa", policy = "service-role/AmazonEBSCSIDriverPolicy" }
    aws-efs-csi-driver = { account = "efs-csi-controller-sa", policy = "service-role/AmazonEFSCSIDriverPolicy" }
  }
  # The emulator has no add-ons, and the CNI's role all the same.
  roles_needed = { for name, role in local.addon_roles : name => role if name == "vpc-cni" || contains(keys(var.addons), name) }
}

# Roles of their own, so that nodes, and pods that reach a node's role, cannot rewire the network.
module "addon_role" {
  source   = "../irsa"
  for_each = local.roles_needed

  name              = "${var.cluster_name}-${trimprefix(each.key, "aws-")}"
  oidc_provider_arn = aws_iam_openid_connect_provider.this.arn
  oidc_issuer       = aws_iam_openid_connect_provider.this.url
  namespace         = "kube-system"
  service_account   = each.value.account
}

resource "aws_iam_role_policy_attachment" "addon" {
  for_each = local.roles_needed

  role       = module.addon_role[each.key].name
  policy_arn = "arn:${var.partition}:iam::aws:policy/${each.value.policy}"
}
