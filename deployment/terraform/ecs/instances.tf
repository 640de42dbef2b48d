# Everything here is for launch_type EC2.

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

  # Tasks have a role of their own and no business with that of the instance.
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
      delete_on_termination = true
    }
  }

  # The provider's default tags reach the template but not what it starts.
  dynamic "tag_specifications" {
    for_each = ["instance", "volume"]
    content {
      resource_type = tag_specifications.value
      tags          = merge({ Name = "${var.deployment_name}-instance" }, local.tags)
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
  # When all is destroyed, do not wait for instances that are protected.
  force_delete = true

  launch_template {
    id      = aws_launch_template.ec2[0].id
    version = aws_launch_template.ec2[0].latest_version
  }

  # ECS sets it otherwise, and every plan would take it away again.
  tag {
    key                 = "AmazonECSManaged"
    value               = "true"
    propagate_at_launch = true
  }

  lifecycle {
    # ECS moves it.
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
