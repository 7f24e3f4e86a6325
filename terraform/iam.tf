# Roles of the pods. Each is for one service account and holds what that one needs.

locals {
  # A service's kind, as it stands in the names of its results: audio of audio-analyzer.
  kinds = { for s in var.services : s => trimsuffix(s, "-analyzer") }
  service_accounts = {
    for s in var.services : s => {
      http   = try(coalesce(var.service_accounts[s].http), s)
      worker = try(coalesce(var.service_accounts[s].worker), "${s}-worker")
    }
  }

  # What servers and workers both do.
  read_media_and_models = [
    {
      Sid    = "ReadMediaAndModels"
      Effect = "Allow"
      Action = ["s3:GetObject", "s3:GetObjectVersion"]
      Resource = [
        "${aws_s3_bucket.media.arn}/${var.uploads_prefix}*",
        "${aws_s3_bucket.media.arn}/${var.models_prefix}*",
      ]
    },
    {
      # Without it S3 answers 403, not 404, for a key that is missing. S3 compares that key with s3:prefix.
      Sid       = "TellMissingFromForbidden"
      Effect    = "Allow"
      Action    = "s3:ListBucket"
      Resource  = aws_s3_bucket.media.arn
      Condition = { StringLike = { "s3:prefix" = ["${var.uploads_prefix}*", "${var.models_prefix}*"] } }
    },
  ]
  via_s3 = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
}

# A server answers its caller: it writes nothing and knows no queue.
module "http_role" {
  source   = "./modules/irsa"
  for_each = var.services

  name              = "${var.name_prefix}-${each.key}"
  oidc_provider_arn = module.eks.oidc_provider.arn
  oidc_issuer       = module.eks.oidc_provider.url
  namespace         = var.kubernetes_namespace
  service_account   = local.service_accounts[each.key].http

  policies = {
    work = jsonencode({
      Version = "2012-10-17"
      Statement = concat(local.read_media_and_models, [
        {
          Sid       = "OpenTheBucketsKey"
          Effect    = "Allow"
          Action    = "kms:Decrypt"
          Resource  = aws_kms_key.data.arn
          Condition = local.via_s3
        },
      ])
    })
  }
}

module "worker_role" {
  source   = "./modules/irsa"
  for_each = var.services

  name              = "${var.name_prefix}-${each.key}-worker"
  oidc_provider_arn = module.eks.oidc_provider.arn
  oidc_issuer       = module.eks.oidc_provider.url
  namespace         = var.kubernetes_namespace
  service_account   = local.service_accounts[each.key].worker

  policies = {
    work = jsonencode({
      Version = "2012-10-17"
      Statement = concat(local.read_media_and_models, [
        {
          # Results of its own kind: results/KEY/VERSION/audio-MODEL.json. The bucket's policy lets none be replaced.
          Sid      = "KeepResults"
          Effect   = "Allow"
          Action   = ["s3:GetObject", "s3:PutObject"]
          Resource = "${aws_s3_bucket.media.arn}/${var.results_prefix}*/${local.kinds[each.key]}-*.json"
        },
        {
          Sid       = "UseTheBucketsKey"
          Effect    = "Allow"
          Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
          Resource  = aws_kms_key.data.arn
          Condition = local.via_s3
        },
        {
          Sid      = "WorkOffTheQueue"
          Effect   = "Allow"
          Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
          Resource = aws_sqs_queue.this[each.key].arn
        },
        {
          # These take a task token and no resource.
          Sid      = "AnswerStepFunctions"
          Effect   = "Allow"
          Action   = ["states:SendTaskSuccess", "states:SendTaskFailure", "states:SendTaskHeartbeat"]
          Resource = "*"
        },
      ])
    })
  }
}

module "keda_role" {
  source = "./modules/irsa"

  name              = "${var.name_prefix}-keda-operator"
  oidc_provider_arn = module.eks.oidc_provider.arn
  oidc_issuer       = module.eks.oidc_provider.url
  namespace         = var.keda_service_account.namespace
  service_account   = var.keda_service_account.name

  policies = {
    queue-length = jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect   = "Allow"
        Action   = "sqs:GetQueueAttributes"
        Resource = [for s in sort(var.services) : aws_sqs_queue.this[s].arn]
      }]
    })
  }
}

module "cluster_autoscaler_role" {
  source = "./modules/irsa"

  name              = "${var.name_prefix}-cluster-autoscaler"
  oidc_provider_arn = module.eks.oidc_provider.arn
  oidc_issuer       = module.eks.oidc_provider.url
  namespace         = var.cluster_autoscaler_service_account.namespace
  service_account   = var.cluster_autoscaler_service_account.name

  policies = {
    scale-node-groups = jsonencode({
      Version = "2012-10-17"
      Statement = [
        {
          # None of these can be limited to a resource.
          Sid    = "SeeGroups"
          Effect = "Allow"
          Action = [
            "autoscaling:DescribeAutoScalingGroups",
            "autoscaling:DescribeAutoScalingInstances",
            "autoscaling:DescribeLaunchConfigurations",
            "autoscaling:DescribeScalingActivities",
            "autoscaling:DescribeTags",
            "ec2:DescribeImages",
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeLaunchTemplateVersions",
            "ec2:GetInstanceTypesFromInstanceRequirements",
          ]
          Resource = "*"
        },
        {
          Sid      = "SeeNodeGroups"
          Effect   = "Allow"
          Action   = "eks:DescribeNodegroup"
          Resource = "arn:${local.partition}:eks:${var.region}:${local.account_id}:nodegroup/${var.cluster_name}/*"
        },
        {
          # EKS puts this tag on the groups of its managed node groups.
          Sid       = "ScaleThisClustersGroups"
          Effect    = "Allow"
          Action    = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
          Resource  = "arn:${local.partition}:autoscaling:${var.region}:${local.account_id}:autoScalingGroup:*:autoScalingGroupName/*"
          Condition = { StringEquals = { "aws:ResourceTag/k8s.io/cluster-autoscaler/${var.cluster_name}" = "owned" } }
        },
      ]
    })
  }
}
