"""Dashboards and alerts: the files are those of the list of figures, and both sides have the same alarms."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.metrics.provider.cold_start import reset_cold_start_flag
from aws_lambda_powertools.utilities.typing import LambdaContext

from deployment.dashboards.__main__ import contents
from deployment.dashboards.cloudwatch import SOURCES
from deployment.dashboards.figures import ALARMS, CLOUDWATCH_ONLY, FIGURES, Metric, Search
from local.checkout import ROOT
from serving.aws import observe
from serving.contract import STEPS, ImageSize, ModelName, PredictAnswer, PredictRequest, Timings
from serving.errors import ImageNotFound
from serving.http.metrics import ServiceMetrics
from serving.instance import Instance
from tests.deployment.modules import blocks_of, each_module, needs_terraform
from tests.deployment.terraform_files import literal
from tests.deployment.terraform_program import Evaluation


@pytest.mark.parametrize("path", contents(), ids=str)
def test_a_committed_file_is_the_generated_one(path: Path) -> None:
    assert (ROOT / path).read_text() == contents()[path], "run python -m deployment.dashboards"


@pytest.mark.slow
@needs_terraform
@each_module
def test_terraform_reads_every_figure_of_the_list(module: str, evaluated: Callable[..., Evaluation]) -> None:
    listed = [figure for figure in FIGURES if module in figure.widgets]
    found = evaluated(module).values["figures"]
    assert [(f["title"], f["unit"]) for f in found] == [(f.title, f.widgets[module].unit) for f in listed]
    for figure, widget in zip(listed, found, strict=True):
        names = [line.name for line in figure.widgets[module].lines if isinstance(line, Metric)]
        rows = [row for row in widget["metrics"] if "expression" not in row[-1]]
        assert [row[1] for row in rows] == names
        # Namespace, name, pairs of dimension and value, options.
        assert all(len(row) % 2 == 1 and row[-1]["stat"] for row in rows)


def test_every_platform_has_the_figures_that_an_on_call_engineer_asks_for_first() -> None:
    for module in SOURCES:
        titles = [figure.title for figure in FIGURES if module in figure.widgets]
        assert titles[:3] == ["Requests in 5 minutes", "Time of a request", "Errors in 5 minutes"]


@each_module
def test_every_alarm_of_a_module_is_one_of_prometheus_too_or_says_why_not(module: str) -> None:
    listed = {alarm.same_as[module] for alarm in ALARMS if module in alarm.same_as}
    assert alarms(module) == listed | set(CLOUDWATCH_ONLY.get(module, {}))


def alarms(module: str) -> set[str]:
    """The names of a module's alarms after the name of the deployment, as its templates give them."""
    text = (ROOT / "deployment" / "terraform" / module / "alarms.tf").read_text()
    named = set(re.findall(r'alarm_name += "\$\{[\w.]+\}-([\w-]+)"', text))
    repeated = re.findall(r"^  \w*alarms = \{\n(.*?)^  \}\n", text, re.M | re.S)
    return named | {name for block in repeated for name in re.findall(r"^    ([\w-]+) = \{$", block, re.M)}


def test_the_alarms_of_ecs_and_prometheus_have_the_same_limits() -> None:
    [count] = [b for b in blocks_of("ecs") if b.address == "variable.alarm_5xx_count"]
    [duration] = [b for b in blocks_of("lambda") if b.address == "variable.alarm_duration_ms"]
    by_name = {alarm.name: alarm for alarm in ALARMS}
    assert by_name["Yolov7ServerErrors"].threshold == count.body["default"]
    assert by_name["Yolov7Slow"].threshold == duration.body["default"] / 1000
    [slow] = [b for b in blocks_of("lambda") if b.address == "aws_cloudwatch_metric_alarm.duration"]
    assert by_name["Yolov7Slow"].for_s == slow.body["period"] * slow.body["evaluation_periods"]
    text = (ROOT / "deployment/terraform/ecs/alarms.tf").read_text()
    unhealthy = re.findall(r"unhealthy = \{.*?period += (\d+)\n +periods += (\d+)", text, re.S)
    assert [int(period) * int(periods) for period, periods in unhealthy] == [by_name["Yolov7InstanceDown"].for_s]


