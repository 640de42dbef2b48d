"""`python -m planner`: compare the planner's predictions with theory and with recorded platforms."""

from __future__ import annotations

import argparse
import sys

from detection.errors import UserError
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
    commands = top.add_subparsers(required=True, metavar="validate")
    validate = commands.add_parser("validate", help="print every error of the planner; exit with 1 if one is too large")
    validate.add_argument("groups", nargs="*", metavar="GROUP", help=f"{', '.join(_names())}; all by default")
    validate.set_defaults(run=_validate)
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
