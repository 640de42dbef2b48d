"""`python -m loadtest`: run a profile or a matrix of profiles, and report on the runs."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import boto3
import botocore.exceptions

from detection.errors import UserError
from loadtest.cost.prices import AMAZON, PRICES
from loadtest.errors import LoadTestError
from loadtest.platforms.registry import PLATFORMS
from loadtest.platforms.unknown import PLATFORM as UNKNOWN
from loadtest.profiles import names
from loadtest.run import jmeter
from local.processes import interrupt_on_signals
from scenes import pictures

RESULTS = Path("results")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = parser().parse_args(arguments)
    interrupt_on_signals()
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
    top = argparse.ArgumentParser(prog="python -m loadtest", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="run|taurus|matrix|report|prices|pictures|install-jmeter")

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
    one.set_defaults(run=_command("run_profile"))

    level = commands.add_parser("taurus", help="run one profile by Taurus and check pass/fail criteria")
    level.add_argument("--criteria", type=Path, help="Taurus configuration with the criteria")
    level.set_defaults(run=_command("run_by_taurus"))
    for command in (one, level):
        _add_target(command)

    many = commands.add_parser("matrix", help="run several profiles on several platforms and sizes")
    many.add_argument("matrix", help="compare, memory, or a .yaml file")
    many.add_argument("--report", type=Path, help="write a report of these runs to this file, e.g. report.html")
    many.set_defaults(run=_command("run_series"), plan=None)
    for command in (one, level, many):
        command.add_argument("--short", action="store_true", help="run the short form of each profile")
        command.add_argument("--results", type=Path, default=RESULTS, help="folder for the runs")

    page = commands.add_parser("report", help="write a page that compares runs")
    page.add_argument("runs", nargs="+", type=Path, help="folders of runs, folders of such folders, or .jtl files")
    page.add_argument("--output", type=Path, default=RESULTS / "report.html", help="file of the page")
    page.add_argument("--plan", type=Path, help="page of a plan that was made from these runs; the report links to it")
    page.set_defaults(run=_command("write_report"))
    for command in (many, page):
        for kind in ("json", "csv", "markdown"):
            command.add_argument(f"--{kind}", action="store_true", help="write this format as well, next to the page")
        command.add_argument("--prices", type=Path, default=PRICES, help="file of prices")
        command.add_argument(
            "--priced", action="append", default=[], metavar="NAME=VALUE",
            help="compute the costs with another setting, e.g. region=eu-central-1; may be repeated",
        )  # fmt: skip

    listed = commands.add_parser("prices", help="say how old the prices are, or read them from AWS's public price list")
    listed.add_argument("--refresh", action="store_true", help="rewrite the file of prices; gigabytes are read for EC2")
    listed.add_argument(
        "--region", action="append", default=[], help="region to refresh, instead of all; may be repeated"
    )
    listed.add_argument("--prices", type=Path, default=PRICES, help="file of prices")
    listed.add_argument("--source", default=AMAZON, help="URL of the price list")
    listed.set_defaults(run=_command("show_prices", "loadtest.cost.show"))

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
    command.add_argument("--platform", required=True, choices=[name for name in PLATFORMS if name != UNKNOWN.name])
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


def _command(name: str, module: str = "loadtest.commands") -> Callable[[argparse.Namespace], int]:
    """A command of a module, which is imported when it runs: the other commands need fewer packages."""

    def run(options: argparse.Namespace) -> int:
        try:
            commands = importlib.import_module(module)
        except ModuleNotFoundError as exc:
            raise LoadTestError(
                f"this command needs the package {exc.name}: run it by make, which installs what is missing, or "
                "pip install -e '.[loadtest]'"
            ) from None
        return int(getattr(commands, name)(options))

    return run


def _install(options: argparse.Namespace) -> int:
    jmeter.install(options.archive)
    return 0


def _pictures(options: argparse.Namespace) -> int:
    try:
        put = pictures.upload(boto3.client("s3"), options.bucket, tuple(pictures.KINDS))
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as exc:
        raise LoadTestError(f"bucket {options.bucket}: {exc}") from None
    print(f"{len(put)} pictures uploaded to {options.bucket}; existing ones are kept")
    return 0
