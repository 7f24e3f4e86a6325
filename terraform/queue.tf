# An upload becomes one message in each service's queue.
#
# EventBridge stands between, since S3 refuses two notifications on one prefix. The queues are encrypted
# with SQS's own keys: messages name objects and hold no media, and EventBridge's use of a customer key
# could not be limited to our rule.

resource "aws_sqs_queue" "dlq" {
  for_each = var.services

  name                      = "${var.name_prefix}-${each.key}-dlq"
  message_retention_seconds = var.dlq_retention_seconds
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue" "this" {
  for_each = var.services

  name                       = "${var.name_prefix}-${each.key}"
  visibility_timeout_seconds = var.queue_visibility_timeout_seconds
  message_retention_seconds  = var.queue_retention_seconds
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dlq[each.key].arn
    maxReceiveCount     = var.queue_max_receive_count
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "dlq" {
  # The emulator has none.
  for_each = var.local ? [] : var.services

  queue_url = aws_sqs_queue.dlq[each.key].url
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.this[each.key].arn]
  })
}

resource "aws_cloudwatch_event_rule" "uploads" {
  name        = "${var.name_prefix}-uploads"
  description = "Objects made under ${var.uploads_prefix} of the media bucket"
  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    detail = {
      bucket = { name = [aws_s3_bucket.media.bucket] }
      object = { key = [{ prefix = var.uploads_prefix }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "queue" {
  for_each = var.services

  rule      = aws_cloudwatch_event_rule.uploads.name
  target_id = each.key
  arn       = aws_sqs_queue.this[each.key].arn

  # Where an event goes that EventBridge cannot deliver for a day.
  dead_letter_config {
    arn = aws_sqs_queue.dlq[each.key].arn
  }

  depends_on = [aws_sqs_queue_policy.this, aws_sqs_queue_policy.dlq]
}

resource "aws_sqs_queue_policy" "this" {
  for_each = var.services

  queue_url = aws_sqs_queue.this[each.key].url
  policy    = local.queue_policies[each.key].queue
}

resource "aws_sqs_queue_policy" "dlq" {
  for_each = var.services

  queue_url = aws_sqs_queue.dlq[each.key].url
  policy    = local.queue_policies[each.key].dlq
}

locals {
  queue_policies = {
    for s in var.services : s => {
      for kind, arn in { queue = aws_sqs_queue.this[s].arn, dlq = aws_sqs_queue.dlq[s].arn } : kind => jsonencode({
        Version = "2012-10-17"
        Statement = [
          {
            Sid       = "UploadsFromEventBridge"
            Effect    = "Allow"
            Principal = { Service = "events.amazonaws.com" }
            Action    = "sqs:SendMessage"
            Resource  = arn
            Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.uploads.arn } }
          },
          {
            Sid       = "DenyPlainHttp"
            Effect    = "Deny"
            Principal = "*"
            Action    = "sqs:*"
            Resource  = arn
            Condition = { Bool = { "aws:SecureTransport" = "false" } }
          },
        ]
      })
    }
  }
}
