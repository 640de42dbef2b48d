# python -m deployment.dashboards writes this file from deployment/dashboards/figures.py.

locals {
  figures = [
    {
      title = "Requests in 5 minutes"
      unit  = "requests"
      metrics = [
        ["AWS/ApplicationELB", "RequestCount", "LoadBalancer", aws_lb.this.arn_suffix, "TargetGroup", aws_lb_target_group.this.arn_suffix, { stat = "Sum", label = "all tasks" }],
        ["AWS/ApplicationELB", "RequestCountPerTarget", "TargetGroup", aws_lb_target_group.this.arn_suffix, { stat = "Sum", label = "per task" }],
      ]
    },
    {
      title = "Time of a request"
      unit  = "seconds"
      metrics = [
        ["AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", aws_lb.this.arn_suffix, "TargetGroup", aws_lb_target_group.this.arn_suffix, { stat = "p50", label = "p50" }],
        ["AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", aws_lb.this.arn_suffix, "TargetGroup", aws_lb_target_group.this.arn_suffix, { stat = "p95", label = "p95" }],
        ["AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", aws_lb.this.arn_suffix, "TargetGroup", aws_lb_target_group.this.arn_suffix, { stat = "p99", label = "p99" }],
      ]
    },
    {
      title = "Errors in 5 minutes"
      unit  = "responses"
      metrics = [
        ["AWS/ApplicationELB", "HTTPCode_Target_4XX_Count", "LoadBalancer", aws_lb.this.arn_suffix, "TargetGroup", aws_lb_target_group.this.arn_suffix, { stat = "Sum", label = "service 4xx" }],
        ["AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "LoadBalancer", aws_lb.this.arn_suffix, "TargetGroup", aws_lb_target_group.this.arn_suffix, { stat = "Sum", label = "service 5xx" }],
        ["AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", "LoadBalancer", aws_lb.this.arn_suffix, { stat = "Sum", label = "load balancer 5xx" }],
      ]
    },
    {
      title = "Instances"
      unit  = "tasks"
      metrics = [
        ["AWS/ApplicationELB", "HealthyHostCount", "LoadBalancer", aws_lb.this.arn_suffix, "TargetGroup", aws_lb_target_group.this.arn_suffix, { stat = "Minimum", label = "healthy" }],
        ["AWS/ApplicationELB", "UnHealthyHostCount", "LoadBalancer", aws_lb.this.arn_suffix, "TargetGroup", aws_lb_target_group.this.arn_suffix, { stat = "Maximum", label = "unhealthy" }],
      ]
    },
    {
      title = "CPU"
      unit  = "% of the reserved CPU"
      metrics = [
        ["AWS/ECS", "CPUUtilization", "ClusterName", aws_ecs_cluster.this.name, "ServiceName", aws_ecs_service.this.name, { stat = "Average", label = "average" }],
        ["AWS/ECS", "CPUUtilization", "ClusterName", aws_ecs_cluster.this.name, "ServiceName", aws_ecs_service.this.name, { stat = "Maximum", label = "maximum" }],
      ]
    },
    {
      title = "Memory"
      unit  = "% of the reserved memory"
      metrics = [
        ["AWS/ECS", "MemoryUtilization", "ClusterName", aws_ecs_cluster.this.name, "ServiceName", aws_ecs_service.this.name, { stat = "Average", label = "average" }],
        ["AWS/ECS", "MemoryUtilization", "ClusterName", aws_ecs_cluster.this.name, "ServiceName", aws_ecs_service.this.name, { stat = "Maximum", label = "maximum" }],
      ]
    },
  ]
}

# An account has one list of dashboards for all regions.
resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard ? 1 : 0

  dashboard_name = "${var.deployment_name}-service-${var.region}"
  dashboard_body = jsonencode({
    widgets = [for number, figure in local.figures : {
      type   = "metric"
      x      = number % 2 * 12
      y      = floor(number / 2) * 6
      width  = 12
      height = 6
      properties = {
        title   = figure.title
        metrics = figure.metrics
        region  = var.region
        view    = "timeSeries"
        period  = 300
        yAxis   = { left = { label = figure.unit, min = 0, showUnits = false } }
      }
    }]
  })
}
