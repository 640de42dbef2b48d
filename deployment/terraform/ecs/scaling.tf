locals {
  # The engine runs one thread per core, so a task that is always busy uses half of its processors where a core has two
  # threads, but at least one. ECS measures this use against `cpu`. On EC2 `cpu` is only a reservation and is what a task
  # can keep busy; on Fargate it is the size of the task, so the target is as much lower.
  busy_cpu            = local.on_ec2 ? local.cpu : min(local.cpu, max(1024, local.cpu / local.threads_per_core))
  tracked_cpu_percent = var.target_cpu_percent * local.busy_cpu / local.cpu
}

resource "aws_appautoscaling_target" "tasks" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.this.name}"
  min_capacity       = var.min_tasks
  max_capacity       = var.max_tasks
}

resource "aws_appautoscaling_policy" "cpu" {
  name               = "${var.deployment_name}-cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.tasks.service_namespace
  scalable_dimension = aws_appautoscaling_target.tasks.scalable_dimension
  resource_id        = aws_appautoscaling_target.tasks.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = local.tracked_cpu_percent
    scale_in_cooldown  = 60
    scale_out_cooldown = 60

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization${var.metrics_period == 20 ? "HighResolution" : ""}"
    }
  }
}

resource "aws_appautoscaling_policy" "requests" {
  count = var.target_requests_per_task > 0 ? 1 : 0

  name               = "${var.deployment_name}-requests"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.tasks.service_namespace
  scalable_dimension = aws_appautoscaling_target.tasks.scalable_dimension
  resource_id        = aws_appautoscaling_target.tasks.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.target_requests_per_task
    scale_in_cooldown  = 60
    scale_out_cooldown = 60

    predefined_metric_specification {
      predefined_metric_type = "ALBRequestCountPerTarget"
      resource_label         = "${aws_lb.this.arn_suffix}/${aws_lb_target_group.this.arn_suffix}"
    }
  }
}
