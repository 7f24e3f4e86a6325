# Services and their service accounts

variable "services" {
  description = "Names of the inference services: of their image repository, service account and role, and the end of their queue's name."
  type        = set(string)
  default     = ["audio-analyzer", "video-analyzer"]
  nullable    = false

  validation {
    condition     = length(var.services) > 0 && alltrue([for s in var.services : can(regex("^[a-z][a-z0-9-]{0,28}[a-z0-9]$", s))])
    error_message = "services must hold at least one name of 2 to 30 lower-case letters, digits and hyphens."
  }
}

variable "kubernetes_namespace" {
  description = "Namespace of the services. Only service accounts in it may take the services' roles."
  type        = string
  default     = "silver-guardian"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.kubernetes_namespace))
    error_message = "kubernetes_namespace must be a Kubernetes name, without wildcards."
  }
}

variable "service_accounts" {
  description = "Service accounts by service, where they do not bear the Deployments' names: the service's for its servers (http), and with -worker for its workers."
  type        = map(object({ http = optional(string), worker = optional(string) }))
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([
      for name in flatten([for a in values(var.service_accounts) : [for n in [a.http, a.worker] : n if n != null]]) :
      can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", name))
    ])
    error_message = "service_accounts must hold Kubernetes names, without wildcards."
  }

  validation {
    condition     = alltrue([for s in keys(var.service_accounts) : contains(var.services, s)])
    error_message = "service_accounts must only name services."
  }
}

variable "keda_service_account" {
  description = "Namespace and name of the service account KEDA's operator runs under."
  type        = object({ namespace = string, name = string })
  default     = { namespace = "keda", name = "keda-operator" }
  nullable    = false

  validation {
    condition     = alltrue([for v in values(var.keda_service_account) : can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", v))])
    error_message = "keda_service_account must hold Kubernetes names, without wildcards."
  }
}

variable "cluster_autoscaler_service_account" {
  description = "Namespace and name of the service account Cluster Autoscaler runs under."
  type        = object({ namespace = string, name = string })
  default     = { namespace = "kube-system", name = "cluster-autoscaler" }
  nullable    = false

  validation {
    condition     = alltrue([for v in values(var.cluster_autoscaler_service_account) : can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", v))])
    error_message = "cluster_autoscaler_service_account must hold Kubernetes names, without wildcards."
  }
}

# Bucket

variable "media_bucket_name" {
  description = "Name of the bucket for uploads, models and results. Null makes one of name_prefix, account and region, since bucket names are global."
  type        = string
  default     = null

  validation {
    condition     = var.media_bucket_name == null || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.media_bucket_name))
    error_message = "media_bucket_name must be 3 to 63 lower-case letters, digits and hyphens."
  }
}

variable "uploads_prefix" {
  description = "Prefix of uploaded media. Objects made under it become queue messages."
  type        = string
  default     = "uploads/"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9/_-]*/$", var.uploads_prefix))
    error_message = "uploads_prefix must end with / and hold no wildcard."
  }
}

variable "models_prefix" {
  description = "Prefix of model bundles."
  type        = string
  default     = "models/"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9/_-]*/$", var.models_prefix))
    error_message = "models_prefix must end with / and hold no wildcard."
  }
}

variable "results_prefix" {
  description = "Prefix of results. Apart from uploads_prefix, or each result would become a message."
  type        = string
  default     = "results/"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9/_-]*/$", var.results_prefix))
    error_message = "results_prefix must end with / and hold no wildcard."
  }

  validation {
    condition     = !startswith(var.results_prefix, var.uploads_prefix) && !startswith(var.uploads_prefix, var.results_prefix)
    error_message = "results_prefix and uploads_prefix must not lie in each other: each result would become a message, without end."
  }
}

variable "results_retention_days" {
  description = "Days that results are kept."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.results_retention_days >= 1
    error_message = "results_retention_days must be at least 1."
  }
}

