"""Writes the dashboard for Grafana and the alerts for Prometheus."""

from __future__ import annotations

import json
from typing import Any

import yaml

from deployment.dashboards.figures import ALARMS, FIGURES, Figure

HEAD = "# python -m deployment.dashboards writes this file from deployment/dashboards/figures.py.\n"
# The variable at the top of the dashboard.
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_SCHEMA = 39  # Of Grafana 10; later versions convert it.


def grafana() -> str:
    """The dashboard as JSON, for Grafana's import or its provisioning."""
    content = {
        "uid": "yolov7",
        "title": "YOLOv7",
        "description": "The service's /metrics; python -m deployment.dashboards writes it.",
        "tags": ["yolov7"],
        "editable": True,
        "schemaVersion": _SCHEMA,
        "timezone": "browser",
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus"}]
        },
        "panels": [_panel(number, figure) for number, figure in enumerate(FIGURES)],
    }
    return json.dumps(content, indent=2) + "\n"


def _panel(number: int, figure: Figure) -> dict[str, Any]:
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": figure.title,
        "datasource": _SOURCE,
        "gridPos": {"x": number % 2 * 12, "y": number // 2 * 8, "w": 12, "h": 8},
        "fieldConfig": {
            "defaults": {"unit": figure.format, "min": 0, "custom": {"axisLabel": figure.unit, "fillOpacity": 10}},
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}},
        "targets": [
            {"refId": chr(ord("A") + i), "datasource": _SOURCE, "expr": query.promql, "legendFormat": query.legend}
            for i, query in enumerate(figure.queries)
        ],
    }


def alerts() -> str:
    """The rules as YAML, for Prometheus' rule_files."""
    rules = [
        {
            "alert": alarm.name,
            "expr": f"({alarm.promql}) > {alarm.threshold:g}",
            **({"for": f"{alarm.for_s}s"} if alarm.for_s else {}),
            "labels": {"service": "yolov7"},
            "annotations": {"summary": alarm.summary},
        }
        for alarm in ALARMS
    ]
    content = {"groups": [{"name": "yolov7", "rules": rules}]}
    return HEAD + yaml.safe_dump(content, sort_keys=False, width=1000)
