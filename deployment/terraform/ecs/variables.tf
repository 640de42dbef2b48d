variable "deployment_name" {
  description = "Put before the name of everything that is made."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.deployment_name))
    error_message = "deployment_name must have 2 to 24 lowercase letters, digits and hyphens, begin with a letter and not end with a hyphen."
  }

  validation {
    condition     = !can(regex("^(aws|ecs|fargate|internal-|sg-)", var.deployment_name))
    error_message = "deployment_name must not begin with aws, ecs, fargate, internal- or sg-: AWS keeps these names for itself."
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

variable "alarms" {
  description = "Whether alarms are made."
  type        = bool
  default     = true
}

variable "alarm_5xx_count" {
  description = "An alarm is raised when more answers than these are 5xx within five minutes."
  type        = number
  default     = 5

  validation {
    condition     = var.alarm_5xx_count >= 0
    error_message = "alarm_5xx_count must be 0 or more."
  }
}

variable "repository_arn" {
  description = "ARN of the ECR repository of the image; nothing else may be pulled."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:ecr:[a-z0-9-]+:[0-9]{12}:repository/.+$", var.repository_arn))
    error_message = "repository_arn must be the ARN of an ECR repository: arn:aws:ecr:REGION:ACCOUNT:repository/NAME."
  }
}

variable "launch_type" {
  description = "Where tasks run: EC2 (instances of this module's auto-scaling group) or FARGATE."
  type        = string
  default     = "EC2"

  validation {
    condition     = contains(["EC2", "FARGATE"], var.launch_type)
    error_message = "launch_type must be EC2 or FARGATE."
  }
}

variable "container_insights" {
  description = "CloudWatch Container Insights: disabled, enabled or enhanced; billed per metric."
  type        = string
  default     = "enabled"

  validation {
    condition     = contains(["disabled", "enabled", "enhanced"], var.container_insights)
    error_message = "container_insights must be disabled, enabled or enhanced."
  }
}

variable "cpu" {
  description = "CPU units of a task, 1024 being one processor; when null 3584 on EC2, 4096 on FARGATE."
  type        = number
  default     = null

  validation {
    condition     = var.cpu == null ? true : var.cpu >= 256 && var.cpu <= 16384
    error_message = "cpu must be from 256 to 16384 (units, 1024 being one processor)."
  }
}

variable "memory" {
  description = "MiB of memory of a task; when null 14336 on EC2, 8192 on FARGATE."
  type        = number
  default     = null

  validation {
    condition     = var.memory == null ? true : var.memory >= 512 && var.memory <= 122880
    error_message = "memory must be from 512 to 122880 (MiB)."
  }
}

variable "tmp_size" {
  description = "MiB of /tmp, the only place a task may write to; memory on EC2, without meaning on FARGATE."
  type        = number
  default     = 512

  validation {
    condition     = var.tmp_size >= 16
    error_message = "tmp_size must be 16 or more (MiB)."
  }
}

variable "min_tasks" {
  description = "Fewest tasks."
  type        = number
  default     = 1

  validation {
    condition     = var.min_tasks >= 1
    error_message = "min_tasks must be 1 or more."
  }
}

variable "max_tasks" {
  description = "Most tasks."
  type        = number
  default     = 5

  validation {
    condition     = var.max_tasks >= 1
    error_message = "max_tasks must be 1 or more, and no less than min_tasks."
  }
}

variable "target_cpu_percent" {
  description = "CPU use that the number of tasks is scaled to, percent."
  type        = number
  default     = 70

  validation {
    condition     = var.target_cpu_percent >= 10 && var.target_cpu_percent <= 100
    error_message = "target_cpu_percent must be from 10 to 100."
  }
}

variable "target_requests_per_task" {
  description = "Requests per minute and task that the number of tasks is scaled to as well; 0 leaves it to CPU alone."
  type        = number
  default     = 0

  validation {
    condition     = var.target_requests_per_task >= 0
    error_message = "target_requests_per_task must be 0 (off) or more."
  }
}

