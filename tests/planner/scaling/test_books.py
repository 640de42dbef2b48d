"""Books of rules: each can be read, and every value in it has a source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from local.checkout import ROOT
from planner.errors import RulesError
from planner.scaling.books import MOST_BYTES, Assumption, load_book, names
from planner.scaling.manifest import read_hpa

NAMES = names()


def test_the_platforms_are_listed() -> None:
    assert NAMES == [
        "ecs", "ecs-20s", "ecs-idle", "eks", "eks-knative", "fargate", "fargate-20s", "knative", "kubernetes",
        "kubernetes-default",
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_has_a_source_and_files_named_there_exist(name: str) -> None:
    for one in load_book(name).assumptions():
        files = re.findall(r"(?:deployment|planner)/[\w./-]*\w", one.source)
        assert files or "https://" in one.source or one.source.startswith(("assumption: ", "the course project's")), one
        assert [file for file in files if not (ROOT / file).exists()] == []


def test_an_assumption_shows_its_value_and_where_it_comes_from() -> None:
    found = {one.name: one for one in load_book("ecs").assumptions()}
    assert found["scaler.out_cooldown_s"] == Assumption(
        "scaler.out_cooldown_s", "60", "deployment/terraform/ecs/scaling.tf"
    )
    assert found["scaler.out_points"].value == "3"
    assert found["scaler.out_points"].source.startswith("https://docs.aws.amazon.com/")
    assert found["instances.in_points"].source.startswith("https://aws.amazon.com/blogs/containers/")


def test_a_default_beside_sourced_values_keeps_its_own_source() -> None:
    found = {one.name: one.source for one in load_book("kubernetes").assumptions()}
    assert found["scaler.max_replicas"] == "deployment/kubernetes/hpa.yaml"
    assert found["scaler.tolerance"].startswith("https://kubernetes.io/docs/reference/command-line-tools-reference/")


def test_the_book_of_kubernetes_says_what_the_manifest_says() -> None:
    assert load_book("kubernetes").scaler == read_hpa(ROOT / "deployment" / "kubernetes" / "hpa.yaml")


def test_the_books_of_ecs_say_what_terraform_says() -> None:
    module = ROOT / "deployment" / "terraform" / "ecs"
    terraform = "".join(file.read_text() for file in sorted(module.glob("variables*.tf")))
    defaults = {
        name: value for name, value in re.findall(r'variable "(\w+)" \{.*?default\s*=\s*(\S+)', terraform, re.S)
    }
    for name in ("ecs", "ecs-20s", "fargate", "fargate-20s", "ecs-idle"):
        scaler = load_book(name).scaler
        assert [str(scaler.min_replicas), str(scaler.max_replicas)] == [defaults["min_tasks"], defaults["max_tasks"]]
    scaling = (module / "scaling.tf").read_text()
    assert re.findall(r"scale_(?:in|out)_cooldown\s*=\s*(\d+)", scaling) == ["60"] * 4


BOOK = (Path(__file__).parents[3] / "planner" / "scaling" / "books" / "fargate.yaml").read_text()
WRONG = {
    "there are no rules": None,
    "is not YAML": "a: [",
    "rules must be a mapping": "- a",
    "scaler.target-tracking.delay_s": BOOK.replace("delay_s: 170", "delay_s: .nan"),
    "scaler.target-tracking.out_cooldown_s": BOOK.replace("out_cooldown_s: 60", "out_cooldown_s: -1"),
    "Input tag 'best' found using 'kind'": BOOK.replace("kind: target-tracking", "kind: best"),
    "scaler.target-tracking: min_replicas 9 must be at most max_replicas 5": BOOK.replace(
        "min_replicas: 1", "min_replicas: 9"
    ),
    "replica.tea": BOOK.replace("startup_s: 43", "startup_s: 43, tea: 1"),
    "pending_s 23 must be at most startup_s 3": BOOK.replace("startup_s: 43", "startup_s: 3"),
    "scaler.delay_s has no source: add it to sources": BOOK.replace("  scaler.delay_s:", "  scaler.other:"),
}


@pytest.mark.parametrize(("message", "text"), WRONG.items(), ids=list(WRONG))
def test_wrong_rules_are_refused_in_one_line(message: str, text: str | None, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    if text is not None:
        assert text != BOOK
        file.write_text(text)
    with pytest.raises(RulesError) as caught:
        load_book(str(file))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_huge_file_of_rules_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    with file.open("wb") as opened:
        opened.truncate(MOST_BYTES + 1)
    with pytest.raises(RulesError, match="has more than 1 MB"):
        load_book(str(file))
