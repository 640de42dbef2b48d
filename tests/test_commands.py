"""Every command in the documents and the Makefile names an existing program, and options that the program has."""

from __future__ import annotations

import argparse
import os
import re
import runpy
import shlex
import subprocess
import sys

import pytest

from local.checkout import ROOT
from tests.test_docs import PAGES, TARGETS, table

TEXT = "\n".join([*PAGES.values(), (ROOT / "loadtest" / "measured" / "report.md").read_text()])
PROGRAM = r"-m ((?:backfill|bench|deployment|loadtest|local|model_store|serving|tests)[\w.]*)"
WRITTEN = sorted(set(re.findall(rf"python {PROGRAM}([^`#\n]*)", TEXT)))
# `make lambda ARGS=...` is a heading, not a command.
MADE = sorted(
    {
        (target, variables)
        for target, variables in re.findall(r"""\bmake ([a-z-]+)((?: [A-Z]+=(?:"[^"]*"|'[^']*'|[^\s`]+))*)""", TEXT)
        if target in TARGETS and "=..." not in variables
    }
)


class Accepted(Exception):
    """A command line was accepted, so the program must not run."""


@pytest.fixture
def accept(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Every program stops as soon as it has accepted its command line."""
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser: argparse.ArgumentParser, *given: object) -> None:
        parse(parser, *given)  # type: ignore[call-overload]
        raise Accepted

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    return monkeypatch


def check_accepted(accept: pytest.MonkeyPatch, program: str, arguments: list[str]) -> None:
    """Fail if a program exits instead of accepting its arguments."""
    accept.setattr(sys, "argv", [program, *arguments])
    with pytest.raises(Accepted):
        runpy.run_module(program, run_name="__main__")


ignore_reimport = pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")


@ignore_reimport
@pytest.mark.parametrize(("program", "arguments"), WRITTEN)
def test_a_python_command_in_the_documents_is_accepted(
    program: str, arguments: str, accept: pytest.MonkeyPatch
) -> None:
    if arguments.strip():
        check_accepted(accept, program, shlex.split(arguments))
    else:  # The text names the program only, and it may need arguments.
        accept.setattr(sys, "argv", [program, "--help"])
        with pytest.raises(SystemExit) as stopped:
            runpy.run_module(program, run_name="__main__")
        assert stopped.value.code == 0


@ignore_reimport
@pytest.mark.parametrize(("target", "variables"), MADE)
def test_a_make_command_in_the_documents_runs_programs_that_accept_its_arguments(
    target: str, variables: str, accept: pytest.MonkeyPatch
) -> None:
    command = ["make", "--dry-run", "--always-make", target, *shlex.split(variables)]
    env = {"PATH": os.environ["PATH"]}  # Without ARGS= and other variables of an outer make.
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    for program, arguments in re.findall(rf"{PROGRAM}((?:[^&|;\n]|\\\n)*)", done.stdout):
        check_accepted(accept, program, shlex.split(arguments))


@ignore_reimport
@pytest.mark.parametrize("option", [row[0].strip("`") for row in table("loadtest/README.md", "`ARGS=`")])
def test_an_option_of_make_loadtest_is_accepted(option: str, accept: pytest.MonkeyPatch) -> None:
    run = ["run", "batches", "--target", "local", "--platform", "lambda"]
    check_accepted(accept, "loadtest", [*run, *shlex.split(option)])
