# python -m deployment.dashboards writes this file from deployment/dashboards/figures.py.

locals {
  # Powertools' namespace and service of the function's own metrics.
  own_namespace = lookup(var.env, "POWERTOOLS_METRICS_NAMESPACE", "YOLOv7")
  own_service   = lookup(var.env, "POWERTOOLS_SERVICE_NAME", "yolov7")

  figures = [
    {
      title = "Requests in 5 minutes"
      unit  = "requests"
      metrics = [
        ["AWS/Lambda", "Invocations", "FunctionName", aws_lambda_function.this.function_name, { stat = "Sum", label = "invocations" }],
        ["AWS/ApiGateway", "Count", "ApiId", aws_apigatewayv2_api.this.id, { stat = "Sum", label = "HTTP API" }],
      ]
    },
    {
      title = "Time of a request"
      unit  = "milliseconds"
      metrics = [
        ["AWS/Lambda", "Duration", "FunctionName", aws_lambda_function.this.function_name, { stat = "p50", label = "p50" }],
        ["AWS/Lambda", "Duration", "FunctionName", aws_lambda_function.this.function_name, { stat = "p95", label = "p95" }],
        ["AWS/Lambda", "Duration", "FunctionName", aws_lambda_function.this.function_name, { stat = "p99", label = "p99" }],
      ]
    },
    {
      title = "Errors in 5 minutes"
      unit  = "responses"
      metrics = [
        [{ expression = "SEARCH('{${local.own_namespace},code,service} MetricName=\"errors\"', 'Sum')", id = "errors" }],
        ["AWS/Lambda", "Errors", "FunctionName", aws_lambda_function.this.function_name, { stat = "Sum", label = "failed invocations" }],
        ["AWS/Lambda", "Throttles", "FunctionName", aws_lambda_function.this.function_name, { stat = "Sum", label = "throttled" }],
        ["AWS/ApiGateway", "5xx", "ApiId", aws_apigatewayv2_api.this.id, { stat = "Sum", label = "HTTP API 5xx" }],
      ]
    },
    {
      title = "Time of each step, p95"
      unit  = "milliseconds"
      metrics = [
        [local.own_namespace, "fetch", "service", local.own_service, { stat = "p95", label = "fetch" }],
        [local.own_namespace, "decode", "service", local.own_service, { stat = "p95", label = "decode" }],
        [local.own_namespace, "detect", "service", local.own_service, { stat = "p95", label = "detect" }],
        [local.own_namespace, "annotate", "service", local.own_service, { stat = "p95", label = "annotate" }],
        [local.own_namespace, "store", "service", local.own_service, { stat = "p95", label = "store" }],
      ]
    },
    {
      title = "Simultaneous requests"
      unit  = "requests"
      metrics = [
        ["AWS/Lambda", "ConcurrentExecutions", "FunctionName", aws_lambda_function.this.function_name, { stat = "Maximum", label = "in progress" }],
      ]
    },
    {
      title = "Objects found in 5 minutes"
      unit  = "objects"
      metrics = [
        [local.own_namespace, "detections", "service", local.own_service, { stat = "Sum", label = "objects" }],
      ]
    },
    {
      title = "Starts in 5 minutes"
      unit  = "starts"
      metrics = [
        [local.own_namespace, "ColdStart", "service", local.own_service, "function_name", aws_lambda_function.this.function_name, { stat = "Sum", label = "cold starts" }],
      ]
    },
  ]
}

# An account has one list of dashboards for all regions.
resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard ? 1 : 0

  dashboard_name = "${local.function_name}-${var.region}"
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
