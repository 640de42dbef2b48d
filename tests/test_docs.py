"""The documents agree with the code: settings, errors, options, links, rooms and files."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import pytest

from local.aws_lambda.cli import add_options
from local.checkout import ROOT
from local.cli import SAMPLES
from serving.contract import STEPS, PredictAnswer, PredictRequest
from serving.errors import RequestError
from serving.settings import Settings
from tests.serving.test_errors import subclasses
from tests.test_imports import ROOMS

PAGES = {
    str(file.relative_to(ROOT)): file.read_text()
    for folder in (".", "bench", "docs", "loadtest", "deployment", "deployment/kubernetes")
    for file in sorted((ROOT / folder).glob("*.md"))
    if file.name != "CHANGELOG.md"
}
README = PAGES["README.md"]
EVERYTHING = "\n".join(PAGES.values())
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.M))
LINKS = sorted(
    {(page, link) for page, text in PAGES.items() for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link}
)


def table(page: str, first: str) -> list[list[str]]:
    """The rows of the table of a page whose first heading this is, as lists of cells."""
    lines = PAGES[page].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.removeprefix("|").removesuffix("|").split(" | ")])
    return rows


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_setting_is_listed_with_its_default_and_meaning() -> None:
    expected = [
        [
            f"`{name.upper()}`",
            "required" if field.is_required() else f"`{field.default}`" if field.default != "" else "empty",
            str(field.description),
        ]
        for name, field in Settings.model_fields.items()
    ]
    assert table("docs/settings.md", "name") == expected


def test_every_error_is_listed_with_its_status() -> None:
    listed = {(int(status), code.strip("`")) for status, code, *_ in table("docs/contract.md", "status")}
    assert listed == {(kind.status, kind.code) for kind in subclasses(RequestError)}


def test_every_field_of_the_request_is_listed_with_its_default() -> None:
    defaults = {None: "all", True: "true"}
    expected = [
        (f"`{name}`", "required" if field.is_required() else defaults.get(field.default, str(field.default)))
        for name, field in PredictRequest.model_fields.items()
    ]
    assert [(name, default.strip("`")) for name, default, _ in table("docs/contract.md", "option")] == expected[1:]
    shown = [(name, default) for name, default, _ in table("README.md", "field")]
    assert shown == expected[: len(shown)]


def test_the_sample_response_matches_the_contract() -> None:
    sample = README.partition("```json\n")[2].partition("```")[0].replace(",\n  ... 5 more", "")
    answer = json.loads(sample)
    assert PredictAnswer.model_validate(answer)
    assert list(answer) == list(PredictAnswer.model_fields)
    assert list(answer["timings_ms"]) == [*STEPS, "total"]
    assert answer["timings_ms"]["total"] >= sum(answer["timings_ms"][step] for step in STEPS) - 1


def test_every_option_of_the_local_lambda_is_listed_with_its_default() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    add_options(parser)
    expected = {f"`{option.option_strings[0]}`": str(option.default).lower() for option in parser._actions}
    assert {name: default for name, default, *_ in table("docs/lambda.md", "`make lambda ARGS=...`")} == expected


def test_every_make_target_is_documented_and_exists() -> None:
    assert set(re.findall(r"\bmake ([a-z][a-z-]+)(?=[\s`:]|$)", EVERYTHING)) == TARGETS - {"clean"}


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_links_lead_somewhere(page: str, link: str) -> None:
    path, _, anchor = link.partition("#")
    target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
    assert target.exists()
    if anchor:
        assert anchor in anchors(target.read_text())


def test_the_five_steps_are_named_in_order() -> None:
    assert " → ".join(f"[{step}]" for step in STEPS) in " ".join(re.sub(r"\]\([^)]*\)", "]", README).split())


def test_the_readme_uses_an_existing_sample_picture() -> None:
    assert set(re.findall(r"scene-\d+\.jpg", README)) <= set(SAMPLES)


def test_the_table_of_rooms_lists_the_allowed_imports() -> None:
    listed = {
        room: set(re.findall(r"`([\w.]+)`", imports))
        for rooms, imports in table("docs/development.md", "room")
        for room in re.findall(r"`([\w.]+)`", rooms)
    }
    assert listed == ROOMS


@pytest.mark.parametrize("row", table("docs/development.md", "change"), ids=lambda row: row[0])
def test_the_files_of_a_change_exist(row: list[str]) -> None:
    files = [name for name in re.findall(r"`([^`]+)`", row[1]) if "/" in name or "." in name]
    assert files
    assert [name for name in files if not (ROOT / name).exists()] == []


def test_the_drawing_of_rooms_leads_to_every_import_and_to_nothing_else() -> None:
    arrows = re.findall(r"^  ([\w.]+) --> ([\w.]+)$", PAGES["docs/development.md"], re.M)
    assert all(to in ROOMS[room] for room, to in arrows)

    def reached(room: str) -> set[str]:
        return {there for start, to in arrows if start == room for there in ({to} | reached(to))}

    assert all(ROOMS[room] <= reached(room) for room in ROOMS)


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 155


def test_no_file_names_a_path_outside_the_project() -> None:
    pattern = re.compile(r"(^|[\s`(\"'])/(work|opt/pypi|opt/wheels)[/\s]|\.\./shared|pypi-mirror", re.M)
    visible = [top for top in ROOT.iterdir() if not top.name.startswith(".")]  # The environments are hidden.
    for file in (file for top in visible for file in (top, *top.rglob("*"))):
        named = {".py", ".md", ".toml", ".txt", ".yaml", ".json", ".html", ".csv", ".jtl", ""}
        if file.is_file() and file.suffix in named:
            assert not pattern.search(file.read_text(errors="ignore")) or file == Path(__file__), file
