"""A real Prometheus and its promtool read the alerts, and every query of the dashboard, from a real service.

`apt-get install prometheus`, or its two programs on the PATH; without them these tests are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployment.dashboards.figures import ALARMS, FIGURES
from local.checkout import ROOT
from local.doors import LocalService
from local.processes import free_port, running, wait_until_ready
from scenes.render import Scene
from serving.contract import STEPS
from tests.conftest import predict, to_jpeg, upload, wait_for

ALERTS = ROOT / "deployment" / "dashboards" / "alerts.yaml"
QUERIES = {f"{figure.title}, {query.legend}": query.promql for figure in FIGURES for query in figure.queries}
# No request is in progress when Prometheus looks, and the service may have started a while ago.
CAN_BE_ZERO = {"Simultaneous requests, in progress", "Starts in 5 minutes, new instances"}
OURS = '{job="yolov7", instance="pod:9090"}'
BUCKETS = {bound: f'yolov7_request_duration_seconds_bucket{{job="yolov7", path="/predict", le="{bound}"}}'
           for bound in ("10", "30", "+Inf")}  # fmt: skip

needs_prometheus = pytest.mark.skipif(
    not all(map(shutil.which, ("prometheus", "promtool"))), reason="prometheus and promtool are not installed"
)

# By alert: series for each minute, the minute at which it fires first, and labels that the alert has then.
FIRES: dict[str, tuple[dict[str, str], int, dict[str, str]]] = {
    "Yolov7ServerErrors": (
        {'yolov7_requests_total{job="yolov7", path="/predict", status="502"}': "0x10 3x5 20x40"}, 17, {"job": "yolov7"},
    ),
    "Yolov7Slow": (
        {BUCKETS["10"]: "0+1x60", BUCKETS["30"]: "0+20x60", BUCKETS["+Inf"]: "0+20x60"}, 16, {"job": "yolov7"},
    ),
    "Yolov7Overloaded": (
        {'yolov7_errors_total{job="yolov7", code="overloaded"}': "0x20 1x40"}, 21, {"job": "yolov7"},
    ),
    "Yolov7InstanceDown": (
        {f"up{OURS}": "1x20 0x40", f"yolov7_requests_in_progress{OURS}": "0x20 stale _x39"},
        24, {"job": "yolov7", "instance": "pod:9090"},
    ),
    "Yolov7NoInstance": ({f"yolov7_requests_in_progress{OURS}": "0x20 stale _x39"}, 26, {}),
}  # fmt: skip


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60)


@needs_prometheus
def test_promtool_accepts_the_alerts() -> None:
    done = promtool("check", "rules", str(ALERTS))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"SUCCESS: {len(ALARMS)} rules found" in done.stdout


@needs_prometheus
@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm.name)
def test_an_alert_fires_when_it_must_and_not_a_minute_before(alarm: Any, tmp_path: Path) -> None:
    series, minute, labels = FIRES[alarm.name]
    fired = [{"exp_labels": {**labels, "service": "yolov7"}, "exp_annotations": {"summary": alarm.summary}}]
    case = {
        "rule_files": [str(ALERTS)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "alert_rule_test": [
                    {"eval_time": f"{minute - 1}m", "alertname": alarm.name, "exp_alerts": []},
                    {"eval_time": f"{minute}m", "alertname": alarm.name, "exp_alerts": fired},
                ],
            }
        ],
    }
    (tmp_path / "case.yaml").write_text(yaml.safe_dump(case))
    done = promtool("test", "rules", str(tmp_path / "case.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def prometheus(service: LocalService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus that scrapes the service every second and has read the alerts."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [
            {"job_name": "yolov7", "static_configs": [{"targets": [service.url.removeprefix("http://")]}]}
        ],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    command = [
        "prometheus", f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with running(command, env=dict(os.environ), log=folder / "log", cwd=folder) as process:
        wait_until_ready(process, f"{url}/-/ready", name="prometheus", log=folder / "log", timeout_s=60)
        yield url


def values(url: str, promql: str) -> dict[str, float]:
    """The value of each series of a query, by its labels."""
    asked = f"{url}/api/v1/query?{urllib.parse.urlencode({'query': promql})}"
    with urllib.request.urlopen(asked, timeout=10) as response:
        found = json.load(response)["data"]["result"]
    return {json.dumps(series["metric"], sort_keys=True): float(series["value"][1]) for series in found}


@needs_prometheus
def test_every_query_of_the_dashboard_has_data_of_a_real_service(
    prometheus: str, service: LocalService, scene: Scene
) -> None:
    key = upload(service.s3, "dashboard.jpg", to_jpeg(scene.image))

    def ask() -> None:
        assert predict(service, {"filename": key}).status == 200
        assert predict(service, {"filename": "not-there.jpg"}).status == 404

    # An increase needs two samples of a series, so the series must be there before the requests that it shows.
    ask()
    assert wait_for(lambda: values(prometheus, "yolov7_errors_total"), timeout_s=30)
    ask()
    empty = set(QUERIES)

    def filled() -> bool:
        empty.difference_update({name for name in empty if any(v > 0 for v in found(name).values())})
        return not empty - CAN_BE_ZERO

    def found(name: str) -> dict[str, float]:
        return values(prometheus, QUERIES[name])

    assert wait_for(filled, timeout_s=30), empty
    assert [name for name in QUERIES if not found(name)] == []
    steps = {json.loads(labels)["step"] for labels in found("Time of each step, p95, {{step}}")}
    assert steps == set(STEPS)
    codes = {json.loads(labels)["code"] for labels in found("Errors in 5 minutes, {{code}}")}
    assert "image_not_found" in codes
    assert values(prometheus, 'ALERTS{alertname=~"Yolov7.*",alertstate="firing"}') == {}
