data "aws_vpc" "this" {
  id      = var.vpc_id
  default = var.vpc_id == null ? true : null
}

data "aws_subnets" "default" {
  count = var.vpc_id == null ? 1 : 0

  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.this.id]
  }

  # The subnets that AWS created: one per availability zone, all of them public.
  filter {
    name   = "default-for-az"
    values = ["true"]
  }
}

locals {
  in_default_vpc   = var.vpc_id == null
  vpc_id           = data.aws_vpc.this.id
  subnet_ids       = local.in_default_vpc ? one(data.aws_subnets.default[*].ids) : var.subnet_ids
  alb_subnet_ids   = length(var.alb_subnet_ids) > 0 ? var.alb_subnet_ids : local.subnet_ids
  assign_public_ip = local.on_ec2 ? false : coalesce(var.assign_public_ip, local.in_default_vpc)
  s3_endpoint      = coalesce(var.s3_endpoint, local.on_ec2 && local.in_default_vpc)
}

data "aws_route_tables" "this" {
  count = local.s3_endpoint ? 1 : 0

  vpc_id = local.vpc_id
}

resource "aws_vpc_endpoint" "s3" {
  count = local.s3_endpoint ? 1 : 0

  vpc_id            = local.vpc_id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = data.aws_route_tables.this[0].ids
}

# Load balancer

resource "aws_security_group" "alb" {
  name        = "${var.deployment_name}-alb"
  description = "Load balancer of ${var.deployment_name}"
  vpc_id      = local.vpc_id

  lifecycle {
    precondition {
      condition     = local.in_default_vpc == (length(var.subnet_ids) == 0)
      error_message = "Set vpc_id and subnet_ids, or neither for the default VPC."
    }
  }
}

locals {
  listener_ports = local.https ? [80, 443] : [80]
  alb_ingress = {
    for pair in setproduct(local.callers, local.listener_ports) :
    "${pair[0]}:${pair[1]}" => { cidr = pair[0], port = pair[1] }
  }
}

resource "aws_vpc_security_group_ingress_rule" "alb" {
  for_each = local.alb_ingress

  security_group_id = aws_security_group.alb.id
  description       = "Callers"
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "alb" {
  security_group_id            = aws_security_group.alb.id
  description                  = "Tasks"
  referenced_security_group_id = aws_security_group.task.id
  ip_protocol                  = "tcp"
  from_port                    = local.container_port
  to_port                      = local.container_port
}

resource "aws_vpc_security_group_egress_rule" "identity_provider" {
  count = var.oidc == null ? 0 : 1

  security_group_id = aws_security_group.alb.id
  description       = "Identity provider"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

# Tasks

resource "aws_security_group" "task" {
  name        = "${var.deployment_name}-task"
  description = "Tasks of ${var.deployment_name}"
  vpc_id      = local.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "task" {
  security_group_id            = aws_security_group.task.id
  description                  = "Load balancer"
  referenced_security_group_id = aws_security_group.alb.id
  ip_protocol                  = "tcp"
  from_port                    = local.container_port
  to_port                      = local.container_port
}

resource "aws_vpc_security_group_egress_rule" "task" {
  security_group_id = aws_security_group.task.id
  description       = "S3, and on Fargate ECR and CloudWatch Logs"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

# Instances: nothing may connect to them

resource "aws_security_group" "instance" {
  count = local.on_ec2 ? 1 : 0

  name        = "${var.deployment_name}-instance"
  description = "Instances of ${var.deployment_name}"
  vpc_id      = local.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "instance" {
  count = local.on_ec2 ? 1 : 0

  security_group_id = aws_security_group.instance[0].id
  description       = "ECS, ECR, CloudWatch Logs, S3"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
