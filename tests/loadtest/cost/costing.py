"""Prices and runs for the tests of the costs."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from loadtest.cost.offers import Offer
from loadtest.cost.prices import Burstable, Prices
from loadtest.cost.tariff import Instances
from loadtest.platforms.registry import PLATFORMS
from loadtest.results.summary import CostOption, Phase, RunInfo, Summary

TODAY = date(2026, 11, 22)
KNOWN = {"source": "https://aws.amazon.com/pricing/", "seen": "2026-11-01", "known_by": "a test"}
LCU = {
    "new_connections_per_s": 25,
    "active_connections_per_minute": 3000,
    "processed_gb_per_hour": 1.0,
    "rule_evaluations_per_s": 1000,
    "free_rules": 10,
    **KNOWN,
}


def price(usd: float, unit: str) -> dict[str, Any]:
    return {"usd": usd, "unit": unit, **KNOWN}


def function(usd: float) -> dict[str, Any]:
    return {
        "gb_second": price(usd, "GB-second"),
        "request": price(2e-7, "request"),
        "provisioned_gb_second": price(4e-6, "GB-second"),
    }


def task(usd: float) -> dict[str, Any]:
    return {"vcpu_hour": price(usd, "vCPU-hour"), "gb_hour": price(usd / 10, "GB-hour")}


# Round prices make the sums easy to check, and new real prices do not change these tests.
CONTENT: dict[str, Any] = {
    "regions": {
        "us-east-1": {
            "lambda": {"x86_64": function(1e-5), "arm64": function(8e-6)},
            "http_api": price(1.0, "million requests"),
            "ec2": {"c6a.xlarge": price(0.2, "hour"), "t3a.xlarge": price(0.1, "hour")},
            "surplus_credits": price(0.05, "vCPU-hour"),
            "fargate": {"x86_64": task(0.04), "arm64": task(0.03)},
            "alb": {"hour": price(0.02, "hour"), "lcu_hour": price(0.01, "LCU-hour")},
        }
    },
    "lcu": LCU,
    "burstable": {"t3a.xlarge": {"vcpus": 4, "baseline": 0.4, **KNOWN}},
}
ROUND = Prices.model_validate_json(json.dumps(CONTENT))
REGION = ROUND.regions["us-east-1"]


def summary(
    platform: str = "lambda", label: str = "", *, requests: int = 100, billed_ms: float | None = 800.0, **changes: Any
) -> Summary:
    """A run on one platform; changes may be fields of RunInfo or of Summary."""
    run: dict[str, Any] = {
        "name": "run", "folder": "f", "profile": "p", "question": "q", "mode": "closed", "platform": platform,
        "where": "aws", "label": label or platform, "target": "t", "model": "yolov7-w6", "commit": "c",
        "image": "i", "machine": "2 cores", "started": "2026-11-22", "status": "finished", "command": "make",
    }  # fmt: skip
    run["settings"] = PLATFORMS[platform].parse(changes.pop("settings", {}))
    errors = changes.get("errors", {})
    own: dict[str, Any] = {
        "duration_s": 100.0, "requests": requests, "answered": requests - sum(errors.values()), "errors": errors,
        "throughput_per_s": 1.0, "offered_per_s": None, "all": None, "cold": None, "warm": None, "corrected": None,
        "lag_ms": None, "cold_starts": {}, "instances": 1, "steps_ms": {}, "billed_ms": billed_ms,
        "answer_bytes": 1000.0, "phases": [], "points": [],
    }  # fmt: skip
    run |= {key: value for key, value in changes.items() if key in run}
    own |= {key: value for key, value in changes.items() if key in own}
    return Summary(run=RunInfo(**run), **own)


def option(runs: list[Summary]) -> CostOption:
    """The costs of runs of one label."""
    return offer(runs).option


def offer(runs: list[Summary]) -> Offer:
    """The costs of runs of one label, with their curve."""
    price = PLATFORMS[runs[0].run.platform].price
    assert price
    return price(runs, ROUND)


def phase(throughput: float, requests: int = 1000, errors: int = 0) -> Phase:
    return Phase("8 users", "users", 0.0, 8, requests, errors, 0, throughput, None, None)


T3A = Instances(
    instance_usd=73, balancer_usd=14.6, balancer_usd_per_picture=0, capacity=70_000,
    burst=Burstable.model_validate_json(json.dumps(CONTENT["burstable"]["t3a.xlarge"])), surplus_usd=0.05,
)  # fmt: skip
