locals {
  https   = var.certificate_arn != null
  callers = length(var.allowed_cidrs) > 0 ? var.allowed_cidrs : [data.aws_vpc.this.cidr_block]

  # Only these paths are forwarded; the load balancer itself sends the health checks to the tasks. `without_session` is the
  # response to requests without a session of the identity provider.
  served = merge(
    {
      predict = { path = "/predict", priority = 1, without_session = "deny" }
      docs    = { path = "/docs.json", priority = 2, without_session = "authenticate" }
    },
    { for name, rule in local.pages : name => rule if var.page },
  )

  # What a person opens in a browser.
  pages = {
    page   = { path = "/", priority = 3, without_session = "authenticate" }
    reader = { path = "/docs", priority = 4, without_session = "authenticate" }
    files  = { path = "/static_content/swagger-ui*", priority = 5, without_session = "authenticate" }
  }

  # The shape of the service's errors; a load balancer has no request id.
  not_found = jsonencode({
    error = {
      code       = "not_found"
      message    = "this path is not served: call POST /predict or GET /docs.json"
      request_id = ""
    }
  })
}

resource "aws_lb" "this" {
  #checkov:skip=CKV_AWS_150: deletion_protection is an option, because bentoctl destroy would fail with it
  #checkov:skip=CKV2_AWS_76: the rules are those of web_acl_arn, and the service has no Java
  name                       = "${var.deployment_name}-alb"
  load_balancer_type         = "application"
  internal                   = !var.internet_facing
  subnets                    = local.alb_subnet_ids
  security_groups            = [aws_security_group.alb.id]
  idle_timeout               = var.idle_timeout
  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection

  dynamic "access_logs" {
    for_each = var.access_logs_bucket == null ? [] : [var.access_logs_bucket]
    content {
      bucket  = access_logs.value
      prefix  = var.deployment_name
      enabled = true
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.alb_subnet_ids) >= 2
      error_message = "A load balancer needs subnets in two availability zones or more: set alb_subnet_ids or subnet_ids."
    }

    precondition {
      condition     = !var.internet_facing || local.https || var.allow_plain_http
      error_message = "internet_facing without certificate_arn shows requests, results and API keys to everybody on their way: set certificate_arn, or allow_plain_http = true."
    }

    precondition {
      condition     = !var.internet_facing || length(var.allowed_cidrs) > 0
      error_message = "internet_facing needs allowed_cidrs: name the ranges that may call, or [\"0.0.0.0/0\"] for everybody."
    }

    precondition {
      condition     = var.oidc == null || (local.https && var.oidc_client_secret != "")
      error_message = "oidc needs certificate_arn, because a load balancer logs people in on HTTPS only, and oidc_client_secret: set TF_VAR_oidc_client_secret."
    }
  }
}

resource "aws_wafv2_web_acl_association" "this" {
  count = var.web_acl_arn == null ? 0 : 1

  resource_arn = aws_lb.this.arn
  web_acl_arn  = var.web_acl_arn
}

resource "aws_lb_target_group" "this" {
  #checkov:skip=CKV_AWS_378: TLS ends at the load balancer; only it reaches the tasks, inside the VPC
  name                 = "${var.deployment_name}-tasks"
  target_type          = "ip"
  vpc_id               = local.vpc_id
  protocol             = "HTTP"
  port                 = local.container_port
  deregistration_delay = var.deregistration_delay
  # A task answers one request after the other and pictures differ in size, so round robin would make queues.
  load_balancing_algorithm_type = "least_outstanding_requests"

  health_check {
    path                = "/readyz"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTP"
  port              = 80

  default_action {
    type = local.https ? "redirect" : "fixed-response"

    dynamic "redirect" {
      for_each = local.https ? [1] : []
      content {
        protocol    = "HTTPS"
        port        = "443"
        status_code = "HTTP_301"
      }
    }

    dynamic "fixed_response" {
      for_each = local.https ? [] : [local.not_found]
      content {
        status_code  = "404"
        content_type = "application/json"
        message_body = fixed_response.value
      }
    }
  }
}

resource "aws_lb_listener" "https" {
  count = local.https ? 1 : 0

  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTPS"
  port              = 443
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type = "fixed-response"

    fixed_response {
      status_code  = "404"
      content_type = "application/json"
      message_body = local.not_found
    }
  }
}

resource "aws_lb_listener_rule" "served" {
  for_each = local.served

  listener_arn = local.https ? aws_lb_listener.https[0].arn : aws_lb_listener.http.arn
  priority     = each.value.priority

  condition {
    path_pattern {
      values = [each.value.path]
    }
  }

  dynamic "action" {
    for_each = var.oidc == null ? [] : [var.oidc]
    content {
      type  = "authenticate-oidc"
      order = 1

      authenticate_oidc {
        issuer                     = action.value.issuer
        authorization_endpoint     = action.value.authorization_endpoint
        token_endpoint             = action.value.token_endpoint
        user_info_endpoint         = action.value.user_info_endpoint
        client_id                  = action.value.client_id
        client_secret              = var.oidc_client_secret
        on_unauthenticated_request = each.value.without_session
      }
    }
  }

  action {
    type             = "forward"
    order            = var.oidc == null ? 1 : 2
    target_group_arn = aws_lb_target_group.this.arn
  }
}
