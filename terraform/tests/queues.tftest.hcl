# One upload, one message in each service's queue.

mock_provider "aws" {
  source = "./tests/mocks"
}

override_resource {
  target = aws_sqs_queue.this["audio-analyzer"]
  values = { arn = "arn:aws:sqs:ap-northeast-2:123456789012:silver-guardian-audio-analyzer", url = "https://audio" }
}

override_resource {
  target = aws_sqs_queue.this["video-analyzer"]
  values = { arn = "arn:aws:sqs:ap-northeast-2:123456789012:silver-guardian-video-analyzer", url = "https://video" }
}

override_resource {
  target = aws_sqs_queue.dlq["audio-analyzer"]
  values = { arn = "arn:aws:sqs:ap-northeast-2:123456789012:silver-guardian-audio-analyzer-dlq", url = "https://audio-dlq" }
}

override_resource {
  target = aws_sqs_queue.dlq["video-analyzer"]
  values = { arn = "arn:aws:sqs:ap-northeast-2:123456789012:silver-guardian-video-analyzer-dlq", url = "https://video-dlq" }
}

run "each_service_has_a_queue_with_a_dead_letter_queue" {
  command = apply

  assert {
    condition     = { for k, q in aws_sqs_queue.this : k => q.name } == { audio-analyzer = "silver-guardian-audio-analyzer", video-analyzer = "silver-guardian-video-analyzer" }
    error_message = "Queues must be called silver-guardian-<service>."
  }
  assert {
    condition     = { for k, q in aws_sqs_queue.dlq : k => q.name } == { audio-analyzer = "silver-guardian-audio-analyzer-dlq", video-analyzer = "silver-guardian-video-analyzer-dlq" }
    error_message = "Dead-letter queues must be called silver-guardian-<service>-dlq."
  }
  assert {
    condition     = alltrue([for k, q in aws_sqs_queue.this : jsondecode(q.redrive_policy) == { deadLetterTargetArn = aws_sqs_queue.dlq[k].arn, maxReceiveCount = 5 }])
    error_message = "After 5 receives a message must go to its own service's dead-letter queue."
  }
  assert {
    condition = alltrue([for k, p in aws_sqs_queue_redrive_allow_policy.dlq :
      p.queue_url == aws_sqs_queue.dlq[k].url && jsondecode(p.redrive_allow_policy) == { redrivePermission = "byQueue", sourceQueueArns = [aws_sqs_queue.this[k].arn] }
    ]) && length(aws_sqs_queue_redrive_allow_policy.dlq) == 2
    error_message = "A dead-letter queue must take messages from its own queue only."
  }
  assert {
    condition     = alltrue([for q in concat(values(aws_sqs_queue.this), values(aws_sqs_queue.dlq)) : q.sqs_managed_sse_enabled])
    error_message = "Queues must be encrypted."
  }
  assert {
    condition     = alltrue([for q in values(aws_sqs_queue.this) : q.visibility_timeout_seconds == 120 && q.message_retention_seconds == 345600 && q.receive_wait_time_seconds == 20])
    error_message = "Queues must hide a message for 120 s, keep it 4 days and poll long."
  }
  assert {
    condition     = alltrue([for q in values(aws_sqs_queue.dlq) : q.message_retention_seconds == 1209600])
    error_message = "Dead letters must be kept for 14 days."
  }
}

