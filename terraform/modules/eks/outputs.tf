output "cluster" {
  description = "The cluster, with all its attributes."
  value       = aws_eks_cluster.this
}

output "node_groups" {
  description = "The node groups, with all their attributes, by key."
  value       = aws_eks_node_group.this
}

output "launch_templates" {
  description = "The node groups' launch templates, by the groups' keys."
  value       = aws_launch_template.this
}

output "autoscaler_tags" {
  description = "The tags from which Cluster Autoscaler knows a node that does not exist yet."
  value       = aws_autoscaling_group_tag.this
}

output "addons" {
  description = "The add-ons, by name."
  value       = merge(aws_eks_addon.before_nodes, aws_eks_addon.this)
}

output "log_group" {
  description = "Log group of the control plane."
  value       = aws_cloudwatch_log_group.this
}

output "oidc_provider" {
  description = "The identity provider that vouches for the cluster's service accounts."
  value       = aws_iam_openid_connect_provider.this
}

output "node_policy_arns" {
  description = "Policies of the nodes' role."
  value       = [for attachment in aws_iam_role_policy_attachment.node : attachment.policy_arn]
}

output "admins" {
  description = "Further administrators of the cluster, by their ARN."
  value       = aws_eks_access_policy_association.admin
}

output "addon_policy_arns" {
  description = "AWS's policy of each add-on that calls AWS, by the add-on's name."
  value       = { for name, attachment in aws_iam_role_policy_attachment.addon : name => attachment.policy_arn }
}
