variable "deployment_name" {
  description = "Put before the name of everything that is made."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.deployment_name))
    error_message = "deployment_name must have 2 to 24 lowercase letters, digits and hyphens, begin with a letter and not end with a hyphen."
  }
}

variable "region" {
  description = "AWS region to deploy to."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2,}(-[a-z]+)+-[0-9]+$", var.region))
    error_message = "region must be the name of an AWS region, e.g. eu-central-1."
  }
}

variable "image_uri" {
  description = "Image to run, named by its digest: repository@sha256:..."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.:_/-]*@sha256:[0-9a-f]{64}$", var.image_uri))
    error_message = "image_uri must name the image by digest (repository@sha256: and 64 hex digits): a tag may move between two deployments."
  }
}

variable "architecture" {
  description = "Processor the image was built for: x86_64 or arm64."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be x86_64 or arm64."
  }
}

variable "input_bucket" {
  description = "S3 bucket the pictures are read from; it must exist."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.input_bucket))
    error_message = "input_bucket must be the name of a bucket: 3 to 63 lowercase letters, digits, dots and hyphens."
  }
}

variable "output_bucket" {
  description = "S3 bucket the annotated pictures are written to; it must exist."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.output_bucket))
    error_message = "output_bucket must be the name of a bucket: 3 to 63 lowercase letters, digits, dots and hyphens."
  }
}

variable "result_prefix" {
  description = "Put before the key of every annotated picture, e.g. annotated/; nothing else may be written."
  type        = string
  default     = ""

  # In a policy these would widen what may be written.
  validation {
    condition     = !can(regex("[*?$]", var.result_prefix)) && !startswith(var.result_prefix, "/")
    error_message = "result_prefix must not begin with / nor contain *, ? or $."
  }
}

variable "env" {
  description = "Further settings of the service, as environment variables."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setintersection(keys(var.env), ["INPUT_BUCKET", "OUTPUT_BUCKET", "RESULT_PREFIX"])) == 0
    error_message = "env must not hold INPUT_BUCKET, OUTPUT_BUCKET or RESULT_PREFIX: set input_bucket, output_bucket and result_prefix, which the permissions follow."
  }
}

variable "tags" {
  description = "Tags of everything that is made."
  type        = map(string)
  default     = {}
}

variable "log_retention_days" {
  description = "Days that logs are kept; 0 keeps them for ever."
  type        = number
  default     = 14

  validation {
    condition     = contains([0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs knows: 0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "alarm_actions" {
  description = "ARNs that alarms notify, e.g. of SNS topics."
  type        = list(string)
  default     = []
}

variable "memory_size" {
  description = "MB of memory; processors come in proportion, 1769 MB being one."
  type        = number
  default     = 3000

  validation {
    condition     = var.memory_size >= 512 && var.memory_size <= 10240 && floor(var.memory_size) == var.memory_size
    error_message = "memory_size must be a whole number from 512 to 10240 (MB)."
  }
}

variable "timeout" {
  description = "Seconds an invocation may take; the HTTP API waits no longer than 30."
  type        = number
  default     = 30

  validation {
    condition     = var.timeout >= 1 && var.timeout <= 900 && floor(var.timeout) == var.timeout
    error_message = "timeout must be a whole number from 1 to 900 (seconds)."
  }
}

variable "reserved_concurrency" {
  description = "Most invocations at once; -1 sets no limit, 0 stops the function."
  type        = number
  default     = -1

  validation {
    condition     = var.reserved_concurrency >= -1
    error_message = "reserved_concurrency must be -1 (no limit), 0 (stopped) or more."
  }
}

variable "provisioned_concurrency" {
  description = "Instances kept warm, billed also when idle; 0 keeps none."
  type        = number
  default     = 0

  validation {
    condition     = var.provisioned_concurrency >= 0
    error_message = "provisioned_concurrency must be 0 (off) or more."
  }
}

variable "snap_start" {
  description = "Start from a snapshot taken when a version is published; not together with provisioned concurrency."
  type        = bool
  default     = false
}

variable "tracing_mode" {
  description = "X-Ray: PassThrough (off, AWS's default) or Active."
  type        = string
  default     = "PassThrough"

  validation {
    condition     = contains(["PassThrough", "Active"], var.tracing_mode)
    error_message = "tracing_mode must be PassThrough or Active."
  }
}

variable "throttling_rate_limit" {
  description = "Requests per second the HTTP API lets through in the long run."
  type        = number
  default     = 50

  validation {
    condition     = var.throttling_rate_limit >= 0.01
    error_message = "throttling_rate_limit must be at least 0.01 (requests per second)."
  }
}

variable "throttling_burst_limit" {
  description = "Requests the HTTP API lets through at once."
  type        = number
  default     = 100

  validation {
    condition     = var.throttling_burst_limit >= 1
    error_message = "throttling_burst_limit must be 1 or more."
  }
}

variable "authorizer" {
  description = "Who may call the HTTP API: NONE (anybody), AWS_IAM (signed requests) or JWT (tokens of jwt_issuer)."
  type        = string
  default     = "NONE"

  validation {
    condition     = contains(["NONE", "AWS_IAM", "JWT"], var.authorizer)
    error_message = "authorizer must be NONE, AWS_IAM or JWT."
  }
}

variable "jwt_issuer" {
  description = "Issuer whose tokens are accepted, an https URL; for authorizer JWT."
  type        = string
  default     = ""

  validation {
    condition     = var.jwt_issuer == "" || startswith(var.jwt_issuer, "https://")
    error_message = "jwt_issuer must be an https URL."
  }
}

variable "jwt_audience" {
  description = "Audiences one of which a token must name; for authorizer JWT."
  type        = list(string)
  default     = []
}

variable "s3_trigger" {
  description = "Answer every picture put into the input bucket. Replaces all notifications that the bucket has."
  type        = bool
  default     = false
}

variable "trigger_prefix" {
  description = "Begin of the keys that s3_trigger watches."
  type        = string
  default     = ""
}

variable "trigger_suffix" {
  description = "End of the keys that s3_trigger watches, e.g. .jpg."
  type        = string
  default     = ""
}

variable "alarm_duration_ms" {
  description = "An alarm is raised when one invocation in twenty takes longer, milliseconds."
  type        = number
  default     = 10000

  validation {
    condition     = var.alarm_duration_ms >= 1
    error_message = "alarm_duration_ms must be at least 1 (milliseconds)."
  }
}
