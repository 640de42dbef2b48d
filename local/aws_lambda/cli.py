"""The command line of the local Lambda: a gateway, and sandboxes behind it."""

from __future__ import annotations

import argparse
import compileall
import logging
import os
import sys
from pathlib import Path

import uvicorn

from detection.errors import UserError
from local.aws_lambda.emulator import emulator
from local.aws_lambda.gateway import Gateway
from local.aws_lambda.leftovers import clear_earlier, keeper
from local.aws_lambda.pool import Pool
from local.aws_lambda.sandbox import Function, function_environment
from local.checkout import ROOT
from local.containers import container_engine


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit status."""
    logging.basicConfig(format="%(levelname)s: %(message)s")
    try:
        _serve(_parse(arguments))
    except UserError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.aws_lambda", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port of the gateway")
    parser.add_argument("--folder", type=Path, required=True, help="folder for the logs and the /tmp of the sandboxes")
    parser.add_argument("--handler", default="lambda_function.handler", help="MODULE.FUNCTION that answers the events")
    parser.add_argument("--code", type=Path, default=ROOT, help="folder of the handler")
    add_options(parser)
    return parser.parse_args(arguments)


def _serve(options: argparse.Namespace) -> None:
    """Raises StartError."""
    env = function_environment(os.environ)
    function = Function(options.handler, options.code, env, options.memory, options.timeout, image=options.image)
    containers = bool(options.image)
    emulator()
    if containers:
        container_engine()
    clear_earlier(containers=containers)
    for file in modules_of(options.code):
        compileall.compile_file(file, quiet=2)  # As in the image, so that no cold start does it.
    with keeper(options.folder, containers=containers):
        pool = Pool(function, options.folder, limit=options.concurrency, idle_s=options.idle)
        uvicorn.run(Gateway(pool).app(), host="127.0.0.1", port=options.port, log_level="warning", access_log=False)


def modules_of(code: Path) -> list[Path]:
    """The Python files that a sandbox imports from the folder of the function's code."""
    return [*code.glob("*.py"), *(file for room in ("detection", "serving") for file in (code / room).rglob("*.py"))]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that describe the function and its sandboxes."""
    parser.add_argument("--memory", type=int, default=3000, help="memory of a sandbox, MB; AWS gives a CPU per 1769 MB")
    parser.add_argument("--timeout", type=int, default=30, help="time for a request, seconds")
    parser.add_argument("--concurrency", type=int, default=10, help="most sandboxes at once; beyond it: 429")
    parser.add_argument("--image", help="run the function from this image instead of this folder")
    parser.add_argument("--idle", type=float, default=300, help="seconds after which an idle sandbox is ended")
