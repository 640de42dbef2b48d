"""What `make checkov` leaves out: each check is named beside what it is about, with a reason."""

from __future__ import annotations

import re

import pytest
import yaml

from local.checkout import ROOT

DEPLOYMENT = ROOT / "deployment"
FILES = sorted(
    file
    for pattern in ("terraform/*/*.tf", "kubernetes/**/*.yaml", "image/Dockerfile")
    for file in DEPLOYMENT.glob(pattern)
    if re.search(r"checkov[:.]", file.read_text())
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(DEPLOYMENT)))
def test_a_check_that_is_left_out_has_a_reason(file: str) -> None:
    lines = [line.strip() for line in (DEPLOYMENT / file).read_text().splitlines() if re.search(r"checkov[:.]", line)]
    form = re.compile(r"(#\s*checkov:skip=|checkov\.io/skip\d+: )CKV2?_[A-Z0-9]+_\d+(: |=)(\w\S* ){3}.+")
    assert [line for line in lines if not form.fullmatch(line)] == []


def test_no_check_is_left_out_for_everything() -> None:
    config = yaml.safe_load((DEPLOYMENT / "checkov.yaml").read_text())
    assert not {"skip-check", "check", "skip-path", "soft-fail", "baseline"} & set(config)
    assert config["framework"] == ["terraform", "kustomize", "dockerfile"]


def test_checkov_is_locked() -> None:
    (pin,) = re.findall(r"^checkov==\S+$", (ROOT / "requirements" / "checkov.in").read_text(), re.M)
    assert f"\n{pin} \\\n" in (ROOT / "requirements" / "checkov.lock").read_text()
