# Who may take which role, and what each role may do.

mock_provider "aws" {
  source = "./tests/mocks"
}

override_resource {
  target = aws_sqs_queue.this["audio-analyzer"]
  values = { arn = "arn:aws:sqs:ap-northeast-2:123456789012:silver-guardian-audio-analyzer" }
}

override_resource {
  target = aws_sqs_queue.this["video-analyzer"]
  values = { arn = "arn:aws:sqs:ap-northeast-2:123456789012:silver-guardian-video-analyzer" }
}

run "each_role_is_for_one_service_account" {
  command = apply

  assert {
    condition = {
      for name, trust in {
        audio      = module.http_role["audio-analyzer"].trust
        video      = module.http_role["video-analyzer"].trust
        audio_work = module.worker_role["audio-analyzer"].trust
        video_work = module.worker_role["video-analyzer"].trust
        keda       = module.keda_role.trust
        autoscaler = module.cluster_autoscaler_role.trust
      } : name => one(jsondecode(trust).Statement).Condition.StringEquals
      } == {
      for name, account in {
        audio      = "silver-guardian:audio-analyzer"
        video      = "silver-guardian:video-analyzer"
        audio_work = "silver-guardian:audio-analyzer-worker"
        video_work = "silver-guardian:video-analyzer-worker"
        keda       = "keda:keda-operator"
        autoscaler = "kube-system:cluster-autoscaler"
        } : name => {
        "oidc.eks.ap-northeast-2.amazonaws.com/id/MOCK:aud" = "sts.amazonaws.com"
        "oidc.eks.ap-northeast-2.amazonaws.com/id/MOCK:sub" = "system:serviceaccount:${account}"
      }
    }
    error_message = "Each role must trust exactly its own service account."
  }
  assert {
    condition = alltrue([
      for trust in concat([for r in concat(values(module.http_role), values(module.worker_role)) : r.trust], [module.keda_role.trust, module.cluster_autoscaler_role.trust]) :
      one(jsondecode(trust).Statement).Principal == { Federated = module.eks.oidc_provider.arn } && one(jsondecode(trust).Statement).Action == "sts:AssumeRoleWithWebIdentity"
    ])
    error_message = "Roles must be taken through the cluster's identity provider only."
  }
  assert {
    condition     = concat([for r in concat(values(module.http_role), values(module.worker_role)) : r.name], [module.keda_role.name, module.cluster_autoscaler_role.name]) == ["silver-guardian-audio-analyzer", "silver-guardian-video-analyzer", "silver-guardian-audio-analyzer-worker", "silver-guardian-video-analyzer-worker", "silver-guardian-keda-operator", "silver-guardian-cluster-autoscaler"]
    error_message = "Roles must bear the names that the chart's annotations use."
  }
}

run "workers_may_do_their_work_and_nothing_else" {
  command = apply

  # The whole document, so that nothing can be added or left out unseen.
  assert {
    condition = jsonencode({
      for s in ["audio-analyzer", "video-analyzer"] : s => {
        for statement in jsondecode(module.worker_role[s].policies["work"]).Statement : statement.Sid => {
          effect    = statement.Effect
          actions   = sort(flatten([statement.Action]))
          resources = sort(flatten([statement.Resource]))
          condition = try(jsonencode(statement.Condition), "none")
        }
      }
      }) == jsonencode({
      for s in ["audio-analyzer", "video-analyzer"] : s => {
        ReadMediaAndModels = {
          effect    = "Allow"
          actions   = ["s3:GetObject", "s3:GetObjectVersion"]
          resources = ["arn:aws:s3:::media/models/*", "arn:aws:s3:::media/uploads/*"]
          condition = "none"
        }
        TellMissingFromForbidden = {
          effect    = "Allow"
          actions   = ["s3:ListBucket"]
          resources = ["arn:aws:s3:::media"]
          condition = jsonencode({ StringLike = { "s3:prefix" = ["uploads/*", "models/*"] } })
        }
        KeepResults = {
          effect    = "Allow"
          actions   = ["s3:GetObject", "s3:PutObject"]
          resources = ["arn:aws:s3:::media/results/*/${trimsuffix(s, "-analyzer")}-*.json"]
          condition = "none"
        }
        UseTheBucketsKey = {
          effect    = "Allow"
          actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
          resources = [aws_kms_key.data.arn]
          condition = jsonencode({ StringEquals = { "kms:ViaService" = "s3.ap-northeast-2.amazonaws.com" } })
        }
        WorkOffTheQueue = {
          effect    = "Allow"
          actions   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
          resources = ["arn:aws:sqs:ap-northeast-2:123456789012:silver-guardian-${s}"]
          condition = "none"
        }
        AnswerStepFunctions = {
          effect    = "Allow"
          actions   = ["states:SendTaskFailure", "states:SendTaskHeartbeat", "states:SendTaskSuccess"]
          resources = ["*"]
          condition = "none"
        }
      }
    })
    error_message = "A worker's role must hold exactly what its work takes."
  }
  assert {
    condition     = alltrue([for r in concat(values(module.http_role), values(module.worker_role)) : keys(r.policies) == ["work"]])
    error_message = "A service's roles must hold no other policy."
  }
}

