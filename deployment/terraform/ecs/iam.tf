data "aws_iam_policy_document" "assume_task" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    # Only for tasks of this account: ECS must not use the role for another account.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

# The role of ECS when it starts a task

data "aws_iam_policy_document" "execution" {
  statement {
    sid     = "LogInToRegistry"
    actions = ["ecr:GetAuthorizationToken"]
    # A token is for the whole registry, so ECR has no ARN for it.
    resources = ["*"]
  }

  statement {
    sid       = "PullImage"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [var.repository_arn]
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.service.arn}:*"]
  }

  dynamic "statement" {
    for_each = local.api_keys_service == "secretsmanager" ? [var.api_keys_arn] : []
    content {
      sid       = "ReadApiKeysSecret"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = local.api_keys_service == "ssm" ? [var.api_keys_arn] : []
    content {
      sid       = "ReadApiKeysParameter"
      actions   = ["ssm:GetParameters"]
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = var.api_keys_arn == null || var.kms_key_arn == null ? [] : [var.kms_key_arn]
    content {
      sid       = "DecryptApiKeys"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role" "execution" {
  name               = "${var.deployment_name}-execution-${var.region}"
  description        = "What ECS may do to start a task of ${var.deployment_name}"
  assume_role_policy = data.aws_iam_policy_document.assume_task.json
}

resource "aws_iam_role_policy" "execution" {
  name   = "execution"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

# The role of the service

resource "aws_iam_role" "task" {
  name               = "${var.deployment_name}-task-${var.region}"
  description        = "What a task of ${var.deployment_name} may do"
  assume_role_policy = data.aws_iam_policy_document.assume_task.json
}

resource "aws_iam_role_policy" "task" {
  name   = "task"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.pictures.json
}

# The role of an instance's ECS agent

data "aws_iam_policy_document" "assume_instance" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "instance" {
  count = local.on_ec2 ? 1 : 0

  name               = "${var.deployment_name}-instance-${var.region}"
  description        = "What the ECS agent of ${var.deployment_name}'s instances may do"
  assume_role_policy = data.aws_iam_policy_document.assume_instance.json
}

# AWS maintains this policy for its agent, which is part of AWS's machine image and changes with it.
resource "aws_iam_role_policy_attachment" "instance" {
  count = local.on_ec2 ? 1 : 0

  role       = aws_iam_role.instance[0].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
}

resource "aws_iam_instance_profile" "instance" {
  count = local.on_ec2 ? 1 : 0

  name = "${var.deployment_name}-instance-${var.region}"
  role = aws_iam_role.instance[0].name
}
