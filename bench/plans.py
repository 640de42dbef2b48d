"""What planning takes: a whole plan, and `python -m bench.plans`, a month of 10 requests/s with 20 configurations.

Each runs in a process of its own, which counts its processor seconds and its memory. Compiled loops come from numba's
cache, so both run once before, on little traffic.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loadtest.cost.prices import load_prices
from local.checkout import ROOT
from planner.aws_lambda.rules import AWS_2020
from planner.plan.candidates import Candidate, FunctionCandidate
from planner.plan.cli import MEASURED
from planner.plan.evaluate import evaluate_all
from planner.plan.measured import read_measured
from planner.plan.objective import parse_objective
from planner.plan.search import wide
from planner.plan.world import World, measure
from planner.traffic import load_traffic

MODEL = "yolov7-w6-random"
RATE, DAYS = 10, 30
INSTANCE_TYPE, OBJECTIVE = "t3a.xlarge", "p95<=3s,errors<=0.1%"
# The first ones of each platform that a search tries; 20 in all. Those of one platform take about the same time each.
NUMBERS = {"Lambda": 6, "ECS": 6, "Fargate": 4, "Hybrid": 2, "Kubernetes": 1, "Knative": 1}


def measure_plans() -> dict[str, dict[str, Any]]:
    """Wall and processor seconds and the peak of memory of both."""
    with tempfile.TemporaryDirectory() as folder:
        plan = ["planner", "plan", "--model", MODEL, "--output", str(Path(folder, "plan.html")), "--traffic"]
        commands = {
            "office-day": (plan, ["sparse", "--seeds", "2"], ["office-day"]),
            "month": (["bench.plans", "--days"], ["0.01"], [str(DAYS)]),
        }
        found = {}
        for name, (command, little, whole) in commands.items():
            used([*command, *little])
            sys.stderr.write(f"\r{name:<70}")
            found[name] = used([*command, *whole])
    sys.stderr.write("\r" + " " * 70 + "\r")
    return found


def used(arguments: Sequence[str]) -> dict[str, Any]:
    """Run a module in a process of its own; raises CalledProcessError."""
    command = [sys.executable, "-m", *arguments]
    begin = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return {
        "wall_s": round(time.perf_counter() - begin, 1), "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mb": round(usage.ru_maxrss / 1024),
    }  # fmt: skip


def to_rows(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The table; only words and rounding here."""
    titles = {
        "office-day": "`python -m planner plan --traffic office-day`: all configurations, what turns the decision, "
        "cost over volume, map, page",
        "month": f"a month of {RATE} requests/s ({RATE * DAYS * 86_400:,} requests) with {sum(NUMBERS.values())} "
        "configurations, each once (`python -m bench.plans`)",
    }
    rows = ["| planning, in a process of its own | wall, s | processors, s | peak memory, MB |", "|---|---|---|---|"]
    for name, one in found.items():
        rows.append(f"| {titles[name]} | {one['wall_s']:,} | {one['cpu_s']:,} | {one['peak_mb']:,} |")
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Simulate the month once with each configuration; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.plans", description=__doc__)
    parser.add_argument("--days", type=float, default=DAYS, help="days of the traffic")
    options = parser.parse_args(arguments)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(f"kind: constant\nabout: Much traffic\nrate_per_s: {RATE}\nfor_days: {options.days}\n")
        file.flush()
        demand = measure(load_traffic(file.name))
        given, objective = world(), parse_objective(OBJECTIVE)
        for _, one in evaluate_all(chosen(given), demand, given, objective, 1):
            figures = f"p95 {one.figures.p95_s.value:.2f} s, {one.figures.errors.value:.2%} errors"
            sys.stdout.write(f"{one.label}: {figures}\n")
    return 0


def world() -> World:
    """The committed runs, by the rules of a plan."""
    times, _ = read_measured([MEASURED / "runs", MEASURED / "more"], model=MODEL)
    return World(
        functions=tuple(one for one in times if one.platform == "lambda"),
        services={one.platform: one for one in times if one.platform != "lambda"},
        prices=load_prices(), region="us-east-1", lifetimes=AWS_2020, cores_per_request=1.7,
    )  # fmt: skip


def chosen(given: World) -> list[Candidate]:
    """The configurations that are simulated."""
    candidates = wide(given, INSTANCE_TYPE, RATE)
    plain = [one for one in candidates if not (isinstance(one, FunctionCandidate) and one.provisioned)]
    return [
        one for platform, number in NUMBERS.items()
        for one in [other for other in plain if other.platform == platform][:number]
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
