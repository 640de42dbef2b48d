"""The figures that every dashboard shows, and the alarms: the one list that all files are written from."""

from __future__ import annotations

from dataclasses import dataclass, field

from serving.contract import STEPS

# The process metrics of the service alone: other targets of the same Prometheus have metrics of these names.
OURS = "and on (job, instance) yolov7_requests_in_progress"


@dataclass(frozen=True)
class Metric:
    """One line of a CloudWatch widget; `source` names its namespace and dimensions in cloudwatch.SOURCES."""

    source: str
    name: str
    stat: str
    label: str


@dataclass(frozen=True)
class Search:
    """Lines of a CloudWatch widget, one for each value of the dimension `by` of the function's own metric `name`."""

    name: str
    by: str


@dataclass(frozen=True)
class Widget:
    """A figure in CloudWatch on one platform, with the unit of its metrics there."""

    unit: str
    lines: tuple[Metric | Search, ...]


@dataclass(frozen=True)
class Query:
    """One PromQL expression; `legend` is Grafana's name of each of its series."""

    promql: str
    legend: str


@dataclass(frozen=True)
class Figure:
    """One chart; `unit` is the axis in Grafana, `format` Grafana's unit. `widgets` is by module of Terraform.

    A platform without a widget has no such metric in CloudWatch.
    """

    title: str
    unit: str
    format: str
    queries: tuple[Query, ...]
    widgets: dict[str, Widget] = field(default_factory=dict)


@dataclass(frozen=True)
class Alarm:
    """One alert of Prometheus; `same_as` has the names of the alarms of each Terraform module that it stands for."""

    name: str
    summary: str
    promql: str
    threshold: float
    for_s: int
    same_as: dict[str, str]


def _quantile(share: str, metric: str, by: str) -> str:
    return f"histogram_quantile({share}, sum by ({by}) (rate({metric}[5m])))"


