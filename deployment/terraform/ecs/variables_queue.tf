variable "queue" {
  description = "Whether an SQS queue takes every new object of the input bucket, and requests, for workers that answer them. Replaces all notifications of the bucket."
  type        = bool
  default     = false
}

variable "trigger_prefix" {
  description = "Prefix of the keys that queue watches."
  type        = string
  default     = ""
}

variable "trigger_suffix" {
  description = "Suffix of the keys that queue watches, e.g. .jpg."
  type        = string
  default     = ""
}

variable "max_receives" {
  description = "Times that a message is delivered before SQS moves it to the dead-letter queue."
  type        = number
  default     = 3

  validation {
    condition     = var.max_receives >= 1 && var.max_receives <= 1000 && floor(var.max_receives) == var.max_receives
    error_message = "max_receives must be a whole number from 1 to 1000."
  }
}

variable "min_workers" {
  description = "Lower bound of the number of workers. With 0 the first message after hours without any waits up to 15 minutes, the delay of CloudWatch's metrics for an inactive queue, and a task's start."
  type        = number
  default     = 0

  validation {
    condition     = var.min_workers >= 0 && floor(var.min_workers) == var.min_workers
    error_message = "min_workers must be a whole number of 0 or more."
  }
}

variable "max_workers" {
  description = "Upper bound of the number of workers; on EC2 max_instances must have room for them beside max_tasks."
  type        = number
  default     = 5

  validation {
    condition     = var.max_workers >= 1 && floor(var.max_workers) == var.max_workers
    error_message = "max_workers must be a whole number of 1 or more, and at least min_workers."
  }
}

variable "backlog_per_worker" {
  description = "Waiting messages for which there is one worker."
  type        = number
  default     = 100

  validation {
    condition     = var.backlog_per_worker >= 1 && floor(var.backlog_per_worker) == var.backlog_per_worker
    error_message = "backlog_per_worker must be a whole number of 1 or more."
  }
}

# On EC2 a task's own interface cannot have a public address, so in the default VPC this is its only route to SQS.
variable "sqs_endpoint" {
  description = "Whether the VPC gets an interface endpoint for SQS, billed per hour; when null, only for EC2 in the default VPC and with queue. Set false where the VPC has one that workers may use."
  type        = bool
  default     = null
}
