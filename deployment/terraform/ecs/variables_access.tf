variable "vpc_id" {
  description = "VPC of the deployment; the default VPC when null."
  type        = string
  default     = null
}

variable "subnet_ids" {
  description = "Subnets of tasks and instances, with a route to ECR, CloudWatch Logs and S3; those of the default VPC when empty."
  type        = list(string)
  default     = []
}

variable "alb_subnet_ids" {
  description = "Subnets of the load balancer, in two availability zones or more; subnet_ids when empty."
  type        = list(string)
  default     = []
}

# The default VPC's subnets are public and have no NAT gateway: a Fargate task without a public address could not even
# pull its image. Subnets of your own should have a NAT gateway or endpoints instead.
variable "assign_public_ip" {
  description = "Whether FARGATE tasks get public addresses; when null, only in the default VPC. ECS cannot do it on EC2."
  type        = bool
  default     = null
}

# On EC2 a task's own interface cannot have a public address, so in the default VPC this is its only route to S3.
variable "s3_endpoint" {
  description = "Whether the VPC gets a gateway endpoint for S3; when null, only for EC2 in the default VPC. Set false where the VPC has one; it reaches only buckets of the region."
  type        = bool
  default     = null
}

variable "internet_facing" {
  description = "Whether the load balancer is reached from the internet; otherwise only from the VPC and networks connected to it."
  type        = bool
  default     = false
}

variable "allowed_cidrs" {
  description = "IPv4 ranges that may call the load balancer; the VPC's own range when empty."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.allowed_cidrs : can(cidrnetmask(cidr))])
    error_message = "allowed_cidrs must be IPv4 ranges, e.g. 203.0.113.0/24."
  }
}

variable "certificate_arn" {
  description = "Certificate in ACM; with it the load balancer serves HTTPS and redirects HTTP."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null ? true : can(regex("^arn:aws[a-z-]*:(acm|iam):", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of a certificate in ACM or IAM."
  }
}

variable "allow_plain_http" {
  description = "Whether an internet-facing load balancer may serve HTTP, without a certificate."
  type        = bool
  default     = false
}

variable "api_keys_arn" {
  description = "Secret of Secrets Manager, or parameter of Parameter Store, that holds the setting API_KEYS; without it the service asks for no key."
  type        = string
  default     = null

  validation {
    condition     = var.api_keys_arn == null ? true : can(regex("^arn:aws[a-z-]*:(secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^:]+|ssm:[a-z0-9-]+:[0-9]{12}:parameter/.+)$", var.api_keys_arn))
    error_message = "api_keys_arn must be the ARN of a secret (arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME) or of a parameter (arn:aws:ssm:REGION:ACCOUNT:parameter/NAME)."
  }
}

variable "oidc" {
  description = "Identity provider at which the load balancer logs people in, with the endpoints of its discovery document; needs certificate_arn. The load balancer must reach the provider."
  type = object({
    issuer                 = string
    authorization_endpoint = string
    token_endpoint         = string
    user_info_endpoint     = string
    client_id              = string
  })
  default = null

  validation {
    condition     = var.oidc == null ? true : alltrue([for name, value in var.oidc : name == "client_id" || startswith(value, "https://")])
    error_message = "oidc must have https URLs as issuer, authorization_endpoint, token_endpoint and user_info_endpoint."
  }
}

variable "oidc_client_secret" {
  description = "Secret of the client oidc.client_id; set it by the environment variable TF_VAR_oidc_client_secret. Terraform's state contains it."
  type        = string
  default     = ""
  sensitive   = true
}

variable "web_acl_arn" {
  description = "Web ACL of AWS WAF (WAFv2, regional) that filters the requests to the load balancer."
  type        = string
  default     = null

  validation {
    condition     = var.web_acl_arn == null ? true : can(regex("^arn:aws[a-z-]*:wafv2:[a-z0-9-]+:[0-9]{12}:regional/webacl/.+$", var.web_acl_arn))
    error_message = "web_acl_arn must be the ARN of a regional web ACL: arn:aws:wafv2:REGION:ACCOUNT:regional/webacl/NAME/ID."
  }
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the load balancer; apply false before you destroy the deployment."
  type        = bool
  default     = false
}

variable "access_logs_bucket" {
  description = "S3 bucket for the load balancer's access logs, below the prefix deployment_name; its policy must allow Elastic Load Balancing to write. No access logs when null."
  type        = string
  default     = null

  validation {
    condition     = var.access_logs_bucket == null ? true : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.access_logs_bucket))
    error_message = "access_logs_bucket must be the name of a bucket: 3 to 63 lowercase letters, digits, dots and hyphens."
  }
}

variable "idle_timeout" {
  description = "Time without a byte after which the load balancer closes a connection, in seconds."
  type        = number
  default     = 60

  validation {
    condition     = var.idle_timeout >= 1 && var.idle_timeout <= 4000 && floor(var.idle_timeout) == var.idle_timeout
    error_message = "idle_timeout must be a whole number from 1 to 4000 (seconds)."
  }
}

variable "deregistration_delay" {
  description = "Time in which a task that is being removed may finish its requests, in seconds."
  type        = number
  default     = 30

  validation {
    condition     = var.deregistration_delay >= 0 && var.deregistration_delay <= 3600 && floor(var.deregistration_delay) == var.deregistration_delay
    error_message = "deregistration_delay must be a whole number from 0 to 3600 (seconds)."
  }
}

variable "page" {
  description = "Whether the load balancer forwards the page to try the service, GET /, and what shows the API, /docs."
  type        = bool
  default     = false
}
