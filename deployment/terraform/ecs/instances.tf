# Everything in this file is for launch_type EC2.

locals {
  # AWS marks Graviton processors by a g after the generation: t4g, c7gn, im4gn. a1 is older than this rule.
  instance_architecture = can(regex("^(a1|[a-z]+[0-9]+g[a-z]*)[.-]", var.instance_type)) ? "arm64" : "x86_64"
}

data "aws_ssm_parameter" "ami" {
  count = local.on_ec2 ? 1 : 0

  name = join("", [
    "/aws/service/ecs/optimized-ami/amazon-linux-2023/",
    var.architecture == "arm64" ? "arm64/" : "",
    "recommended/image_id",
  ])
}

resource "aws_launch_template" "ec2" {
  count = local.on_ec2 ? 1 : 0

  name                   = "${var.deployment_name}-instance"
  image_id               = data.aws_ssm_parameter.ami[0].insecure_value
  instance_type          = var.instance_type
  vpc_security_group_ids = aws_security_group.instance[*].id

  # Tasks have their own role and must not get the instance's.
  user_data = base64encode(<<-EOT
    #!/bin/bash
    echo "ECS_CLUSTER=${aws_ecs_cluster.this.name}" >> /etc/ecs/ecs.config
    echo "ECS_AWSVPC_BLOCK_IMDS=true" >> /etc/ecs/ecs.config
  EOT
  )

  iam_instance_profile {
    arn = aws_iam_instance_profile.instance[0].arn
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = var.root_volume_size
      encrypted             = true
      kms_key_id            = var.kms_key_arn
      delete_on_termination = true
    }
  }

  # The provider's default tags apply to the template, but not to the instances and volumes that it starts.
  dynamic "tag_specifications" {
    for_each = ["instance", "volume"]
    content {
      resource_type = tag_specifications.value
      tags          = merge({ Name = "${var.deployment_name}-instance" }, local.tags)
    }
  }

  lifecycle {
    precondition {
      condition     = !local.on_ec2 || local.instance_architecture == var.architecture
      error_message = "instance_type ${var.instance_type} has an ${local.instance_architecture} processor, architecture is ${var.architecture}: choose an instance_type with the image's processor (e.g. t3a.xlarge for x86_64, t4g.xlarge for arm64)."
    }
  }
}

resource "aws_autoscaling_group" "ec2" {
  count = local.on_ec2 ? 1 : 0

  name                  = "${var.deployment_name}-instances"
  min_size              = var.min_instances
  max_size              = var.max_instances
  vpc_zone_identifier   = local.subnet_ids
  protect_from_scale_in = true
  # A destroy does not wait for protected instances.
  force_delete = true

  launch_template {
    id      = aws_launch_template.ec2[0].id
    version = aws_launch_template.ec2[0].latest_version
  }

  # ECS sets this tag. Without this block every plan would remove it.
  tag {
    key                 = "AmazonECSManaged"
    value               = "true"
    propagate_at_launch = true
  }

  lifecycle {
    # ECS changes it.
    ignore_changes = [desired_capacity]

    precondition {
      condition     = var.min_instances <= var.max_instances
      error_message = "min_instances (${var.min_instances}) must not be more than max_instances (${var.max_instances})."
    }
  }

  # An agent that starts without its permissions does not join the cluster.
  depends_on = [aws_iam_role_policy_attachment.instance, aws_vpc_security_group_egress_rule.instance]
}

resource "aws_ecs_capacity_provider" "ec2" {
  count = local.on_ec2 ? 1 : 0

  name = "${var.deployment_name}-ec2"

  auto_scaling_group_provider {
    auto_scaling_group_arn         = aws_autoscaling_group.ec2[0].arn
    managed_draining               = "ENABLED"
    managed_termination_protection = "ENABLED"

    managed_scaling {
      status                    = "ENABLED"
      target_capacity           = 100
      minimum_scaling_step_size = 1
      maximum_scaling_step_size = var.max_instances
      instance_warmup_period    = 60
    }
  }
}
