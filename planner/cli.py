"""`python -m planner`: which platform for a traffic, what it costs and how fast it is, and how good predictions are."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from detection.errors import UserError
from planner.plan import cli as plan
from planner.stand_ins.predict import SEEDS, predict
from planner.stand_ins.singles import read_singles
from planner.traffic import load_traffic
from planner.traffic.count import count
from planner.validate.registry import GROUPS
from planner.validate.table import Comparison, to_text


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except UserError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m planner", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="plan|validate|traffic|predict")
    plan.add(commands.add_parser("plan", help="write a page: the cheapest configuration that meets an objective"))
    validate = commands.add_parser("validate", help="print every error of the planner; exit with 1 if one is too large")
    validate.add_argument("groups", nargs="*", metavar="GROUP", help=f"{', '.join(_names())}; all by default")
    validate.set_defaults(run=_validate)
    traffic = commands.add_parser("traffic", help="print how many requests traffic has, and how fast")
    traffic.add_argument(
        "traffic", nargs="+", help="profile, shape, .csv file of times or of counts per minute, or access logs"
    )
    traffic.add_argument("--scale", type=float, default=1, help="factor for the number of requests, e.g. 10 or 0.1")
    traffic.add_argument("--seed", type=int, default=1, help="seed of the random part of the arrivals")
    traffic.set_defaults(run=_traffic)
    predict = commands.add_parser("predict", help="predict the load test of the local stand-ins from runs of single")
    predict.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run of single, or of runs")
    predict.add_argument("--output", type=Path, default=Path("predictions.json"), help="file for the predictions")
    predict.add_argument("--short", action="store_true", help="predict the short form of each profile")
    predict.add_argument("--seeds", type=int, default=SEEDS, help="number of simulated runs of each profile")
    predict.set_defaults(run=_predict)
    return top


def _names() -> list[str]:
    return [group.name for group in GROUPS]


def _validate(options: argparse.Namespace) -> int:
    if wrong := sorted(set(options.groups) - set(_names())):
        print(f"error: there is no group {wrong[0]}: take one of {', '.join(_names())}", file=sys.stderr)
        return 2
    comparisons: list[Comparison] = []
    for group in GROUPS:
        if options.groups and group.name not in options.groups:
            continue
        if why := group.skipped:
            print(f"skipped {group.name}: {why}", file=sys.stderr)
            continue
        comparisons += group.compare()
    if not comparisons:
        print("error: nothing was compared", file=sys.stderr)
        return 1
    print(to_text(comparisons))
    exceeded = sum(one.exceeded for one in comparisons)
    limited = sum(one.limit is not None for one in comparisons)
    print(f"{len(comparisons)} comparisons, {limited} with a limit, {exceeded} beyond it")
    return 1 if exceeded else 0


def _predict(options: argparse.Namespace) -> int:
    predictions = predict(read_singles(options.runs), short=options.short, seeds=options.seeds, progress=print)
    predictions.write(options.output)
    print(f"{options.output}: {len(predictions.predictions)} predictions from {predictions.singles} runs of single")
    return 0


def _traffic(options: argparse.Namespace) -> int:
    traffic = load_traffic(*options.traffic, seed=options.seed, scale=options.scale)
    found = count(traffic)
    mean = f"{found.requests / found.length_s:.4g}/s on average" if found.length_s else "all at once"
    busiest = f"{found.busiest_minute:,} in the busiest minute"
    print(f"{traffic.name}: {found.requests:,} requests in {found.length_s:,.1f} s, {mean}, {busiest}")
    for note in traffic.notes:
        print(f"  {note}")
    return 0
