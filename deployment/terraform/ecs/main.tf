data "aws_caller_identity" "current" {}

locals {
  on_ec2         = var.launch_type == "EC2"
  cpu            = coalesce(var.cpu, local.on_ec2 ? 4096 / local.threads_per_core : 4096)
  memory         = coalesce(var.memory, local.on_ec2 ? 14336 : 8192)
  container_name = "yolov7"
  container_port = 3000
  tags           = merge({ Deployment = var.deployment_name }, var.tags)

  # A processor (vCPU) of AWS's x86_64 machines is a hyperthread, of its arm64 machines a core.
  threads_per_core = coalesce(var.threads_per_core, var.architecture == "arm64" ? 1 : 2)

  # One task fills an instance: if all instances are in use, a deployment must stop old tasks before it starts new ones.
  minimum_healthy_percent = local.on_ec2 ? 50 : 100

  # ECS passes the region on to tasks on Fargate only; boto3 reads the second name.
  environment = merge(
    { AWS_REGION = var.region, AWS_DEFAULT_REGION = var.region },
    var.env,
    {
      INPUT_BUCKET  = var.input_bucket
      OUTPUT_BUCKET = var.output_bucket
      RESULT_PREFIX = var.result_prefix
      IMAGE_DIGEST  = try(split("@", var.image_uri)[1], "")
    },
  )

  # Memory that Fargate allows for these CPU units, in MiB: minimum, maximum, step.
  fargate_memory = {
    "256"   = [512, 2048, 512]
    "512"   = [1024, 4096, 1024]
    "1024"  = [2048, 8192, 1024]
    "2048"  = [4096, 16384, 1024]
    "4096"  = [8192, 30720, 1024]
    "8192"  = [16384, 61440, 4096]
    "16384" = [32768, 122880, 8192]
  }
  # "secretsmanager" or "ssm".
  api_keys_service = var.api_keys_arn == null ? "" : split(":", var.api_keys_arn)[2]

  fargate_range = lookup(local.fargate_memory, tostring(local.cpu), [0, -1, 1])
  fargate_legal = (
    local.memory >= local.fargate_range[0] &&
    local.memory <= local.fargate_range[1] &&
    local.memory % local.fargate_range[2] == 0 &&
    !(local.cpu == 256 && local.memory == 1536)
  )

  container = {
    name                   = local.container_name
    image                  = var.image_uri
    essential              = true
    readonlyRootFilesystem = true
    stopTimeout            = 60
    environment            = [for name, value in local.environment : { name = name, value = value }]
    secrets                = var.api_keys_arn == null ? [] : [{ name = "API_KEYS", valueFrom = var.api_keys_arn }]
    portMappings           = [{ containerPort = local.container_port, hostPort = local.container_port, protocol = "tcp" }]
    mountPoints            = local.on_ec2 ? [] : [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]
    volumesFrom            = []
    systemControls         = []

    linuxParameters = merge(
      { initProcessEnabled = true, capabilities = { add = [], drop = ["ALL"] } },
      local.on_ec2 ? { tmpfs = [{ containerPath = "/tmp", size = var.tmp_size, mountOptions = ["rw", "nosuid", "nodev"] }] } : {},
    )

    healthCheck = {
      command = [
        "CMD", "python3", "-c",
        "import urllib.request; urllib.request.urlopen('http://localhost:${local.container_port}/readyz', timeout=4)",
      ]
      interval    = 15
      timeout     = 5
      retries     = 3
      startPeriod = 60
    }

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.service.name
        awslogs-region        = var.region
        awslogs-stream-prefix = local.container_name
      }
    }
  }
}

resource "aws_cloudwatch_log_group" "service" {
  #checkov:skip=CKV_AWS_338: log_retention_days keeps logs longer; the default does not keep the names of pictures for a year
  name              = "/ecs/${var.deployment_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_ecs_cluster" "this" {
  name = "${var.deployment_name}-cluster"

  setting {
    name  = "containerInsights"
    value = var.container_insights
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = local.on_ec2 ? aws_ecs_capacity_provider.ec2[*].name : ["FARGATE"]
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.deployment_name
  requires_compatibilities = [var.launch_type]
  network_mode             = "awsvpc"
  cpu                      = local.cpu
  memory                   = local.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture == "arm64" ? "ARM64" : "X86_64"
  }

  # The image declares VOLUME /tmp, so the volume gets the owner and mode of the image's /tmp; otherwise root would own it.
  dynamic "volume" {
    for_each = local.on_ec2 ? [] : ["tmp"]
    content {
      name = volume.value
    }
  }

  container_definitions = jsonencode([local.container])

  lifecycle {
    precondition {
      condition     = local.on_ec2 || local.fargate_legal
      error_message = "Fargate has no tasks of ${local.cpu} CPU units with ${local.memory} MiB: see AWS's table of task sizes."
    }
  }
}

resource "aws_ecs_service" "this" {
  name                               = "${var.deployment_name}-service"
  cluster                            = aws_ecs_cluster.this.arn
  task_definition                    = aws_ecs_task_definition.this.arn
  desired_count                      = var.min_tasks
  health_check_grace_period_seconds  = var.health_check_grace_period
  deployment_maximum_percent         = 200
  deployment_minimum_healthy_percent = local.minimum_healthy_percent
  propagate_tags                     = "SERVICE"
  # An apply whose tasks do not become healthy must fail.
  wait_for_steady_state = true

  capacity_provider_strategy {
    capacity_provider = local.on_ec2 ? one(aws_ecs_capacity_provider.ec2[*].name) : "FARGATE"
    weight            = 1
  }

  network_configuration {
    subnets          = local.subnet_ids
    security_groups  = [aws_security_group.task.id]
    assign_public_ip = local.assign_public_ip
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.this.arn
    container_name   = local.container_name
    container_port   = local.container_port
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  lifecycle {
    # Auto scaling changes it.
    ignore_changes = [desired_count]

    precondition {
      condition     = var.min_tasks <= var.max_tasks
      error_message = "min_tasks (${var.min_tasks}) must not be more than max_tasks (${var.max_tasks})."
    }
  }

  # ECS refuses a target group that no listener uses, and when all is destroyed, tasks must end before what they need.
  depends_on = [
    aws_ecs_cluster_capacity_providers.this,
    aws_iam_role_policy.execution,
    aws_iam_role_policy.task,
    aws_iam_role_policy_attachment.instance,
    aws_lb_listener_rule.served,
    aws_vpc_endpoint.s3,
    aws_vpc_security_group_egress_rule.task,
    aws_vpc_security_group_egress_rule.instance,
    aws_vpc_security_group_ingress_rule.task,
  ]
}
