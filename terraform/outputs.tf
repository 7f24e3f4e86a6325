output "region" {
  description = "Region everything lies in."
  value       = var.region
}

output "account_id" {
  description = "Account everything lies in."
  value       = local.account_id
}

output "cluster_name" {
  description = "Name of the EKS cluster."
  value       = module.eks.cluster.name
}

output "cluster_endpoint" {
  description = "Address of the Kubernetes API."
  value       = module.eks.cluster.endpoint
}

output "configure_kubectl" {
  description = "Command that points kubectl at the cluster."
  value       = "aws eks update-kubeconfig --region ${var.region} --name ${module.eks.cluster.name}"
}

output "node_groups" {
  description = "The node groups, by key: what pods may expect of their nodes."
  value = {
    for key, group in module.eks.node_groups : key => {
      name           = group.node_group_name
      capacity_type  = group.capacity_type
      instance_types = group.instance_types
      min_size       = group.scaling_config[0].min_size
      max_size       = group.scaling_config[0].max_size
      labels         = group.labels
      taints         = [for t in group.taint : { key = t.key, value = t.value, effect = t.effect }]
      disk_gib       = module.eks.launch_templates[key].block_device_mappings[0].ebs[0].volume_size
    }
  }
}

output "kubernetes_namespace" {
  description = "Namespace that the services' roles trust."
  value       = var.kubernetes_namespace
}

output "service_accounts" {
  description = "Service accounts of each service: of its servers (http) and of its workers."
  value       = local.service_accounts
}

output "service_role_arns" {
  description = "Roles of each service's servers (http) and workers, for their service accounts' eks.amazonaws.com/role-arn annotation."
  value       = { for s in var.services : s => { http = module.http_role[s].arn, worker = module.worker_role[s].arn } }
}

output "keda_role_arn" {
  description = "Role of KEDA's operator."
  value       = module.keda_role.arn
}

output "cluster_autoscaler_role_arn" {
  description = "Role of Cluster Autoscaler."
  value       = module.cluster_autoscaler_role.arn
}

output "repository_urls" {
  description = "Image repository of each service."
  value       = { for s in var.services : s => aws_ecr_repository.this[s].repository_url }
}

output "queue_urls" {
  description = "Queue of each service."
  value       = { for s in var.services : s => aws_sqs_queue.this[s].url }
}

output "dlq_urls" {
  description = "Dead-letter queue of each service."
  value       = { for s in var.services : s => aws_sqs_queue.dlq[s].url }
}

output "media_bucket" {
  description = "Bucket for uploads, models and results."
  value       = aws_s3_bucket.media.bucket
}

output "vpc_id" {
  description = "VPC of the cluster."
  value       = aws_vpc.this.id
}

output "alarm_names" {
  description = "CloudWatch alarms of each service's queues."
  value       = { for s in var.services : s => [aws_cloudwatch_metric_alarm.queue_age[s].alarm_name, aws_cloudwatch_metric_alarm.dead_letters[s].alarm_name] }
}