run "servers_may_read_and_nothing_else" {
  command = apply

  assert {
    condition = jsonencode({
      for s in ["audio-analyzer", "video-analyzer"] : s => {
        for statement in jsondecode(module.http_role[s].policies["work"]).Statement : statement.Sid => {
          effect    = statement.Effect
          actions   = sort(flatten([statement.Action]))
          resources = sort(flatten([statement.Resource]))
          condition = try(jsonencode(statement.Condition), "none")
        }
      }
      }) == jsonencode({
      for s in ["audio-analyzer", "video-analyzer"] : s => {
        ReadMediaAndModels = {
          effect    = "Allow"
          actions   = ["s3:GetObject", "s3:GetObjectVersion"]
          resources = ["arn:aws:s3:::media/models/*", "arn:aws:s3:::media/uploads/*"]
          condition = "none"
        }
        TellMissingFromForbidden = {
          effect    = "Allow"
          actions   = ["s3:ListBucket"]
          resources = ["arn:aws:s3:::media"]
          condition = jsonencode({ StringLike = { "s3:prefix" = ["uploads/*", "models/*"] } })
        }
        OpenTheBucketsKey = {
          effect    = "Allow"
          actions   = ["kms:Decrypt"]
          resources = [aws_kms_key.data.arn]
          condition = jsonencode({ StringEquals = { "kms:ViaService" = "s3.ap-northeast-2.amazonaws.com" } })
        }
      }
    })
    error_message = "A server must neither touch a queue nor write anything."
  }
}

run "keda_may_only_count_messages" {
  command = apply

  assert {
    condition = { for name, policy in module.keda_role.policies : name => jsondecode(policy).Statement } == {
      queue-length = [{
        Effect   = "Allow"
        Action   = "sqs:GetQueueAttributes"
        Resource = ["arn:aws:sqs:ap-northeast-2:123456789012:silver-guardian-audio-analyzer", "arn:aws:sqs:ap-northeast-2:123456789012:silver-guardian-video-analyzer"]
      }]
    }
    error_message = "KEDA must be able to count the messages of both queues, and nothing more."
  }
}

run "autoscaler_may_only_scale_its_own_cluster" {
  command = apply

  assert {
    condition = one([
      for s in jsondecode(module.cluster_autoscaler_role.policies["scale-node-groups"]).Statement : s if s.Sid == "ScaleThisClustersGroups"
      ]) == {
      Sid       = "ScaleThisClustersGroups"
      Effect    = "Allow"
      Action    = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
      Resource  = "arn:aws:autoscaling:ap-northeast-2:123456789012:autoScalingGroup:*:autoScalingGroupName/*"
      Condition = { StringEquals = { "aws:ResourceTag/k8s.io/cluster-autoscaler/silver-guardian-cluster" = "owned" } }
    }
    error_message = "The autoscaler must change only groups that belong to this cluster."
  }
  assert {
    condition = alltrue(flatten([
      for s in jsondecode(module.cluster_autoscaler_role.policies["scale-node-groups"]).Statement : [
        for a in flatten([s.Action]) : can(regex("^(autoscaling|ec2|eks):(Describe|Get)", a)) || s.Sid == "ScaleThisClustersGroups"
      ]
    ]))
    error_message = "All else the autoscaler does must be reading."
  }
  assert {
    condition = one([
      for s in jsondecode(module.cluster_autoscaler_role.policies["scale-node-groups"]).Statement : s.Resource if s.Sid == "SeeNodeGroups"
    ]) == "arn:aws:eks:ap-northeast-2:123456789012:nodegroup/silver-guardian-cluster/*"
    error_message = "The autoscaler must see this cluster's node groups, and no other's."
  }
}

run "trust_follows_namespace_and_accounts" {
  command = apply

  variables {
    kubernetes_namespace = "guardian"
    service_accounts     = { audio-analyzer = { worker = "ears" } }
    keda_service_account = { namespace = "scaling", name = "keda" }
  }

  assert {
    condition     = strcontains(module.worker_role["audio-analyzer"].trust, "\"system:serviceaccount:guardian:ears\"") && strcontains(module.http_role["audio-analyzer"].trust, "\"system:serviceaccount:guardian:audio-analyzer\"") && strcontains(module.worker_role["video-analyzer"].trust, "\"system:serviceaccount:guardian:video-analyzer-worker\"")
    error_message = "Trust must follow kubernetes_namespace and service_accounts."
  }
  assert {
    condition     = strcontains(module.keda_role.trust, "\"system:serviceaccount:scaling:keda\"")
    error_message = "KEDA's trust must follow keda_service_account."
  }
}
