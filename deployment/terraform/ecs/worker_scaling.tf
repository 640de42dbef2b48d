# Everything in this file is for queue: one worker per backlog_per_worker messages, from none to max_workers.
#
# Target tracking of messages per task has no value without a task, so it could not start the first one. These steps
# follow the number of waiting messages alone, which CloudWatch has without Container Insights.

locals {
  # A policy has at most 20 steps; with more workers a step adds several.
  worker_steps    = min(20, var.max_workers)
  workers_by_step = [for number in range(1, local.worker_steps + 1) : ceil(number * var.max_workers / local.worker_steps)]
  # Messages at which a step begins and ends, and the workers of the step. The last one has no end.
  worker_adjustments = [
    for number, workers in local.workers_by_step : {
      workers = workers
      begin   = number == 0 ? 0 : local.workers_by_step[number - 1] * var.backlog_per_worker
      end     = number == local.worker_steps - 1 ? null : workers * var.backlog_per_worker
    }
  ]

  worker_alarms = {
    backlog = { comparison = "GreaterThanThreshold", periods = 1, description = "Messages wait in the queue: start workers" }
    idle    = { comparison = "LessThanOrEqualToThreshold", periods = 15, description = "No message waits in the queue: stop workers" }
  }
}

resource "aws_appautoscaling_target" "workers" {
  count = var.queue ? 1 : 0

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.worker[0].name}"
  min_capacity       = var.min_workers
  max_capacity       = var.max_workers
}

resource "aws_appautoscaling_policy" "backlog" {
  count = var.queue ? 1 : 0

  name               = "${var.deployment_name}-backlog"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.workers[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.workers[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.workers[0].resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ExactCapacity"
    metric_aggregation_type = "Maximum"
    # Only a step down waits for it.
    cooldown = 300

    dynamic "step_adjustment" {
      for_each = local.worker_adjustments
      content {
        scaling_adjustment          = step_adjustment.value.workers
        metric_interval_lower_bound = step_adjustment.value.begin
        metric_interval_upper_bound = step_adjustment.value.end
      }
    }
  }
}

resource "aws_appautoscaling_policy" "idle" {
  count = var.queue ? 1 : 0

  name               = "${var.deployment_name}-idle"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.workers[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.workers[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.workers[0].resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ExactCapacity"
    metric_aggregation_type = "Maximum"
    cooldown                = 60

    step_adjustment {
      scaling_adjustment          = var.min_workers
      metric_interval_upper_bound = 0
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "workers" {
  for_each = { for name, alarm in local.worker_alarms : name => alarm if var.queue }

  alarm_name        = "${var.deployment_name}-${each.key}"
  alarm_description = each.value.description
  namespace         = "AWS/SQS"
  # CloudWatch has the number of messages in work only while there are some, so an expression with it would have no value
  # otherwise. It is not needed either: a worker that is stopped finishes its messages.
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = one(aws_sqs_queue.this[*].name) }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = each.value.periods
  comparison_operator = each.value.comparison
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = each.key == "idle" ? aws_appautoscaling_policy.idle[*].arn : aws_appautoscaling_policy.backlog[*].arn
}
