locals {
  target_dimensions = {
    LoadBalancer = aws_lb.this.arn_suffix
    TargetGroup  = aws_lb_target_group.this.arn_suffix
  }

  alarms = {
    unhealthy = {
      metric      = "UnHealthyHostCount"
      description = "A task of ${var.deployment_name} fails the health check /readyz"
      dimensions  = local.target_dimensions
      statistic   = "Maximum"
      period      = 60
      periods     = 3
      threshold   = 0
    }
    service-5xx = {
      metric      = "HTTPCode_Target_5XX_Count"
      description = "The service sent more than ${var.alarm_5xx_count} responses with 5xx"
      dimensions  = local.target_dimensions
      statistic   = "Sum"
      period      = 300
      periods     = 1
      threshold   = var.alarm_5xx_count
    }
    # When no task is available, the load balancer itself responds; the metric above does not count that.
    balancer-5xx = {
      metric      = "HTTPCode_ELB_5XX_Count"
      description = "The load balancer sent more than ${var.alarm_5xx_count} responses of its own with 5xx"
      dimensions  = { LoadBalancer = aws_lb.this.arn_suffix }
      statistic   = "Sum"
      period      = 300
      periods     = 1
      threshold   = var.alarm_5xx_count
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = { for name, alarm in local.alarms : name => alarm if var.alarms }

  alarm_name          = "${var.deployment_name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/ApplicationELB"
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.periods
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "failed" {
  count = var.queue && var.alarms ? 1 : 0

  alarm_name          = "${var.deployment_name}-failed"
  alarm_description   = "The workers failed for a message; it is in ${aws_sqs_queue.failed[0].name}"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.failed[0].name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}