variable "health_check_grace_period" {
  description = "Seconds after its start in which a task is not judged by the load balancer."
  type        = number
  default     = 60

  validation {
    condition     = var.health_check_grace_period >= 0
    error_message = "health_check_grace_period must be 0 or more (seconds)."
  }
}

variable "instance_type" {
  description = "Type of the instances, for launch_type EC2; its processor must be of var.architecture."
  type        = string
  default     = "t3a.xlarge"

  validation {
    condition     = can(regex("^[a-z0-9-]+\\.[a-z0-9-]+$", var.instance_type))
    error_message = "instance_type must be the name of an instance type, e.g. t3a.xlarge."
  }
}

variable "min_instances" {
  description = "Fewest instances, for launch_type EC2."
  type        = number
  default     = 1

  validation {
    condition     = var.min_instances >= 0
    error_message = "min_instances must be 0 or more."
  }
}

variable "max_instances" {
  description = "Most instances, for launch_type EC2; one more than tasks lets a deployment go on beside the old tasks."
  type        = number
  default     = 5

  validation {
    condition     = var.max_instances >= 1
    error_message = "max_instances must be 1 or more, and no less than min_instances."
  }
}

variable "root_volume_size" {
  description = "GiB of an instance's root volume, for launch_type EC2."
  type        = number
  default     = 30

  validation {
    condition     = var.root_volume_size >= 30
    error_message = "root_volume_size must be 30 or more (GiB): the machine image needs that."
  }
}

variable "vpc_id" {
  description = "VPC to deploy into; the default VPC when null."
  type        = string
  default     = null
}

variable "subnet_ids" {
  description = "Subnets of tasks and instances, with a way to ECR, CloudWatch Logs and S3; those of the default VPC when empty."
  type        = list(string)
  default     = []
}

variable "alb_subnet_ids" {
  description = "Subnets of the load balancer, in two availability zones or more; subnet_ids when empty."
  type        = list(string)
  default     = []
}

# The default VPC's subnets are public and have no NAT gateway: without a public address a Fargate task
# could not even pull its image. In subnets of one's own there should be a NAT gateway or endpoints instead.
variable "assign_public_ip" {
  description = "Whether FARGATE tasks get public addresses; when null, only in the default VPC. ECS cannot do it on EC2."
  type        = bool
  default     = null
}

# On EC2 a task's own interface cannot have a public address, so in the default VPC it has no way to S3 but this.
variable "s3_endpoint" {
  description = "Whether the VPC gets a gateway endpoint for S3; when null, only for EC2 in the default VPC. Set false where it has one; it reaches buckets of the region alone."
  type        = bool
  default     = null
}

variable "internet_facing" {
  description = "Whether the load balancer is reached from the internet, or from the VPC only."
  type        = bool
  default     = true
}

variable "allowed_cidrs" {
  description = "IPv4 ranges that may call the load balancer; the service itself authenticates nobody."
  type        = list(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = length(var.allowed_cidrs) > 0 && alltrue([for cidr in var.allowed_cidrs : can(cidrnetmask(cidr))])
    error_message = "allowed_cidrs must be one or more IPv4 ranges, e.g. 203.0.113.0/24."
  }
}

variable "certificate_arn" {
  description = "Certificate in ACM; when given, HTTPS is served and HTTP redirected to it."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null ? true : can(regex("^arn:aws[a-z-]*:(acm|iam):", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of a certificate in ACM or IAM."
  }
}

variable "idle_timeout" {
  description = "Seconds the load balancer waits for a byte before it ends a connection."
  type        = number
  default     = 60

  validation {
    condition     = var.idle_timeout >= 1 && var.idle_timeout <= 4000
    error_message = "idle_timeout must be from 1 to 4000 (seconds)."
  }
}

variable "deregistration_delay" {
  description = "Seconds a task that is taken away may still finish its requests."
  type        = number
  default     = 30

  validation {
    condition     = var.deregistration_delay >= 0 && var.deregistration_delay <= 3600
    error_message = "deregistration_delay must be from 0 to 3600 (seconds)."
  }
}
