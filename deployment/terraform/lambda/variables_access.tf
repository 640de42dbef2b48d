variable "authorizer" {
  description = "Authentication of the HTTP API: AWS_IAM (signed requests), JWT (tokens of jwt_issuer) or NONE (open to everybody)."
  type        = string
  default     = "AWS_IAM"

  validation {
    condition     = contains(["NONE", "AWS_IAM", "JWT"], var.authorizer)
    error_message = "authorizer must be NONE, AWS_IAM or JWT."
  }
}

variable "jwt_issuer" {
  description = "Issuer of the accepted tokens, an https URL; for authorizer JWT."
  type        = string
  default     = ""

  validation {
    condition     = var.jwt_issuer == "" || startswith(var.jwt_issuer, "https://")
    error_message = "jwt_issuer must be an https URL."
  }
}

variable "jwt_audience" {
  description = "Accepted audiences of a token; for authorizer JWT."
  type        = list(string)
  default     = []
}

variable "throttling_rate_limit" {
  description = "Mean rate of requests that the HTTP API lets through, per second."
  type        = number
  default     = 50

  validation {
    condition     = var.throttling_rate_limit >= 0.01
    error_message = "throttling_rate_limit must be at least 0.01 (requests per second)."
  }
}

variable "throttling_burst_limit" {
  description = "Simultaneous requests that the HTTP API lets through."
  type        = number
  default     = 100

  validation {
    condition     = var.throttling_burst_limit >= 1 && floor(var.throttling_burst_limit) == var.throttling_burst_limit
    error_message = "throttling_burst_limit must be a whole number of 1 or more."
  }
}

variable "page" {
  description = "Whether everybody who reaches the HTTP API can open the page to try the service, GET /; not with authorizer AWS_IAM."
  type        = bool
  default     = false
}
