"""The commands that run load tests and report on them; they need the packages of the extra `loadtest`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timezone
from pathlib import Path

from loadtest.cost.compare import compare_costs, with_settings
from loadtest.cost.prices import load_prices
from loadtest.errors import SettingsError
from loadtest.platforms.registry import PLATFORMS
from loadtest.platforms.settings import Settings, read_pairs
from loadtest.profiles import load_profile
from loadtest.report.files import typed, write_texts
from loadtest.report.page import to_html
from loadtest.report.tables import to_csv, to_json, to_markdown
from loadtest.results.analysis import read_runs
from loadtest.results.summary import Summary
from loadtest.run.matrix import LOCAL, Matrix, Size, load_matrix, run_matrix
from loadtest.run.remote import parse_servers
from loadtest.run.runner import Job, run
from loadtest.run.taurus import CRITERIA, run_taurus
from loadtest.runs import RECORD, key_of, parse_target, runs_in


def run_profile(options: argparse.Namespace) -> int:
    """Run one profile against one target; returns the exit status."""
    servers = parse_servers(options.remote) if options.remote else ()
    if options.target == LOCAL:
        if servers:
            raise SettingsError("--remote needs the URL of a target: a stand-in is started for this machine only")
        profile = load_profile(options.profile, short=options.short, changes=options.set)
        size = Size(platform=options.platform, settings=_settings(options), image=options.image)
        matrix = Matrix(profiles=(profile.name,), platforms=(size,), models=(options.model,))
        failures = run_matrix(matrix, [profile], options.results, command=_command(), done=_done)
        return 1 if failures else 0
    _done(run(replace(_job(options), servers=servers, own=read_pairs(options.jmeter)), options.results))
    return 0


def run_by_taurus(options: argparse.Namespace) -> int:
    """Run one profile by Taurus; returns its exit status, 0 if all criteria hold."""
    return run_taurus(_job(options), options.results, options.criteria or CRITERIA)


def _job(options: argparse.Namespace) -> Job:
    profile = load_profile(options.profile, short=options.short, changes=options.set)
    return Job(
        profile, parse_target(options.target), options.platform, _settings(options), options.image, _command(),
        key=key_of(os.environ),
    )  # fmt: skip


def _done(folder: Path) -> None:
    print(f"run: {folder}", flush=True)


def _command() -> str:
    return typed("loadtest")


def _settings(options: argparse.Namespace) -> Settings:
    settings: Settings = PLATFORMS[options.platform].parse(read_pairs(options.setting))
    return settings


def run_series(options: argparse.Namespace) -> int:
    """Run every profile of a matrix on every platform, and report on the runs; returns the exit status."""
    matrix = load_matrix(options.matrix)
    profiles = [load_profile(name, short=options.short) for name in matrix.profiles]
    folders: list[Path] = []

    def done(folder: Path) -> None:
        folders.append(folder)
        _done(folder)

    try:
        failures = run_matrix(matrix, profiles, options.results, command=_command(), done=done)
    finally:  # Also after Ctrl-C, for the runs that are finished.
        if options.report and folders:
            _report(folders, options.report, options)
    return 1 if failures else 0


def write_report(options: argparse.Namespace) -> int:
    """Write a report of the given runs; returns the exit status."""
    return _report(options.runs, options.output, options)


def _report(runs: Sequence[Path], output: Path, options: argparse.Namespace) -> int:
    prices = load_prices(options.prices)
    summaries, skipped = read_runs(_folders(runs))
    for one in skipped:
        print(f"skipped {one.name}: {one.reason}", file=sys.stderr)
    if not summaries:
        print("error: no run could be read, so there is no report", file=sys.stderr)
        return 1
    summaries = [_linked(summary, output.parent) for summary in summaries]
    costs = compare_costs(with_settings(summaries, read_pairs(options.priced)), prices, date.today())
    for warning in sorted({warning for cost in costs for warning in cost.warnings}):
        print(f"warning: {warning}", file=sys.stderr)
    made = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    plan = os.path.relpath(options.plan, output.parent) if options.plan else None
    texts = {
        ".html": lambda *what: to_html(*what, made=made, command=_command(), plan=plan),
        ".json": to_json, ".csv": lambda runs, *_: to_csv(runs), ".md": to_markdown,
    }  # fmt: skip
    wanted = {".html": True, ".json": options.json, ".csv": options.csv, ".md": options.markdown}
    made_texts = {suffix: text(summaries, skipped, costs) for suffix, text in texts.items() if wanted[suffix]}
    print("report: " + ", ".join(map(str, write_texts(output, made_texts))))
    return 0


def _linked(summary: Summary, page: Path) -> Summary:
    """A run with its paths relative to the page's folder."""
    dashboard = summary.run.dashboard and os.path.relpath(summary.run.dashboard, page)
    return replace(
        summary, run=replace(summary.run, folder=os.path.relpath(summary.run.folder, page), dashboard=dashboard)
    )


def _folders(given: Sequence[Path]) -> list[Path]:
    """The given runs, the runs inside given folders, and files of samples; other files, e.g. reports, are skipped."""
    folders: list[Path] = []
    for path in given:
        if path.is_file():
            if path.suffix == ".jtl":
                folders.append(path.parent if (path.parent / RECORD).is_file() else path)
            continue
        folders += runs_in(path) or [path]
    return list(dict.fromkeys(folders))
