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
  description = "CPU units of a task, 1024 being one processor (vCPU). When null: 4096 on FARGATE; on EC2 1024 for each core of an instance with four processors, which is what a task keeps busy."
  type        = number
  default     = null

  validation {
    condition     = var.cpu == null ? true : var.cpu >= 256 && var.cpu <= 16384 && floor(var.cpu) == var.cpu
    error_message = "cpu must be a whole number from 256 to 16384 (units, 1024 being one processor)."
  }
}

variable "threads_per_core" {
  description = "Processors (vCPUs) per physical core; when null 2 for x86_64, 1 for arm64. Set 1 for x86_64 types without hyperthreads, e.g. m7a."
  type        = number
  default     = null

  validation {
    condition     = var.threads_per_core == null ? true : contains([1, 2], var.threads_per_core)
    error_message = "threads_per_core must be 1 or 2."
  }
}

variable "memory" {
  description = "Memory of a task, in MiB; when null 14336 on EC2, 8192 on FARGATE."
  type        = number
  default     = null

  validation {
    condition     = var.memory == null ? true : var.memory >= 512 && var.memory <= 122880 && floor(var.memory) == var.memory
    error_message = "memory must be a whole number from 512 to 122880 (MiB)."
  }
}

variable "tmp_size" {
  description = "Size of /tmp, the only folder that a task may write to, in MiB; it is memory on EC2 and is ignored on FARGATE."
  type        = number
  default     = 512

  validation {
    condition     = var.tmp_size >= 16 && floor(var.tmp_size) == var.tmp_size
    error_message = "tmp_size must be a whole number of 16 or more (MiB)."
  }
}

variable "min_tasks" {
  description = "Lower bound of the number of tasks."
  type        = number
  default     = 1

  validation {
    condition     = var.min_tasks >= 1 && floor(var.min_tasks) == var.min_tasks
    error_message = "min_tasks must be a whole number of 1 or more."
  }
}

variable "max_tasks" {
  description = "Upper bound of the number of tasks."
  type        = number
  default     = 5

  validation {
    condition     = var.max_tasks >= 1 && floor(var.max_tasks) == var.max_tasks
    error_message = "max_tasks must be a whole number of 1 or more, and at least min_tasks."
  }
}

variable "target_cpu_percent" {
  description = "CPU utilisation that auto scaling aims at, in percent of what a task can keep busy: one processor per physical core."
  type        = number
  default     = 70

  validation {
    condition     = var.target_cpu_percent >= 10 && var.target_cpu_percent <= 100 && floor(var.target_cpu_percent) == var.target_cpu_percent
    error_message = "target_cpu_percent must be a whole number from 10 to 100."
  }
}

# The provider cannot switch on the metrics of 20 s: hashicorp/terraform-provider-aws issue 48669.
variable "metrics_period" {
  description = "Period of the CPU metric that auto scaling reads, in seconds: 60, or 20 for a service whose metrics of 20 s are switched on; `aws ecs update-service --monitoring` does that."
  type        = number
  default     = 60

  validation {
    condition     = contains([20, 60], var.metrics_period)
    error_message = "metrics_period must be 60 or 20 (seconds)."
  }
}

variable "target_requests_per_task" {
  description = "Requests per minute and task that auto scaling aims at too; 0 leaves auto scaling to the CPU alone."
  type        = number
  default     = 0

  validation {
    condition     = var.target_requests_per_task >= 0 && floor(var.target_requests_per_task) == var.target_requests_per_task
    error_message = "target_requests_per_task must be a whole number: 0 (off) or more."
  }
}

variable "health_check_grace_period" {
  description = "Time after a task's start in which failed health checks are ignored, in seconds."
  type        = number
  default     = 60

  validation {
    condition     = var.health_check_grace_period >= 0 && floor(var.health_check_grace_period) == var.health_check_grace_period
    error_message = "health_check_grace_period must be a whole number of 0 or more (seconds)."
  }
}

variable "instance_type" {
  description = "Type of the instances, for launch_type EC2; its processor must be that of architecture."
  type        = string
  default     = "t3a.xlarge"

  validation {
    condition     = can(regex("^[a-z0-9-]+\\.[a-z0-9-]+$", var.instance_type))
    error_message = "instance_type must be the name of an instance type, e.g. t3a.xlarge."
  }
}

variable "min_instances" {
  description = "Lower bound of the number of instances, for launch_type EC2."
  type        = number
  default     = 1

  validation {
    condition     = var.min_instances >= 0 && floor(var.min_instances) == var.min_instances
    error_message = "min_instances must be a whole number of 0 or more."
  }
}

variable "max_instances" {
  description = "Upper bound of the number of instances, for launch_type EC2; one more than max_tasks gives room for the new task of a deployment."
  type        = number
  default     = 5

  validation {
    condition     = var.max_instances >= 1 && floor(var.max_instances) == var.max_instances
    error_message = "max_instances must be a whole number of 1 or more, and at least min_instances."
  }
}

variable "root_volume_size" {
  description = "Size of an instance's root volume, in GiB, for launch_type EC2."
  type        = number
  default     = 30

  validation {
    condition     = var.root_volume_size >= 30 && floor(var.root_volume_size) == var.root_volume_size
    error_message = "root_volume_size must be a whole number of 30 or more (GiB): the machine image needs that."
  }
}