run "an_upload_reaches_both_queues" {
  command = apply

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.uploads.event_pattern) == {
      source      = ["aws.s3"]
      detail-type = ["Object Created"]
      detail      = { bucket = { name = ["silver-guardian-media-123456789012-ap-northeast-2"] }, object = { key = [{ prefix = "uploads/" }] } }
    }
    error_message = "The rule must match objects made under uploads/ of our bucket, and nothing else."
  }
  assert {
    condition     = { for k, t in aws_cloudwatch_event_target.queue : k => t.arn } == { for k, q in aws_sqs_queue.this : k => q.arn } && length(aws_cloudwatch_event_target.queue) == 2
    error_message = "The rule must have both queues as targets."
  }
  assert {
    condition     = alltrue([for k, t in aws_cloudwatch_event_target.queue : t.rule == aws_cloudwatch_event_rule.uploads.name && t.dead_letter_config[0].arn == aws_sqs_queue.dlq[k].arn])
    error_message = "An event that cannot be delivered must end in the service's dead-letter queue."
  }
  assert {
    condition = alltrue(flatten([for pair in [[aws_sqs_queue_policy.this, aws_sqs_queue.this], [aws_sqs_queue_policy.dlq, aws_sqs_queue.dlq]] : [
      for k, p in pair[0] : p.queue_url == pair[1][k].url && jsondecode(p.policy).Statement[0] == {
        Sid       = "UploadsFromEventBridge"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = pair[1][k].arn
        Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.uploads.arn } }
      }
    ]]))
    error_message = "EventBridge must be allowed to send for our rule, and for no other."
  }
  assert {
    condition = alltrue(flatten([for pair in [[aws_sqs_queue_policy.this, aws_sqs_queue.this], [aws_sqs_queue_policy.dlq, aws_sqs_queue.dlq]] : [
      for k, p in pair[0] : slice(jsondecode(p.policy).Statement, 1, 2) == [{
        Sid       = "DenyPlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = pair[1][k].arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    ]]))
    error_message = "Plain HTTP must be refused."
  }
}

run "waiting_and_dead_messages_raise_an_alarm" {
  command = plan

  assert {
    condition = { for s, a in aws_cloudwatch_metric_alarm.queue_age : s => "${a.namespace} ${a.metric_name} ${a.dimensions.QueueName} ${a.statistic} ${a.comparison_operator} ${a.threshold} ${a.datapoints_to_alarm}x${a.period}" } == {
      for s in ["audio-analyzer", "video-analyzer"] : s => "AWS/SQS ApproximateAgeOfOldestMessage silver-guardian-${s} Maximum GreaterThanThreshold 900 5x60"
    }
    error_message = "Each queue must have an alarm on the age of its oldest message."
  }
  assert {
    condition = { for s, a in aws_cloudwatch_metric_alarm.dead_letters : s => "${a.namespace} ${a.metric_name} ${a.dimensions.QueueName} ${a.statistic} ${a.comparison_operator} ${a.threshold} ${a.evaluation_periods}x${a.period}" } == {
      for s in ["audio-analyzer", "video-analyzer"] : s => "AWS/SQS ApproximateNumberOfMessagesVisible silver-guardian-${s}-dlq Maximum GreaterThanThreshold 0 1x60"
    }
    error_message = "Each dead-letter queue must have an alarm on its first message."
  }
  assert {
    condition     = alltrue([for a in concat(values(aws_cloudwatch_metric_alarm.queue_age), values(aws_cloudwatch_metric_alarm.dead_letters)) : a.treat_missing_data == "notBreaching" && length(coalesce(a.alarm_actions, [])) == 0])
    error_message = "Unused queues report nothing and are no alarm; nobody is told unless asked."
  }
}

run "alarms_tell_the_topic" {
  command = plan

  variables {
    alarm_topic_arn         = "arn:aws:sns:ap-northeast-2:123456789012:on-call"
    alarm_queue_age_seconds = 1800
  }

  assert {
    condition     = alltrue([for a in concat(values(aws_cloudwatch_metric_alarm.queue_age), values(aws_cloudwatch_metric_alarm.dead_letters)) : a.alarm_actions == toset([var.alarm_topic_arn]) && a.ok_actions == toset([var.alarm_topic_arn])])
    error_message = "The topic must hear of the beginning and the end of each alarm."
  }
  assert {
    condition     = alltrue([for a in values(aws_cloudwatch_metric_alarm.queue_age) : a.threshold == 1800])
    error_message = "The age must follow its variable."
  }
}

run "names_follow_prefix_and_services" {
  command = plan

  variables {
    name_prefix      = "acme"
    services         = ["image-analyzer"]
    service_accounts = {}
    uploads_prefix   = "in/"
  }

  assert {
    condition     = aws_sqs_queue.this["image-analyzer"].name == "acme-image-analyzer" && aws_sqs_queue.dlq["image-analyzer"].name == "acme-image-analyzer-dlq"
    error_message = "Queue names must follow name_prefix and services."
  }
  assert {
    condition     = aws_ecr_repository.this["image-analyzer"].name == "image-analyzer" && output.service_accounts == { image-analyzer = { http = "image-analyzer", worker = "image-analyzer-worker" } }
    error_message = "Repositories and service accounts must follow services."
  }
  assert {
    condition     = strcontains(aws_cloudwatch_event_rule.uploads.event_pattern, "\"in/\"")
    error_message = "The rule must follow uploads_prefix."
  }
}
