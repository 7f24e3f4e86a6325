variable "name" {
  description = "Name of the role."
  type        = string

  validation {
    condition     = length(var.name) <= 64
    error_message = "A role's name has at most 64 characters."
  }
}

variable "oidc_provider_arn" {
  description = "ARN of the cluster's identity provider."
  type        = string
}

variable "oidc_issuer" {
  description = "Issuer of the cluster's tokens, with or without https://."
  type        = string
}

variable "namespace" {
  description = "Namespace of the service account."
  type        = string
}

variable "service_account" {
  description = "Name of the service account."
  type        = string
}

variable "policies" {
  description = "Policy documents (JSON) by name."
  type        = map(string)
  default     = {}
}