FIGURES = (
    Figure(
        "Requests in 5 minutes",
        "requests",
        "short",
        (Query('sum by (status) (increase(yolov7_requests_total{path="/predict"}[5m]))', "{{status}}"),),
        {
            "lambda": Widget(
                "requests",
                (Metric("function", "Invocations", "Sum", "invocations"), Metric("api", "Count", "Sum", "HTTP API")),
            ),
            "ecs": Widget(
                "requests",
                (
                    Metric("targets", "RequestCount", "Sum", "all tasks"),
                    Metric("target", "RequestCountPerTarget", "Sum", "per task"),
                ),
            ),
        },
    ),
    Figure(
        "Time of a request",
        "seconds",
        "s",
        tuple(
            Query(_quantile(share, 'yolov7_request_duration_seconds_bucket{path="/predict"}', "le"), label)
            for share, label in (("0.5", "p50"), ("0.95", "p95"), ("0.99", "p99"))
        ),
        {
            "lambda": Widget(
                "milliseconds", tuple(Metric("function", "Duration", stat, stat) for stat in ("p50", "p95", "p99"))
            ),
            "ecs": Widget(
                "seconds", tuple(Metric("targets", "TargetResponseTime", stat, stat) for stat in ("p50", "p95", "p99"))
            ),
        },
    ),
    Figure(
        "Errors in 5 minutes",
        "responses",
        "short",
        (Query("sum by (code) (increase(yolov7_errors_total[5m]))", "{{code}}"),),
        {
            "lambda": Widget(
                "responses",
                (
                    Search("errors", "code"),
                    Metric("function", "Errors", "Sum", "failed invocations"),
                    Metric("function", "Throttles", "Sum", "throttled"),
                    Metric("api", "5xx", "Sum", "HTTP API 5xx"),
                ),
            ),
            "ecs": Widget(
                "responses",
                (
                    Metric("targets", "HTTPCode_Target_4XX_Count", "Sum", "service 4xx"),
                    Metric("targets", "HTTPCode_Target_5XX_Count", "Sum", "service 5xx"),
                    Metric("balancer", "HTTPCode_ELB_5XX_Count", "Sum", "load balancer 5xx"),
                ),
            ),
        },
    ),
    Figure(
        "Time of each step, p95",
        "seconds",
        "s",
        (Query(_quantile("0.95", "yolov7_step_duration_seconds_bucket", "le, step"), "{{step}}"),),
        {"lambda": Widget("milliseconds", tuple(Metric("own", step, "p95", step) for step in STEPS))},
    ),
    Figure(
        "Simultaneous requests",
        "requests",
        "short",
        (Query("sum(yolov7_requests_in_progress)", "in progress"),),
        {"lambda": Widget("requests", (Metric("function", "ConcurrentExecutions", "Maximum", "in progress"),))},
    ),
    Figure(
        "Objects found in 5 minutes",
        "objects",
        "short",
        (Query("topk(10, sum by (label) (increase(yolov7_detections_total[5m])))", "{{label}}"),),
        {"lambda": Widget("objects", (Metric("own", "detections", "Sum", "objects"),))},
    ),
    Figure(
        "Instances",
        "instances",
        "short",
        (Query("count(yolov7_requests_in_progress)", "scraped"),),
        {
            "ecs": Widget(
                "tasks",
                (
                    Metric("targets", "HealthyHostCount", "Minimum", "healthy"),
                    Metric("targets", "UnHealthyHostCount", "Maximum", "unhealthy"),
                ),
            )
        },
    ),
    Figure(
        "Starts in 5 minutes",
        "starts",
        "short",
        (Query(f"count(time() - (process_start_time_seconds {OURS}) < 300) or vector(0)", "new instances"),),
        {"lambda": Widget("starts", (Metric("cold", "ColdStart", "Sum", "cold starts"),))},
    ),
    Figure(
        "CPU",
        "processors",
        "short",
        (Query(f"rate(process_cpu_seconds_total[5m]) {OURS}", "{{instance}}"),),
        {
            "ecs": Widget(
                "% of the reserved CPU",
                tuple(Metric("service", "CPUUtilization", stat, stat.lower()) for stat in ("Average", "Maximum")),
            )
        },
    ),
    Figure(
        "Memory",
        "bytes",
        "bytes",
        (Query(f"process_resident_memory_bytes {OURS}", "{{instance}}"),),
        {
            "ecs": Widget(
                "% of the reserved memory",
                tuple(Metric("service", "MemoryUtilization", stat, stat.lower()) for stat in ("Average", "Maximum")),
            )
        },
    ),
)

ALARMS = (
    Alarm(
        "Yolov7ServerErrors",
        "The service sent more than 5 responses with 5xx in 5 minutes",
        'sum by (job) (increase(yolov7_requests_total{status=~"5.."}[5m]))',
        5,
        0,
        {"lambda": "errors", "ecs": "service-5xx"},
    ),
    Alarm(
        "Yolov7Slow",
        "The p95 of the time of a request is above 10 s",
        _quantile("0.95", 'yolov7_request_duration_seconds_bucket{path="/predict"}', "job, le"),
        10,
        900,
        {"lambda": "duration"},
    ),
    Alarm(
        "Yolov7Overloaded",
        "The service refused a request because its queue was full",
        'sum by (job) (increase(yolov7_errors_total{code="overloaded"}[5m]))',
        0,
        0,
        {"lambda": "throttles"},
    ),
    Alarm(
        "Yolov7InstanceDown",
        "An instance that answered within the last hour cannot be scraped",
        "(1 - up) and on (job, instance) last_over_time(yolov7_requests_in_progress[1h])",
        0,
        180,
        {"ecs": "unhealthy"},
    ),
    Alarm(
        "Yolov7NoInstance",
        "No instance of the service can be scraped",
        "absent(yolov7_requests_in_progress)",
        0,
        300,
        {"ecs": "balancer-5xx"},
    ),
)

# Alarms of the modules without one in Prometheus, with the reason.
_FAILED = {"failed": "SQS counts what is in the dead-letter queue, and no instance does"}
CLOUDWATCH_ONLY = {"lambda": _FAILED, "ecs": _FAILED}
