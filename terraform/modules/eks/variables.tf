variable "cluster_name" {
  description = "Name of the cluster, and start of the names of its roles."
  type        = string
}

variable "partition" {
  description = "AWS partition. Passed in, since a data source here would wait for the network to be made."
  type        = string
}

variable "kubernetes_version" {
  description = "Kubernetes minor version of the control plane and the nodes."
  type        = string
}

variable "node_release_version" {
  description = "AMI release of the nodes. Null: the newest at the creation of each group, and that for ever."
  type        = string
  default     = null
}

variable "support_type" {
  description = "STANDARD or EXTENDED: what happens when standard support of the version ends."
  type        = string
}

variable "control_plane_subnet_ids" {
  description = "Private subnets for the control plane's interfaces, in two zones. EKS refuses others than those of the cluster's creation, so they are apart from the nodes'."
  type        = list(string)
}

variable "subnet_ids" {
  description = "Private subnets for the nodes."
  type        = list(string)
}

variable "public_access_cidrs" {
  description = "IPv4 ranges that may reach the API from outside the VPC. Empty closes the public endpoint."
  type        = list(string)
}

variable "cluster_creator_is_admin" {
  description = "Whether whoever creates the cluster becomes its administrator."
  type        = bool
}

variable "cluster_admin_arns" {
  description = "ARNs of further administrators."
  type        = set(string)
}

variable "log_types" {
  description = "Control-plane logs sent to CloudWatch."
  type        = set(string)
}

variable "log_retention_days" {
  description = "Days that control-plane logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "Key that encrypts Kubernetes secrets and the log group. Its policy must let CloudWatch Logs use it."
  type        = string
}

variable "addons" {
  description = "EKS add-ons by name. before_nodes installs one before the node groups. vpc-cni and the CSI drivers get a role."
  type = map(object({
    version       = optional(string)
    configuration = optional(string)
    before_nodes  = optional(bool, false)
  }))
}

variable "node_groups" {
  description = "Managed node groups by key. The group's AWS name begins with the key, with hyphens for underscores."
  type = map(object({
    capacity_type  = string
    instance_types = list(string)
    min_size       = number
    max_size       = number
    disk_gib       = number
    labels         = optional(map(string), {})
    taints         = optional(list(object({ key = string, value = string, effect = string })), [])
  }))

  validation {
    condition     = alltrue([for g in values(var.node_groups) : contains(["ON_DEMAND", "SPOT"], g.capacity_type)])
    error_message = "capacity_type must be ON_DEMAND or SPOT."
  }

  validation {
    condition     = anytrue([for g in values(var.node_groups) : length(g.taints) == 0 && g.min_size > 0])
    error_message = "One group must have no taint and at least one node, or CoreDNS has nowhere to run."
  }
}

variable "tags" {
  description = "Tags for the instances and disks, which the provider's default tags do not reach."
  type        = map(string)
}

variable "autoscaler_tags" {
  description = "Tell Cluster Autoscaler, by tags on the autoscaling groups, what a node will be like before the first exists."
  type        = bool
  default     = true
}
