provider "aws" {
  region = var.region

  # An emulator has no instance metadata, no real credentials and no per-bucket host names.
  # Its address comes from AWS_ENDPOINT_URL.
  skip_credentials_validation = var.local
  skip_metadata_api_check     = var.local
  skip_region_validation      = var.local
  s3_use_path_style           = var.local

  default_tags {
    tags = local.tags
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  tags       = merge({ Project = var.name_prefix, ManagedBy = "terraform" }, var.tags)
}
