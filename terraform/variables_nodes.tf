variable "node_release_version" {
  description = "AMI release of all nodes, such as 1.35.0-20261101. Null follows AWS's newest for kubernetes_version: a plan shows when there is one, and an apply rolls the nodes."
  type        = string
  default     = null

  validation {
    condition     = var.node_release_version == null || try(startswith(var.node_release_version, "${var.kubernetes_version}."), false)
    error_message = "node_release_version must be a release of kubernetes_version, such as 1.35.0-20261101."
  }
}

# Node group general: CoreDNS, KEDA, Cluster Autoscaler and whatever else is not inference

variable "general_instance_types" {
  description = "Instance types of the general node group."
  type        = list(string)
  default     = ["t3.medium"]
  nullable    = false

  validation {
    condition     = length(var.general_instance_types) > 0 && alltrue([for t in var.general_instance_types : can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", t))])
    error_message = "general_instance_types must hold at least one instance type, such as t3.medium."
  }
}

variable "general_min_size" {
  description = "Fewest nodes of the general node group, and its nodes at creation. Two are a spare for CoreDNS and KEDA: below that the autoscaler takes it. Raising it later: docs/terraform.md."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.general_min_size >= 1
    error_message = "general_min_size must be at least 1: CoreDNS has nowhere else to run."
  }
}

variable "general_max_size" {
  description = "Most nodes of the general node group."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.general_max_size >= var.general_min_size
    error_message = "general_max_size must be at least general_min_size."
  }
}

variable "general_disk_gib" {
  description = "Root disk of a general node, in GiB."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.general_disk_gib >= 20 && var.general_disk_gib <= 16384
    error_message = "general_disk_gib must be between 20 and 16384."
  }
}

# Node group ml_spot: the two services, and nothing else

variable "ml_spot_instance_types" {
  description = "Instance types of the Spot group, all x86-64. Several, because one type alone is interrupted more often; the smallest first, because Cluster Autoscaler sizes a new node by the first."
  type        = list(string)
  default     = ["c5.xlarge", "c5.2xlarge", "c5a.xlarge"]
  nullable    = false

  validation {
    condition     = length(var.ml_spot_instance_types) > 0 && alltrue([for t in var.ml_spot_instance_types : can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", t))])
    error_message = "ml_spot_instance_types must hold at least one instance type, such as c5.xlarge."
  }
}

variable "ml_spot_min_size" {
  description = "Fewest nodes of the Spot group, and its nodes at creation. 0 lets the bill of idle go to zero. Raising it later: docs/terraform.md."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.ml_spot_min_size >= 0
    error_message = "ml_spot_min_size must not be negative."
  }
}

variable "ml_spot_max_size" {
  description = "Most nodes of the Spot group: the ceiling of the bill."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.ml_spot_max_size >= 1 && var.ml_spot_max_size >= var.ml_spot_min_size
    error_message = "ml_spot_max_size must be at least 1 and at least ml_spot_min_size."
  }
}

variable "ml_spot_disk_gib" {
  description = "Root disk of a Spot node, in GiB: images, and the work files of every pod on it."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.ml_spot_disk_gib >= 20 && var.ml_spot_disk_gib <= 16384
    error_message = "ml_spot_disk_gib must be between 20 and 16384."
  }
}

variable "ml_spot_labels" {
  description = "Kubernetes labels of the Spot nodes. The chart's node selector names the same."
  type        = map(string)
  default     = { workload = "ml", nodeType = "spot" }
  nullable    = false

  validation {
    condition     = length(var.ml_spot_labels) > 0 && alltrue([for v in values(var.ml_spot_labels) : can(regex("^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$", v))])
    error_message = "ml_spot_labels must hold at least one label, with values Kubernetes accepts."
  }
}

variable "ml_spot_taint" {
  description = "Taint that keeps other workloads off the Spot nodes. The chart's toleration names the same."
  type        = object({ key = string, value = string, effect = string })
  default     = { key = "workload", value = "ml", effect = "NO_SCHEDULE" }
  nullable    = false

  validation {
    condition     = contains(["NO_SCHEDULE", "NO_EXECUTE", "PREFER_NO_SCHEDULE"], var.ml_spot_taint.effect)
    error_message = "ml_spot_taint.effect must be NO_SCHEDULE, NO_EXECUTE or PREFER_NO_SCHEDULE."
  }
}
