variable "deployment_name" {
  description = "Prefix of the names of all resources."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.deployment_name))
    error_message = "deployment_name must have 2 to 24 lowercase letters, digits and hyphens, begin with a letter and not end with a hyphen."
  }

  validation {
    condition     = !can(regex("^(aws|ecs|fargate|internal-|sg-)", var.deployment_name))
    error_message = "deployment_name must not begin with aws, ecs, fargate, internal- or sg-: AWS reserves these names."
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

# As with image_uri, the default is refused.
variable "repository_arn" {
  description = "ARN of the image's ECR repository, the only one that tasks may pull from; bentoctl build sets it."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:ecr:[a-z0-9-]+:[0-9]{12}:repository/.+$", var.repository_arn))
    error_message = "repository_arn must be the ARN of an ECR repository (arn:aws:ecr:REGION:ACCOUNT:repository/NAME): run bentoctl build first, which sets it, or pass -var repository_arn=..."
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
    condition     = length(setintersection(keys(var.env), ["API_KEYS", "INPUT_BUCKET", "OUTPUT_BUCKET", "QUEUE_URL", "RESULT_PREFIX"])) == 0
    error_message = "env must not hold API_KEYS, INPUT_BUCKET, OUTPUT_BUCKET, QUEUE_URL or RESULT_PREFIX: set api_keys_arn, input_bucket, output_bucket, queue and result_prefix, which the permissions follow."
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
  description = "KMS key for the log group, the instances' volumes, the secret of api_keys_arn and the queues; AWS's own keys when null. Its key policy must allow CloudWatch Logs, the role AWSServiceRoleForAutoScaling and, with queue, s3.amazonaws.com to use it."
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

variable "alarms" {
  description = "Whether alarms are created."
  type        = bool
  default     = true
}

variable "alarm_5xx_count" {
  description = "5xx responses within five minutes above which an alarm is raised."
  type        = number
  default     = 5

  validation {
    condition     = var.alarm_5xx_count >= 0 && floor(var.alarm_5xx_count) == var.alarm_5xx_count
    error_message = "alarm_5xx_count must be a whole number of 0 or more."
  }
}