@each_module
def test_a_dashboard_can_be_left_out(module: str) -> None:
    [board] = [b for b in blocks_of(module) if b.address == "aws_cloudwatch_dashboard.this"]
    assert board.body["count"] == "${var.dashboard ? 1 : 0}"
    assert "region" in (literal(board.body["dashboard_name"]) or str(board.body["dashboard_name"]))


class Context(LambdaContext):
    """The part of Lambda's context that Powertools reads."""

    _function_name = "demo-function"
    _memory_limit_in_mb = 3000
    _invoked_function_arn = "arn"
    _aws_request_id = "1"


@pytest.fixture
def emitted(capsys: pytest.CaptureFixture[str]) -> set[tuple[str, tuple[str, ...]]]:
    """Name and dimensions of each metric that the function writes for one picture and one error, from a cold start."""
    timings = Timings(**dict.fromkeys(STEPS, 1.0), total=5.0)
    answer = PredictAnswer(
        filename="a.jpg", detections=[], timings_ms=timings, image=ImageSize(width=1, height=1),
        model=ModelName(name="m", version="1"),
    )  # fmt: skip

    def handler(_event: object, _context: object) -> None:
        observer = observe.CloudWatchObserver(Instance())
        observer.answered(PredictRequest(filename="a.jpg"), answer, "1")
        observer.failed(ImageNotFound("gone"), KeyError("gone"), "2")

    reset_cold_start_flag()  # type: ignore[no-untyped-call]
    observe.observed(handler)({}, Context())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    return {
        (metric["Name"], tuple(sorted(dimensions)))
        for directive in (directive for line in lines for directive in line["_aws"]["CloudWatchMetrics"])
        for dimensions in directive["Dimensions"]
        for metric in directive["Metrics"]
        if directive["Namespace"] == "YOLOv7"
    }


def test_the_function_emits_its_own_metrics_of_the_dashboard(emitted: set[tuple[str, tuple[str, ...]]]) -> None:
    lines = [line for figure in FIGURES if "lambda" in figure.widgets for line in figure.widgets["lambda"].lines]
    dimensions = {"own": ("service",), "cold": ("function_name", "service")}
    wanted = {(m.name, dimensions[m.source]) for m in lines if isinstance(m, Metric) and m.source in dimensions}
    wanted |= {(s.name, tuple(sorted((s.by, "service")))) for s in lines if isinstance(s, Search)}
    assert len(wanted) == len(STEPS) + 3
    assert wanted <= emitted


# Grafana


def board() -> dict[str, Any]:
    return dict(json.loads((ROOT / "deployment/dashboards/grafana.json").read_text()))


@pytest.mark.parametrize("typing_error", [False, True])
def test_grafana_knows_every_field_of_the_dashboard(typing_error: bool) -> None:
    if importlib.util.find_spec("grafana_foundation_sdk") is None:
        pytest.skip("grafana-foundation-sdk is not installed")
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import Dashboard

    content = board()
    if typing_error:
        content["panels"][0]["gridPosition"] = content["panels"][0].pop("gridPos")
    # Its models drop what Grafana's schema does not have.
    read = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(content)))
    assert missing(content, read) == ([".panels[0].gridPosition"] if typing_error else [])


def missing(ours: Any, theirs: Any, place: str = "") -> list[str]:
    """The places of a value that another value lacks or has otherwise."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [fault for key, value in ours.items() for fault in missing(value, theirs.get(key), f"{place}.{key}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [fault for i, value in enumerate(ours) for fault in missing(value, theirs[i], f"{place}[{i}]")]
    return [] if ours == theirs else [place]


def test_the_panels_do_not_overlap_and_have_an_id_each() -> None:
    panels = board()["panels"]
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in panels}) == len(panels) == len(FIGURES)


def test_every_metric_in_promql_is_one_of_the_service() -> None:
    metrics = ServiceMetrics()
    metrics.requests.labels("/predict", 200).inc()
    metrics.seconds.labels("/predict").observe(1)
    metrics.steps.labels("detect").observe(1)
    metrics.detections.labels("car").inc()
    metrics.errors.labels("overloaded").inc()
    there = set(re.findall(r"^(\w+)", bytes(metrics.page().body).decode(), re.M))
    queries = [query.promql for figure in FIGURES for query in figure.queries] + [alarm.promql for alarm in ALARMS]
    asked = {name for query in queries for name in re.findall(r"\b((?:yolov7|process)_\w+)", query)}
    assert asked <= there and len(asked) > 7
