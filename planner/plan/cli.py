"""The command `plan`: its options, and the files that it writes."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from loadtest.cost.prices import PRICES, load_prices
from loadtest.report.files import typed, write_texts
from local.checkout import ROOT
from planner.errors import PlannerError
from planner.plan.make import LIFETIMES, Request, make_plan
from planner.plan.objective import parse_objective
from planner.plan.spot import Spot
from planner.plan.types import Plan
from planner.traffic import load_traffic

MEASURED = ROOT / "loadtest" / "measured"
OUTPUT = Path("results/plan.html")
OBJECTIVE = "p95<=2s,errors<=0.1%"
SEEDS = (2, 100)
WIDTH = 100  # Characters of a line of progress.


def add(command: argparse.ArgumentParser) -> None:
    """Add the options."""
    command.add_argument(
        "--traffic", required=True, nargs="+", help="a profile, a shape, a .yaml or .csv file, or access logs"
    )
    command.add_argument("--scale", type=float, default=1, help="factor for the number of requests, e.g. 10 or 0.1")
    command.add_argument("--slo", default=OBJECTIVE, help="the objective, %(default)s by default")
    command.add_argument(
        "--measured", nargs="+", type=Path, default=[MEASURED / "runs", MEASURED / "more"], metavar="RUNS",
        help="runs of the load tests, or folders of runs; the committed ones by default",
    )  # fmt: skip
    command.add_argument("--model", help="the model of the runs, if they are of several")
    command.add_argument(
        "--picture",
        default=Request.picture,
        help="the kind of picture: scenes, small, medium or large; or several, e.g. small=70%%,large=30%%",
    )
    command.add_argument("--region", default=Request.region, help="the region of the prices")
    command.add_argument("--spot-discount", help="try spot instances for ECS, so much below the list price, e.g. 60%%")
    command.add_argument(
        "--spot-interruptions", default="20%",
        help="share of spot instances that are interrupted in a month, 20%% by default; see the Spot Instance Advisor",
    )  # fmt: skip
    command.add_argument("--instance-type", help="EC2 instances of ECS, those of the templates by default")
    command.add_argument("--prices", type=Path, default=PRICES, help="file of prices")
    command.add_argument(
        "--lifetimes", choices=sorted(LIFETIMES), default=Request.lifetimes, help="rules of Lambda's idle instances"
    )
    command.add_argument(
        "--cores-per-request",
        type=float,
        default=Request.cores_per_request,
        help="processors that a detection keeps busy",
    )
    command.add_argument("--restore-s", type=float, help="try SnapStart, with this time of a restore, in seconds")
    command.add_argument(
        "--search", action="store_true", help="try memory sizes, provisioned instances, minimum counts and more"
    )
    command.add_argument("--seeds", type=int, default=Request.seeds, help="simulations behind each range")
    command.add_argument("--seed", type=int, default=1, help="seed of the random part of the arrivals")
    command.add_argument("--report", type=Path, help="the report of the same runs, to which the page links")
    command.add_argument("--output", type=Path, default=OUTPUT, help="file of the page")
    for kind in ("json", "csv", "markdown"):
        command.add_argument(f"--{kind}", action="store_true", help="write this format as well, next to the page")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make a plan and write its files; returns the exit status."""
    if not SEEDS[0] <= options.seeds <= SEEDS[1]:
        raise PlannerError(f"--seeds is {options.seeds}, and must be from {SEEDS[0]} to {SEEDS[1]}")
    if not 0 < options.cores_per_request <= 192:
        raise PlannerError(f"--cores-per-request is {options.cores_per_request:g}, and must be above 0, at most 192")
    if options.restore_s is not None and not 0 < options.restore_s <= 60:
        raise PlannerError(f"--restore-s is {options.restore_s:g}, and must be above 0, at most 60")
    request = Request(
        runs=options.measured, traffic=load_traffic(*options.traffic, seed=options.seed, scale=options.scale),
        objective=parse_objective(options.slo), prices=load_prices(options.prices), region=options.region,
        instance_type=options.instance_type,
        model=options.model, picture=options.picture, lifetimes=options.lifetimes,
        cores_per_request=options.cores_per_request, restore_s=options.restore_s, spot=_spot(options),
        wide=options.search, seeds=options.seeds,
    )  # fmt: skip
    plan = make_plan(request, _progress())
    _write(plan, options)
    return 0


def _spot(options: argparse.Namespace) -> Spot | None:
    if options.spot_discount is None:
        return None
    discount = _percent("--spot-discount", options.spot_discount)
    return Spot(discount, _percent("--spot-interruptions", options.spot_interruptions))


def _percent(option: str, text: str) -> float:
    """A share above 0% and below 100%."""
    try:
        percent = float(text.removesuffix("%")) if text.endswith("%") else math.nan
    except ValueError:
        percent = math.nan
    if not 0 < percent < 100:
        raise PlannerError(f"{option} is {text[:40]!r}, and must be above 0% and below 100%, e.g. 60%")
    return percent / 100


def _progress() -> Callable[[str], None]:
    """Shows one line that changes on a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        return lambda _: None
    return lambda text: print(f"\r{text[:WIDTH]:{WIDTH}}", end="", file=sys.stderr, flush=True)


def _write(plan: Plan, options: argparse.Namespace) -> None:
    # They bring the renderer of charts, which the other commands do not need.
    from planner.page.page import to_html
    from planner.page.tables import to_csv, to_json, to_markdown

    made = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    report = os.path.relpath(options.report, options.output.parent) if options.report else None
    texts = {".html": to_html(plan, made=made, command=typed("planner"), report=report)}
    texts |= {".json": to_json(plan)} if options.json else {}
    texts |= {".csv": to_csv(plan)} if options.csv else {}
    texts |= {".md": to_markdown(plan, made, typed("planner"))} if options.markdown else {}
    files = write_texts(options.output, texts)
    if sys.stderr.isatty():
        print(f"\r{'':{WIDTH}}\r", end="", file=sys.stderr)
    print("plan: " + ", ".join(map(str, files)))
