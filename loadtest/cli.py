"""`python -m loadtest`: run a profile or a matrix of profiles, and report on the runs."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timezone
from pathlib import Path
from types import FrameType

import boto3
import botocore.exceptions

from detection.errors import UserError
from loadtest.cost.compare import compare_costs, with_settings
from loadtest.cost.prices import PRICES, load_prices
from loadtest.errors import LoadTestError, SettingsError
from loadtest.platforms.registry import PLATFORMS
from loadtest.platforms.settings import Settings
from loadtest.profiles import load_profile, names
from loadtest.report.page import to_html
from loadtest.report.tables import to_csv, to_json, to_markdown
from loadtest.results.analysis import read_runs
from loadtest.results.summary import Summary
from loadtest.run import jmeter
from loadtest.run.matrix import LOCAL, Matrix, Size, load_matrix, run_matrix
from loadtest.run.remote import parse_servers
from loadtest.run.runner import Job, key_of, run
from loadtest.run.taurus import CRITERIA, run_taurus
from loadtest.runs import parse_target
from model_store.files import write_atomically
from scenes import pictures

RESULTS = Path("results")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = parser().parse_args(arguments)
    # A background job of a shell ignores SIGINT by default, but a script may still send it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        return int(options.run(options))
    except UserError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m loadtest", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="run|taurus|matrix|report|pictures|install-jmeter")

    one = commands.add_parser("run", help="run one profile against one target")
    one.add_argument("--model", default="yolov7-tiny-scenes", help="model of the local stand-in")
    one.add_argument(
        "--remote",
        default="",
        metavar="HOST:PORT,...",
        help="JMeter servers that send the load instead of this machine",
    )
    one.add_argument(
        "--jmeter", action="append", default=[], metavar="NAME=VALUE",
        help="property of this machine's JMeter, e.g. client.rmi.localport=25000; may be repeated",
    )  # fmt: skip
    one.set_defaults(run=_run)

    level = commands.add_parser("taurus", help="run one profile by Taurus and check pass/fail criteria")
    level.add_argument("--criteria", type=Path, default=CRITERIA, help="Taurus configuration with the criteria")
    level.set_defaults(run=_taurus)
    for command in (one, level):
        _add_target(command)

    many = commands.add_parser("matrix", help="run several profiles on several platforms and sizes")
    many.add_argument("matrix", help="compare, memory, or a .yaml file")
    many.add_argument("--report", type=Path, help="write a report of these runs to this file, e.g. report.html")
    many.set_defaults(run=_matrix)
    for command in (one, level, many):
        command.add_argument("--short", action="store_true", help="run the short form of each profile")
        command.add_argument("--results", type=Path, default=RESULTS, help="folder for the runs")

    page = commands.add_parser("report", help="write a page that compares runs")
    page.add_argument("runs", nargs="+", type=Path, help="folders of runs, or folders of such folders")
    page.add_argument("--output", type=Path, default=RESULTS / "report.html", help="file of the page")
    page.set_defaults(run=lambda options: _report(options.runs, options.output, options))
    for command in (many, page):
        for kind in ("json", "csv", "markdown"):
            command.add_argument(f"--{kind}", action="store_true", help="write this format as well, next to the page")
        command.add_argument("--prices", type=Path, default=PRICES, help="file of prices")
        command.add_argument(
            "--priced", action="append", default=[], metavar="NAME=VALUE",
            help="compute the costs with another setting, e.g. region=eu-central-1; may be repeated",
        )  # fmt: skip

    put = commands.add_parser("pictures", help="upload the pictures of the profiles to an input bucket")
    put.add_argument("bucket")
    put.set_defaults(run=_pictures)

    install = commands.add_parser("install-jmeter", help="install JMeter from the archive that the Makefile downloads")
    install.add_argument("archive", type=Path)
    install.set_defaults(run=_install)
    return top


def _add_target(command: argparse.ArgumentParser) -> None:
    """Add the options of a run against one target."""
    command.add_argument("profile", help=f"{', '.join(names())}, or a .yaml file")
    command.add_argument("--target", required=True, help="URL of the API or the load balancer; local starts a stand-in")
    command.add_argument("--platform", required=True, choices=list(PLATFORMS))
    command.add_argument(
        "--setting",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="setting of the platform, for labels and costs, e.g. memory_mb=3000; may be repeated",
    )
    command.add_argument(
        "--image", default="", help="digest of the image that the target runs, or image of the stand-in"
    )
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a value of the profile, e.g. users=20; may be repeated",
    )


def _install(options: argparse.Namespace) -> int:
    jmeter.install(options.archive)
    return 0


def _run(options: argparse.Namespace) -> int:
    servers = parse_servers(options.remote) if options.remote else ()
    if options.target == LOCAL:
        if servers:
            raise SettingsError("--remote needs the URL of a target: a stand-in is started for this machine only")
        profile = load_profile(options.profile, short=options.short, changes=options.set)
        size = Size(platform=options.platform, settings=_settings(options), image=options.image)
        matrix = Matrix(profiles=(profile.name,), platforms=(size,), models=(options.model,))
        failures = run_matrix(matrix, [profile], options.results, command=_command(), done=_done)
        return 1 if failures else 0
    _done(run(replace(_job(options), servers=servers, own=_pairs(options.jmeter)), options.results))
    return 0


def _taurus(options: argparse.Namespace) -> int:
    return run_taurus(_job(options), options.results, options.criteria)


def _job(options: argparse.Namespace) -> Job:
    profile = load_profile(options.profile, short=options.short, changes=options.set)
    return Job(
        profile, parse_target(options.target), options.platform, _settings(options), options.image, _command(),
        key=key_of(os.environ),
    )  # fmt: skip


def _done(folder: Path) -> None:
    print(f"run: {folder}", flush=True)


def _command() -> str:
    """The command line that was typed."""
    return shlex.join(["python", "-m", "loadtest", *sys.argv[1:]])


def _settings(options: argparse.Namespace) -> Settings:
    settings: Settings = PLATFORMS[options.platform].parse(_pairs(options.setting))
    return settings


def _pairs(given: Sequence[str]) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in given]
    for name, sign, value in pairs:
        if not sign or not name:
            raise SettingsError(f"{name + sign + value} is not a setting: write NAME=VALUE")
    return {name: value for name, _, value in pairs}


def _matrix(options: argparse.Namespace) -> int:
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


def _report(runs: Sequence[Path], output: Path, options: argparse.Namespace) -> int:
    prices = load_prices(options.prices)
    summaries, skipped = read_runs(_folders(runs))
    for one in skipped:
        print(f"skipped {one.name}: {one.reason}", file=sys.stderr)
    if not summaries:
        print("error: no run could be read, so there is no report", file=sys.stderr)
        return 1
    summaries = [_linked(summary, output.parent) for summary in summaries]
    costs = compare_costs(with_settings(summaries, _pairs(options.priced)), prices, date.today())
    for warning in sorted({warning for cost in costs for warning in cost.warnings}):
        print(f"warning: {warning}", file=sys.stderr)
    made = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    texts = {
        ".html": lambda *what: to_html(*what, made=made, command=_command()),
        ".json": to_json, ".csv": lambda runs, *_: to_csv(runs), ".md": to_markdown,
    }  # fmt: skip
    wanted = {".html": True, ".json": options.json, ".csv": options.csv, ".md": options.markdown}
    files = {output.with_suffix(suffix): page for suffix, page in texts.items() if wanted[suffix]}
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        for file, page in files.items():
            write_atomically(file, page(summaries, skipped, costs).encode())
    except OSError as exc:
        raise LoadTestError(f"{output} cannot be written: {exc.strerror}") from None
    print("report: " + ", ".join(map(str, files)))
    return 0


def _linked(summary: Summary, page: Path) -> Summary:
    """A run with its paths relative to the page's folder."""
    dashboard = summary.run.dashboard and os.path.relpath(summary.run.dashboard, page)
    return replace(
        summary, run=replace(summary.run, folder=os.path.relpath(summary.run.folder, page), dashboard=dashboard)
    )


def _folders(given: Sequence[Path]) -> list[Path]:
    """The given runs, and the runs inside given folders; files such as reports are skipped."""
    folders: list[Path] = []
    for path in given:
        if path.is_file():
            continue
        inside = sorted(file.parent for file in path.glob("*/run.json"))
        folders += inside if inside and not (path / "run.json").is_file() else [path]
    return list(dict.fromkeys(folders))


def _pictures(options: argparse.Namespace) -> int:
    try:
        put = pictures.upload(boto3.client("s3"), options.bucket, tuple(pictures.KINDS))
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as exc:
        raise LoadTestError(f"bucket {options.bucket}: {exc}") from None
    print(f"{len(put)} pictures uploaded to {options.bucket}; existing ones are kept")
    return 0
