"""`python -m planner`: compare predictions with theory and with recorded platforms, and read traffic."""

from __future__ import annotations

import argparse
import sys

import numpy as np

from detection.errors import UserError
from planner.errors import TrafficError
from planner.traffic import load_traffic
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
    commands = top.add_subparsers(required=True, metavar="validate|traffic")
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


def _traffic(options: argparse.Namespace) -> int:
    traffic = load_traffic(*options.traffic, seed=options.seed, scale=options.scale)
    requests, minute, in_minute, most = 0, -1, 0, 0
    for times in traffic.chunks():
        if not times.size:
            continue
        requests += times.size
        minutes, counts = np.unique(times // 60, return_counts=True)
        # The first minute of a chunk may be the last one of the chunk before.
        counts[0] += in_minute if minutes[0] == minute else 0
        minute, in_minute, most = int(minutes[-1]), int(counts[-1]), max(most, int(counts.max()))
    if not requests:
        raise TrafficError(f"{traffic.name} has no requests at scale {options.scale:g}")
    length_s = traffic.length_s
    mean = f"{requests / length_s:.4g}/s on average" if length_s else "all at once"
    print(f"{traffic.name}: {requests:,} requests in {length_s:,.1f} s, {mean}, {most:,} in the busiest minute")
    for note in traffic.notes:
        print(f"  {note}")
    return 0
