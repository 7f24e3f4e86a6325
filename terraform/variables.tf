# General

variable "region" {
  description = "AWS region everything is made in."
  type        = string
  default     = "ap-northeast-2"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region's code, such as ap-northeast-2."
  }
}

variable "local" {
  description = "Talk to an emulator (AWS_ENDPOINT_URL) instead of AWS: sets the provider's flags and leaves out what the emulator lacks (cluster add-ons, autoscaling group tags, redrive allow policies). Never set it for a real account."
  type        = bool
  default     = false
  nullable    = false
}

variable "name_prefix" {
  description = "Start of the names of queues, roles, the VPC, the bucket and the event rule."
  type        = string
  default     = "silver-guardian"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", var.name_prefix))
    error_message = "name_prefix must be 3 to 24 lower-case letters, digits and hyphens, so that role and bucket names stay within AWS's limits."
  }
}

variable "tags" {
  description = "Tags for every resource, next to Project and ManagedBy."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for k in keys(var.tags) : !startswith(lower(k), "aws:")])
    error_message = "tags must not start with aws:, which AWS keeps for itself."
  }
}

variable "kms_deletion_window_days" {
  description = "Days between the destruction of a KMS key and the point of no return."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.kms_deletion_window_days >= 7 && var.kms_deletion_window_days <= 30
    error_message = "kms_deletion_window_days must be between 7 and 30."
  }
}

variable "log_retention_days" {
  description = "Days that control-plane logs and VPC flow logs are kept."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of the values that CloudWatch Logs accepts, such as 30, 90 or 365."
  }
}

# Network

variable "vpc_cidr" {
  description = "IPv4 range of the VPC. Each zone gets a private subnet of 1/16 and a public subnet of 1/256 of it."
  type        = string
  default     = "10.40.0.0/16"
  nullable    = false

  validation {
    condition     = can(cidrnetmask(var.vpc_cidr)) && try(tonumber(split("/", var.vpc_cidr)[1]), 0) >= 16 && try(tonumber(split("/", var.vpc_cidr)[1]), 99) <= 20
    error_message = "vpc_cidr must be an IPv4 range between /16 and /20: pods take their addresses from it."
  }
}

variable "availability_zones" {
  description = "The zones of the VPC, two or more. Pick zones that offer every ML instance type: each further one is another pool of Spot capacity."
  type        = list(string)
  default     = ["ap-northeast-2a", "ap-northeast-2c"]
  nullable    = false

  validation {
    condition     = length(distinct(var.availability_zones)) == length(var.availability_zones) && length(var.availability_zones) >= 2 && length(var.availability_zones) <= 6
    error_message = "availability_zones must name two to six different zones: EKS wants two, and the VPC has subnets for six."
  }

  validation {
    condition     = alltrue([for z in var.availability_zones : startswith(z, var.region)])
    error_message = "availability_zones must lie in region: set both together."
  }
}

variable "nat_gateway_per_zone" {
  description = "One NAT gateway in each zone instead of a shared one. What has no endpoint goes through it (STS and so every role of a pod, EC2, Auto Scaling, and by default ECR and SQS): while the zone of a shared one is lost, running work cannot reach AWS and nothing new starts."
  type        = bool
  default     = false
  nullable    = false
}

variable "interface_endpoints" {
  description = "AWS services reached by interface endpoints instead of NAT, such as sts, sqs, ecr.api, ecr.dkr, ec2, autoscaling and eks. Each costs by the hour in each zone, and saves NAT's price by the GB (docs/cost.md). Media and image layers use the free S3 gateway endpoint either way."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for s in var.interface_endpoints : can(regex("^[a-z0-9][a-z0-9.-]*[a-z0-9]$", s)) && s != "s3"])
    error_message = "interface_endpoints must hold services' names as in com.amazonaws.REGION.NAME, such as sts; S3 has its gateway endpoint already."
  }
}

# Cluster

variable "cluster_name" {
  description = "Name of the EKS cluster."
  type        = string
  default     = "silver-guardian-cluster"
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9][a-zA-Z0-9-]{0,48}$", var.cluster_name))
    error_message = "cluster_name must be 1 to 49 letters, digits and hyphens and start with a letter or digit."
  }
}

variable "kubernetes_version" {
  description = "Kubernetes minor version of the control plane and the nodes. 1.35 is in EKS standard support until 27 March 2027."
  type        = string
  default     = "1.35"
  nullable    = false

  validation {
    condition     = can(regex("^1\\.(29|[3-9][0-9])$", var.kubernetes_version))
    error_message = "kubernetes_version must be a minor version of 1.29 or later, such as 1.35."
  }
}

variable "kubernetes_support_type" {
  description = "STANDARD lets AWS upgrade the control plane when standard support ends; EXTENDED keeps the version at six times the hourly price."
  type        = string
  default     = "STANDARD"
  nullable    = false

  validation {
    condition     = contains(["STANDARD", "EXTENDED"], var.kubernetes_support_type)
    error_message = "kubernetes_support_type must be STANDARD or EXTENDED."
  }
}

variable "cluster_endpoint_public_access_cidrs" {
  description = "IPv4 ranges that may reach the Kubernetes API from outside the VPC, such as an office or a CI runner. Empty keeps the API inside the VPC."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for c in var.cluster_endpoint_public_access_cidrs : can(cidrnetmask(c)) && !endswith(c, "/0")])
    error_message = "cluster_endpoint_public_access_cidrs must hold IPv4 ranges, and not the whole internet."
  }
}

variable "cluster_creator_is_admin" {
  description = "Whether whoever creates the cluster becomes its administrator. Read at creation only."
  type        = bool
  default     = true
  nullable    = false
}

variable "cluster_admin_arns" {
  description = "ARNs of further IAM roles or users that administer the cluster."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for a in var.cluster_admin_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/.+$", a))])
    error_message = "cluster_admin_arns must hold ARNs of IAM roles or users."
  }
}

variable "cluster_log_types" {
  description = "Control-plane logs sent to CloudWatch."
  type        = set(string)
  default     = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
  nullable    = false

  validation {
    condition     = alltrue([for t in var.cluster_log_types : contains(["api", "audit", "authenticator", "controllerManager", "scheduler"], t)])
    error_message = "cluster_log_types must be among api, audit, authenticator, controllerManager and scheduler."
  }
}

variable "addon_versions" {
  description = "Versions that EKS add-ons are held at, by name. An add-on not named here follows the newest version for kubernetes_version: a plan shows when there is one."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for n in keys(var.addon_versions) : contains(concat(["vpc-cni", "kube-proxy", "coredns", "metrics-server"], tolist(var.csi_drivers)), n)])
    error_message = "addon_versions knows vpc-cni, kube-proxy, coredns, metrics-server, and what csi_drivers holds."
  }
}

variable "csi_drivers" {
  description = "EKS add-ons for volumes: aws-ebs-csi-driver, aws-efs-csi-driver. Needed where a model bundle lies on a volume (model.source: pvc); without one no claim is ever bound."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for d in var.csi_drivers : contains(["aws-ebs-csi-driver", "aws-efs-csi-driver"], d)])
    error_message = "csi_drivers knows aws-ebs-csi-driver and aws-efs-csi-driver."
  }
}