variable "uploads_retention_days" {
  description = "Days that uploads are kept. 0 keeps them: how long media may be held is the platform's decision."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.uploads_retention_days >= 0
    error_message = "uploads_retention_days must not be negative."
  }
}

variable "noncurrent_version_retention_days" {
  description = "Days that overwritten and deleted versions are kept."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.noncurrent_version_retention_days >= 1
    error_message = "noncurrent_version_retention_days must be at least 1."
  }
}

variable "cors_allowed_origins" {
  description = "Web origins that may upload from a browser. Empty leaves CORS off."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for o in var.cors_allowed_origins : can(regex("^https://[^*/]+$", o))])
    error_message = "cors_allowed_origins must hold https origins without path or wildcard."
  }
}

variable "access_log_bucket" {
  description = "Bucket that receives the media bucket's access logs. Null leaves access logs to the account's CloudTrail."
  type        = string
  default     = null

  validation {
    condition     = var.access_log_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.access_log_bucket))
    error_message = "access_log_bucket must be a bucket's name."
  }
}

variable "force_destroy" {
  description = "Let terraform destroy delete the bucket's objects and the repositories' images. Set it, apply, then destroy."
  type        = bool
  default     = false
  nullable    = false
}

# Images

variable "ecr_untagged_days" {
  description = "Days after which untagged images are deleted."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.ecr_untagged_days >= 1
    error_message = "ecr_untagged_days must be at least 1."
  }
}

variable "ecr_keep_images" {
  description = "Images kept in each repository; older ones are deleted. They are the versions one can roll back to."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.ecr_keep_images >= 2
    error_message = "ecr_keep_images must be at least 2, or a rollback has nothing to go to."
  }
}

# Queues

variable "queue_visibility_timeout_seconds" {
  description = "Seconds that a message stays hidden after a worker took it. Workers extend it as they work, so it is how long work waits after a worker was killed."
  type        = number
  default     = 120
  nullable    = false

  validation {
    condition     = var.queue_visibility_timeout_seconds >= 30 && var.queue_visibility_timeout_seconds <= 43200
    error_message = "queue_visibility_timeout_seconds must be between 30 and 43200."
  }
}

variable "queue_retention_seconds" {
  description = "Seconds that a message waits for a worker before SQS drops it."
  type        = number
  default     = 345600
  nullable    = false

  validation {
    condition     = var.queue_retention_seconds >= 3600 && var.queue_retention_seconds <= 1209600
    error_message = "queue_retention_seconds must be between one hour (3600) and 14 days (1209600)."
  }
}

variable "queue_max_receive_count" {
  description = "Times a message is received before it goes to the dead-letter queue."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.queue_max_receive_count >= 2 && var.queue_max_receive_count <= 1000
    error_message = "queue_max_receive_count must be between 2 and 1000: at 1, a single Spot interruption is fatal."
  }
}

variable "alarm_topic_arn" {
  description = "SNS topic that is told when an alarm of the queues goes off, and when it is over. Null leaves the alarms on CloudWatch's page."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null || can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:.+$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be the ARN of an SNS topic."
  }
}

variable "alarm_queue_age_seconds" {
  description = "Seconds that the oldest message may wait before the alarm. From no node at all the first worker takes up to three minutes."
  type        = number
  default     = 900
  nullable    = false

  validation {
    condition     = var.alarm_queue_age_seconds >= 300 && var.alarm_queue_age_seconds < var.queue_retention_seconds
    error_message = "alarm_queue_age_seconds must be at least 300, which a cold start may take, and less than queue_retention_seconds."
  }
}

variable "dlq_retention_seconds" {
  description = "Seconds that a message stays in a dead-letter queue, counted from when it was first sent."
  type        = number
  default     = 1209600
  nullable    = false

  validation {
    condition     = var.dlq_retention_seconds > var.queue_retention_seconds && var.dlq_retention_seconds <= 1209600
    error_message = "dlq_retention_seconds must be longer than queue_retention_seconds (a message keeps its age when it moves) and at most 14 days (1209600)."
  }
}
