# The bucket for media and results, and the image repositories.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "bucket_is_private_encrypted_and_versioned" {
  command = apply

  assert {
    condition     = aws_s3_bucket.media.bucket == "silver-guardian-media-123456789012-ap-northeast-2"
    error_message = "The bucket's name must be unique: prefix, account and region."
  }
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.media.block_public_acls,
      aws_s3_bucket_public_access_block.media.block_public_policy,
      aws_s3_bucket_public_access_block.media.ignore_public_acls,
      aws_s3_bucket_public_access_block.media.restrict_public_buckets,
    ])
    error_message = "Public access must be blocked in all four ways."
  }
  assert {
    condition     = aws_s3_bucket_ownership_controls.media.rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "ACLs must be off."
  }
  assert {
    condition     = aws_s3_bucket_versioning.media.versioning_configuration[0].status == "Enabled"
    error_message = "The bucket must be versioned."
  }
  assert {
    condition = alltrue([for r in aws_s3_bucket_server_side_encryption_configuration.media.rule :
      r.bucket_key_enabled && r.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" && r.apply_server_side_encryption_by_default[0].kms_master_key_id == aws_kms_key.data.arn
    ])
    error_message = "The bucket must be encrypted with our key, by a bucket key."
  }
  assert {
    condition     = jsondecode(aws_s3_bucket_policy.media.policy).Statement[0] == { Sid = "DenyPlainHttp", Effect = "Deny", Principal = "*", Action = "s3:*", Resource = ["arn:aws:s3:::media", "arn:aws:s3:::media/*"], Condition = { Bool = { "aws:SecureTransport" = "false" } } }
    error_message = "Plain HTTP must be refused, for the bucket and its objects."
  }
  assert {
    condition     = slice(jsondecode(aws_s3_bucket_policy.media.policy).Statement, 1, length(jsondecode(aws_s3_bucket_policy.media.policy).Statement)) == [{ Sid = "DenyReplacingResults", Effect = "Deny", Principal = "*", Action = "s3:PutObject", Resource = "arn:aws:s3:::media/results/*", Condition = { Null = { "s3:if-none-match" = "true" } } }]
    error_message = "A result must be written with If-None-Match only, and the policy must say nothing else."
  }
  assert {
    condition     = !aws_s3_bucket.media.force_destroy
    error_message = "Destroying must not take people's media along unasked."
  }
  assert {
    condition     = aws_s3_bucket_notification.media.eventbridge
    error_message = "Uploads must become events."
  }
}

run "lifecycle_expires_results_and_leftovers_only" {
  command = plan

  assert {
    condition     = { for r in aws_s3_bucket_lifecycle_configuration.media.rule : r.id => r.status } == { results = "Enabled", leftovers = "Enabled" }
    error_message = "By default results and leftovers must expire, and uploads must not."
  }
  assert {
    condition     = one([for r in aws_s3_bucket_lifecycle_configuration.media.rule : "${r.filter[0].prefix} ${r.expiration[0].days}" if r.id == "results"]) == "results/ 90"
    error_message = "Results must expire after 90 days, and nothing but results."
  }
  assert {
    condition = one([for r in aws_s3_bucket_lifecycle_configuration.media.rule :
      r.noncurrent_version_expiration[0].noncurrent_days == 30 && r.abort_incomplete_multipart_upload[0].days_after_initiation == 7 if r.id == "leftovers"
    ])
    error_message = "Old versions must go after 30 days and unfinished uploads after 7."
  }
  assert {
    condition     = length(aws_s3_bucket_cors_configuration.media) == 0
    error_message = "CORS must be off by default."
  }
}

run "retention_and_cors_follow_their_variables" {
  command = plan

  variables {
    uploads_retention_days = 14
    results_retention_days = 7
    cors_allowed_origins   = ["https://app.example.com"]
    access_log_bucket      = "logs-of-the-account"
    force_destroy          = true
  }

  assert {
    condition     = one([for r in aws_s3_bucket_lifecycle_configuration.media.rule : "${r.filter[0].prefix} ${r.expiration[0].days}" if r.id == "uploads"]) == "uploads/ 14"
    error_message = "Uploads must expire when asked to."
  }
  assert {
    condition     = one([for r in aws_s3_bucket_lifecycle_configuration.media.rule : r.expiration[0].days if r.id == "results"]) == 7
    error_message = "Results must expire when asked to."
  }
  assert {
    condition     = one([for r in aws_s3_bucket_cors_configuration.media[0].cors_rule : r.allowed_origins]) == toset(["https://app.example.com"])
    error_message = "CORS must be open to the origins given, and to no other."
  }
  assert {
    condition     = aws_s3_bucket_logging.media[0].target_bucket == "logs-of-the-account"
    error_message = "Access logs must go where asked."
  }
  assert {
    condition     = aws_s3_bucket.media.force_destroy && alltrue([for r in values(aws_ecr_repository.this) : r.force_delete])
    error_message = "force_destroy must reach the bucket and the repositories."
  }
}

run "repositories_scan_keep_tags_and_clean_up" {
  command = apply

  assert {
    condition     = toset([for r in aws_ecr_repository.this : r.name]) == toset(["audio-analyzer", "video-analyzer"])
    error_message = "The repositories must be audio-analyzer and video-analyzer."
  }
  assert {
    condition     = alltrue([for r in values(aws_ecr_repository.this) : r.image_scanning_configuration[0].scan_on_push])
    error_message = "Images must be scanned on push."
  }
  assert {
    condition     = alltrue([for r in values(aws_ecr_repository.this) : r.image_tag_mutability == "IMMUTABLE"])
    error_message = "A tag must never move."
  }
  assert {
    condition     = alltrue([for r in values(aws_ecr_repository.this) : r.encryption_configuration[0].encryption_type == "KMS" && r.encryption_configuration[0].kms_key == aws_kms_key.data.arn && !r.force_delete])
    error_message = "Images must be encrypted with our key and outlive an unasked destroy."
  }
  assert {
    condition = alltrue([for p in values(aws_ecr_lifecycle_policy.this) :
      [for r in jsondecode(p.policy).rules : "${r.rulePriority} ${r.selection.tagStatus} ${r.selection.countType} ${r.selection.countNumber} ${r.action.type}"] == ["1 untagged sinceImagePushed 7 expire", "2 any imageCountMoreThan 30 expire"]
    ])
    error_message = "Untagged images must go after 7 days, and all but the newest 30."
  }
}
