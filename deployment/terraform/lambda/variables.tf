variable "deployment_name" {
  description = "Prefix of the names of all resources."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.deployment_name))
    error_message = "deployment_name must have 2 to 24 lowercase letters, digits and hyphens, begin with a letter and not end with a hyphen."
  }
}

variable "region" {
  description = "AWS region of the deployment."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2,}(-[a-z]+)+-[0-9]+$", var.region))
    error_message = "region must be the name of an AWS region, e.g. eu-central-1."
  }
}

# The default is refused, so that Terraform prints the message below and does not ask for a value.
variable "image_uri" {
  description = "Image to run, by digest: repository@sha256:...; bentoctl build sets it."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.:_/-]*@sha256:[0-9a-f]{64}$", var.image_uri))
    error_message = "image_uri must name the image by digest (repository@sha256: and 64 hex digits), because a tag can move: run bentoctl build first, which sets it, or pass -var image_uri=..."
  }
}

variable "architecture" {
  description = "Processor that the image is built for: x86_64 or arm64."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be x86_64 or arm64."
  }
}

variable "input_bucket" {
  description = "Existing S3 bucket that the pictures are read from."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.input_bucket))
    error_message = "input_bucket must be the name of a bucket: 3 to 63 lowercase letters, digits, dots and hyphens."
  }
}

variable "output_bucket" {
  description = "Existing S3 bucket that the annotated pictures are written to."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.output_bucket))
    error_message = "output_bucket must be the name of a bucket: 3 to 63 lowercase letters, digits, dots and hyphens."
  }
}

variable "result_prefix" {
  description = "Prefix of the key of every annotated picture, e.g. annotated/; the service may write no other key."
  type        = string
  default     = ""

  # In a policy these characters would widen the permission to write.
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
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
}

variable "log_retention_days" {
  description = "Days that logs are kept; 0 keeps them for ever."
  type        = number
  default     = 14

  validation {
    condition     = contains([0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs offers: 0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "kms_key_arn" {
  description = "KMS key for the log groups, the function's environment and the queue of failed events; AWS's own keys when null. Its key policy must allow CloudWatch Logs to use it."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key: arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "bucket_kms_key_arns" {
  description = "KMS keys that encrypt the two buckets (SSE-KMS); the service may use them."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.bucket_kms_key_arns : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", arn))])
    error_message = "bucket_kms_key_arns must be ARNs of KMS keys: arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "alarm_actions" {
  description = "ARNs that alarms notify, e.g. of SNS topics."
  type        = list(string)
  default     = []
}

variable "dashboard" {
  description = "Whether a CloudWatch dashboard is created; AWS bills one above the first three of an account."
  type        = bool
  default     = true
}

variable "memory_size" {
  description = "Memory of an instance, in MB; processors come in proportion, 1769 MB being one."
  type        = number
  default     = 3000

  validation {
    condition     = var.memory_size >= 512 && var.memory_size <= 10240 && floor(var.memory_size) == var.memory_size
    error_message = "memory_size must be a whole number from 512 to 10240 (MB)."
  }
}

variable "timeout" {
  description = "Timeout of an invocation, in seconds; the HTTP API waits 30 at most."
  type        = number
  default     = 30

  validation {
    condition     = var.timeout >= 1 && var.timeout <= 900 && floor(var.timeout) == var.timeout
    error_message = "timeout must be a whole number from 1 to 900 (seconds)."
  }
}

variable "reserved_concurrency" {
  description = "Upper bound of simultaneous invocations; -1 sets none, 0 stops the function."
  type        = number
  default     = -1

  validation {
    condition     = var.reserved_concurrency >= -1 && floor(var.reserved_concurrency) == var.reserved_concurrency
    error_message = "reserved_concurrency must be a whole number: -1 (no limit), 0 (stopped) or more."
  }
}

variable "provisioned_concurrency" {
  description = "Instances that are kept warm and billed when idle too; 0 keeps none."
  type        = number
  default     = 0

  validation {
    condition     = var.provisioned_concurrency >= 0 && floor(var.provisioned_concurrency) == var.provisioned_concurrency
    error_message = "provisioned_concurrency must be a whole number: 0 (off) or more."
  }
}

variable "snap_start" {
  description = "Whether instances start from a snapshot, which AWS takes when a version is published; excludes provisioned concurrency."
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

variable "s3_trigger" {
  description = "Whether every new object of the input bucket starts the function. Replaces all notifications of the bucket."
  type        = bool
  default     = false
}

variable "trigger_prefix" {
  description = "Prefix of the keys that s3_trigger watches."
  type        = string
  default     = ""
}

variable "trigger_suffix" {
  description = "Suffix of the keys that s3_trigger watches, e.g. .jpg."
  type        = string
  default     = ""
}

variable "batch_operations" {
  description = "Whether jobs of S3 Batch Operations may call the function for objects of the input bucket; makes their role."
  type        = bool
  default     = false
}

variable "batch_prefix" {
  description = "Prefix in the output bucket of the manifests and reports of S3 Batch Operations; its jobs may read and write nothing else."
  type        = string
  default     = "batch-operations/"

  # In a policy these characters would widen the permissions.
  validation {
    condition     = can(regex("^[^/*?$][^*?$]*/$", var.batch_prefix))
    error_message = "batch_prefix must end with /, and neither begin with / nor contain *, ? or $."
  }
}

variable "alarm_duration_ms" {
  description = "p95 of the invocations' duration above which an alarm is raised, in milliseconds."
  type        = number
  default     = 10000

  validation {
    condition     = var.alarm_duration_ms >= 1 && floor(var.alarm_duration_ms) == var.alarm_duration_ms
    error_message = "alarm_duration_ms must be a whole number of at least 1 (milliseconds)."
  }
}
