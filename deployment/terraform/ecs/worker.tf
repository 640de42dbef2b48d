# Everything in this file is for queue: the image as workers, which answer the messages of the queue.

data "aws_iam_policy_document" "worker" {
  count = var.queue ? 1 : 0

  source_policy_documents = [data.aws_iam_policy_document.pictures.json]

  statement {
    sid       = "AnswerMessages"
    actions   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    resources = [aws_sqs_queue.this[0].arn]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]
    content {
      sid       = "DecryptMessages"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role" "worker" {
  count = var.queue ? 1 : 0

  name               = "${var.deployment_name}-worker-${var.region}"
  description        = "What a worker of ${var.deployment_name} may do"
  assume_role_policy = data.aws_iam_policy_document.assume_task.json
}

resource "aws_iam_role_policy" "worker" {
  count = var.queue ? 1 : 0

  name   = "worker"
  role   = aws_iam_role.worker[0].id
  policy = data.aws_iam_policy_document.worker[0].json
}

resource "aws_security_group" "worker" {
  count = var.queue ? 1 : 0

  name        = "${var.deployment_name}-worker"
  description = "Workers of ${var.deployment_name}; nothing may connect to them"
  vpc_id      = local.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "worker" {
  count = var.queue ? 1 : 0

  security_group_id = aws_security_group.worker[0].id
  description       = "S3, SQS, and on Fargate ECR and CloudWatch Logs"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

locals {
  # QUEUE_URL makes the image run the worker. It asks for no API key: IAM judges who may send to the queue.
  worker_container = merge(local.container, {
    environment = concat(local.container.environment, [{ name = "QUEUE_URL", value = one(aws_sqs_queue.this[*].url) }])
    secrets     = []
    healthCheck = merge(local.container.healthCheck, {
      command = [for part in local.container.healthCheck.command : replace(part, "/readyz", "/livez")]
    })
    logConfiguration = merge(local.container.logConfiguration, {
      options = merge(local.container.logConfiguration.options, { awslogs-stream-prefix = "worker" })
    })
  })
}

resource "aws_ecs_task_definition" "worker" {
  count = var.queue ? 1 : 0

  family                   = "${var.deployment_name}-worker"
  requires_compatibilities = [var.launch_type]
  network_mode             = "awsvpc"
  cpu                      = local.cpu
  memory                   = local.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.worker[0].arn
  container_definitions    = jsonencode([local.worker_container])

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture == "arm64" ? "ARM64" : "X86_64"
  }

  dynamic "volume" {
    for_each = local.on_ec2 ? [] : ["tmp"]
    content {
      name = volume.value
    }
  }
}

resource "aws_ecs_service" "worker" {
  count = var.queue ? 1 : 0

  name                               = "${var.deployment_name}-worker"
  cluster                            = aws_ecs_cluster.this.arn
  task_definition                    = aws_ecs_task_definition.worker[0].arn
  desired_count                      = var.min_workers
  deployment_maximum_percent         = 200
  deployment_minimum_healthy_percent = local.minimum_healthy_percent
  propagate_tags                     = "SERVICE"
  wait_for_steady_state              = true

  capacity_provider_strategy {
    capacity_provider = local.on_ec2 ? one(aws_ecs_capacity_provider.ec2[*].name) : "FARGATE"
    weight            = 1
  }

  network_configuration {
    subnets          = local.subnet_ids
    security_groups  = aws_security_group.worker[*].id
    assign_public_ip = local.assign_public_ip
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  lifecycle {
    # Auto scaling changes it.
    ignore_changes = [desired_count]

    precondition {
      condition     = var.min_workers <= var.max_workers
      error_message = "min_workers (${var.min_workers}) must not be more than max_workers (${var.max_workers})."
    }
  }

  # When all is destroyed, tasks must end before what they need.
  depends_on = [
    aws_ecs_cluster_capacity_providers.this,
    aws_iam_role_policy.execution,
    aws_iam_role_policy.worker,
    aws_iam_role_policy_attachment.instance,
    aws_vpc_endpoint.s3,
    aws_vpc_endpoint.sqs,
    aws_vpc_security_group_egress_rule.instance,
    aws_vpc_security_group_egress_rule.worker,
    aws_vpc_security_group_ingress_rule.sqs_endpoint,
  ]
}
