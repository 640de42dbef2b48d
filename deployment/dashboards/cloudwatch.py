"""Writes dashboard.tf of a Terraform module."""

from __future__ import annotations

import json
from collections.abc import Iterator

from deployment.dashboards.figures import FIGURES, Metric, Search, Widget

# Namespace and dimensions of each source, as expressions of Terraform.
_FUNCTION = "aws_lambda_function.this.function_name"
_BALANCER = '"AWS/ApplicationELB", "LoadBalancer", aws_lb.this.arn_suffix'
_GROUP = "aws_lb_target_group.this.arn_suffix"
_OWN = 'local.own_namespace, "service", local.own_service'
SOURCES = {
    "lambda": {
        "function": f'"AWS/Lambda", "FunctionName", {_FUNCTION}',
        "api": '"AWS/ApiGateway", "ApiId", aws_apigatewayv2_api.this.id',
        "own": _OWN,
        "cold": f'{_OWN}, "function_name", {_FUNCTION}',
    },
    "ecs": {
        "balancer": _BALANCER,
        "targets": f'{_BALANCER}, "TargetGroup", {_GROUP}',
        "target": f'"AWS/ApplicationELB", "TargetGroup", {_GROUP}',
        "service": '"AWS/ECS", "ClusterName", aws_ecs_cluster.this.name, "ServiceName", aws_ecs_service.this.name',
    },
}
NAMES = {"lambda": "${local.function_name}-${var.region}", "ecs": "${var.deployment_name}-service-${var.region}"}

_LOCALS = {
    "lambda": """\
  # Powertools' namespace and service of the function's own metrics.
  own_namespace = lookup(var.env, "POWERTOOLS_METRICS_NAMESPACE", "YOLOv7")
  own_service   = lookup(var.env, "POWERTOOLS_SERVICE_NAME", "yolov7")

""",
    "ecs": "",
}

_FILE = """\
# python -m deployment.dashboards writes this file from deployment/dashboards/figures.py.

locals {
@LOCALS@  figures = [
@FIGURES@  ]
}

# An account has one list of dashboards for all regions.
resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard ? 1 : 0

  dashboard_name = "@NAME@"
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
"""


def dashboard(module: str) -> str:
    """The content of a module's dashboard.tf, formatted as terraform fmt does."""
    figures = "".join(
        _figure(module, figure.title, figure.widgets[module]) for figure in FIGURES if module in figure.widgets
    )
    parts = {"LOCALS": _LOCALS[module], "FIGURES": figures, "NAME": NAMES[module]}
    text = _FILE
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part)
    return text


def _figure(module: str, title: str, widget: Widget) -> str:
    lines = "".join(f"        {line},\n" for line in _lines(module, widget))
    return (
        "    {\n"
        f"      title = {json.dumps(title)}\n"
        f"      unit  = {json.dumps(widget.unit)}\n"
        f"      metrics = [\n{lines}      ]\n"
        "    },\n"
    )


def _lines(module: str, widget: Widget) -> Iterator[str]:
    for line in widget.lines:
        if isinstance(line, Search):
            yield _search(line)
        else:
            yield _metric(module, line)


def _metric(module: str, line: Metric) -> str:
    namespace, *dimensions = SOURCES[module][line.source].split(", ")
    row = ", ".join([namespace, json.dumps(line.name), *dimensions])
    return f"[{row}, {{ stat = {json.dumps(line.stat)}, label = {json.dumps(line.label)} }}]"


def _search(line: Search) -> str:
    expression = f"SEARCH('{{${{local.own_namespace}},{line.by},service}} MetricName=\"{line.name}\"', 'Sum')"
    return f'[{{ expression = {json.dumps(expression)}, id = "{line.name}" }}]'
