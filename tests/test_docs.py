"""What the README says is checked against the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from local.checkout import ROOT
from local.cli import SAMPLES
from model_store.cli import _parser
from serving.contract import STEPS
from serving.errors import RequestError
from serving.settings import Settings
from tests.serving.test_errors import subclasses

README = (ROOT / "README.md").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.M))
COMMANDS = [line.partition("#")[0].strip() for line in re.findall(r"^python -m model_store (.*)$", README, re.M)]


def table(title: str) -> list[list[str]]:
    """The rows of the first table under a heading."""
    section = README.partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[2:]]


def test_every_setting_is_listed_with_its_default_and_meaning() -> None:
    expected = [
        [f"`{name.upper()}`", "required" if field.is_required() else f"`{field.default}`", str(field.description)]
        for name, field in Settings.model_fields.items()
    ]
    assert [[cell.replace("``", "empty") for cell in row] for row in table("Settings")] == [
        [cell.replace("``", "empty") for cell in row] for row in expected
    ]


def test_every_error_is_listed_with_its_status() -> None:
    listed = {(int(status), code.strip("`")) for status, code, *_ in table("Errors")}
    assert listed == {(kind.status, kind.code) for kind in subclasses(RequestError)}


def test_every_make_target_is_documented_and_exists() -> None:
    assert set(re.findall(r"\bmake ([a-z-]+)", README)) == TARGETS - {"help", "clean"} | {"help"}


@pytest.mark.parametrize("command", COMMANDS)
def test_model_store_commands_are_accepted(command: str) -> None:
    assert _parser().parse_args(command.split()).run


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) >= 3


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_the_five_steps_are_named_in_order() -> None:
    assert " → ".join(f"[{step}]" for step in STEPS) in " ".join(re.sub(r"\]\([^)]*\)", "]", README).split())


def test_the_first_command_is_about_a_sample_that_exists() -> None:
    assert set(re.findall(r"scene-\d+\.jpg", README)) <= set(SAMPLES)


def test_the_project_speaks_of_itself_alone() -> None:
    pattern = re.compile(r"(^|[\s`(\"'])/(work|opt/pypi|opt/wheels)[/\s]|\.\./shared|pypi-mirror", re.M)
    for file in ROOT.rglob("*"):
        hidden = any(part.startswith(".") or part == "runs" for part in file.relative_to(ROOT).parts)
        if file.is_file() and not hidden and file.suffix in {".py", ".md", ".toml", ".txt", ".yaml", ""}:
            assert not pattern.search(file.read_text(errors="ignore")) or file == Path(__file__), file
