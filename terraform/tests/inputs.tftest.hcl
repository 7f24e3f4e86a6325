# Inputs that must be refused. A run passes only if every variable it lists refuses its value.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "malformed_names_are_refused" {
  command = plan

  variables {
    name_prefix          = "Silver Guardian"
    cluster_name         = "silver_guardian"
    kubernetes_version   = "1.9"
    media_bucket_name    = "Media_Bucket"
    access_log_bucket    = "No Bucket"
    kubernetes_namespace = "*"
    uploads_prefix       = "uploads"
    models_prefix        = "*/"
    tags                 = { "aws:reserved" = "x" }
    addon_versions       = { ebs = "v1" }
    availability_zones   = ["ap-northeast-2a", "ap-northeast-2a"]
  }

  expect_failures = [
    var.name_prefix,
    var.cluster_name,
    var.kubernetes_version,
    var.media_bucket_name,
    var.access_log_bucket,
    var.kubernetes_namespace,
    var.uploads_prefix,
    var.models_prefix,
    var.tags,
    var.addon_versions,
    var.availability_zones,
  ]
}

run "malformed_network_is_refused" {
  command = plan

  variables {
    region                               = "seoul"
    vpc_cidr                             = "10.0.0.0/28"
    interface_endpoints                  = ["s3"]
    cluster_endpoint_public_access_cidrs = ["0.0.0.0/0"]
    cluster_admin_arns                   = ["admin"]
    cors_allowed_origins                 = ["*"]
  }

  expect_failures = [
    var.region,
    var.vpc_cidr,
    var.interface_endpoints,
    var.cluster_endpoint_public_access_cidrs,
    var.cluster_admin_arns,
    var.cors_allowed_origins,
  ]
}

run "zones_of_another_region_are_refused" {
  command = plan

  variables {
    region = "eu-west-1"
  }

  expect_failures = [var.availability_zones]
}

run "senseless_sizes_are_refused" {
  command = plan

  variables {
    general_instance_types = ["medium"]
    general_min_size       = 0
    general_disk_gib       = 5
    ml_spot_instance_types = []
    ml_spot_min_size       = -1
    ml_spot_disk_gib       = 5
    ml_spot_labels         = { workload = "m l" }
    ml_spot_taint          = { key = "workload", value = "ml", effect = "NoSchedule" }
  }

  expect_failures = [
    var.general_instance_types,
    var.general_min_size,
    var.general_disk_gib,
    var.ml_spot_instance_types,
    var.ml_spot_min_size,
    var.ml_spot_disk_gib,
    var.ml_spot_labels,
    var.ml_spot_taint,
  ]
}

run "ceilings_below_floors_are_refused" {
  command = plan

  variables {
    general_min_size = 2
    general_max_size = 1
    ml_spot_max_size = 0
  }

  expect_failures = [
    var.general_max_size,
    var.ml_spot_max_size,
  ]
}

run "a_floor_alone_can_be_raised" {
  command = plan

  variables {
    ml_spot_min_size = 2
  }

  assert {
    condition     = module.eks.node_groups["ml_spot"].scaling_config[0].desired_size == 2
    error_message = "A group must begin with its fewest nodes, or AWS refuses it."
  }
}

run "seven_zones_are_refused" {
  command = plan

  variables {
    availability_zones = [for z in ["a", "b", "c", "d", "e", "f", "g"] : "ap-northeast-2${z}"]
  }

  expect_failures = [var.availability_zones]
}

run "one_zone_is_refused" {
  command = plan

  variables {
    availability_zones = ["ap-northeast-2a"]
  }

  expect_failures = [var.availability_zones]
}

run "unknown_drivers_and_releases_of_another_version_are_refused" {
  command = plan

  variables {
    csi_drivers          = ["ebs"]
    node_release_version = "1.34.2-20260901"
  }

  expect_failures = [
    var.csi_drivers,
    var.node_release_version,
  ]
}

run "alarms_that_cannot_work_are_refused" {
  command = plan

  variables {
    alarm_topic_arn         = "on-call"
    alarm_queue_age_seconds = 60
  }

  expect_failures = [
    var.alarm_topic_arn,
    var.alarm_queue_age_seconds,
  ]
}

run "senseless_services_are_refused" {
  command = plan

  variables {
    services                           = ["Audio Analyzer"]
    keda_service_account               = { namespace = "*", name = "keda" }
    cluster_autoscaler_service_account = { namespace = "kube-system", name = "*" }
  }

  expect_failures = [
    var.services,
    var.keda_service_account,
    var.cluster_autoscaler_service_account,
  ]
}

run "senseless_times_are_refused" {
  command = plan

  variables {
    kubernetes_support_type           = "FOREVER"
    cluster_log_types                 = ["kubelet"]
    log_retention_days                = 100
    kms_deletion_window_days          = 1
    results_retention_days            = 0
    uploads_retention_days            = -1
    noncurrent_version_retention_days = 0
    ecr_untagged_days                 = 0
    ecr_keep_images                   = 1
    queue_visibility_timeout_seconds  = 5
    queue_retention_seconds           = 60
    queue_max_receive_count           = 1
  }

  expect_failures = [
    var.kubernetes_support_type,
    var.cluster_log_types,
    var.log_retention_days,
    var.kms_deletion_window_days,
    var.results_retention_days,
    var.uploads_retention_days,
    var.noncurrent_version_retention_days,
    var.ecr_untagged_days,
    var.ecr_keep_images,
    var.queue_visibility_timeout_seconds,
    var.queue_retention_seconds,
    var.queue_max_receive_count,
  ]
}

run "dead_letters_must_outlive_messages" {
  command = plan

  variables {
    queue_retention_seconds = 1209600
  }

  expect_failures = [var.dlq_retention_seconds]
}

run "results_among_uploads_and_accounts_of_no_service_are_refused" {
  command = plan

  variables {
    results_prefix   = "uploads/results/"
    service_accounts = { translator = { http = "translator" } }
  }

  expect_failures = [
    var.results_prefix,
    var.service_accounts,
  ]
}

run "wildcards_in_accounts_are_refused" {
  command = plan

  variables {
    service_accounts = { audio-analyzer = { worker = "*" } }
    results_prefix   = "results"
  }

  expect_failures = [
    var.service_accounts,
    var.results_prefix,
  ]
}
