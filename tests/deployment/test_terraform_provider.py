"""How the tests run Terraform with the AWS provider."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.deployment import terraform_provider
from tests.deployment.terraform_provider import Provider, Root, find_provider

TERRAFORM = """#!/bin/sh
(while sleep 0.05; do echo >> alive; done) &
wait
"""


@pytest.mark.slow
def test_a_terraform_that_is_stopped_leaves_no_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, alive = tmp_path / "terraform", tmp_path / "alive"
    program.write_text(TERRAFORM)
    program.chmod(0o755)
    monkeypatch.setattr(terraform_provider, "PROGRAM", str(program))
    with pytest.raises(subprocess.TimeoutExpired):
        Root(tmp_path, dict(os.environ), Provider(None, None), timeout_s=1).terraform("apply")
    size = alive.stat().st_size
    time.sleep(0.5)
    assert alive.stat().st_size == size


@pytest.mark.parametrize(
    ("folder", "said"),
    [("none", "is not a folder"), ("", "has no HOSTNAME/hashicorp/aws/VERSION/PLATFORM/terraform-provider-aws")],
)
def test_a_wrong_folder_of_plugins_is_one_clear_line(
    folder: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terraform_provider, "PROGRAM", "terraform")
    monkeypatch.setenv("TERRAFORM_PLUGINS", str(tmp_path / folder))
    find_provider.cache_clear()
    with pytest.raises(pytest.fail.Exception) as failed:
        find_provider()
    assert failed.value.msg == f"TERRAFORM_PLUGINS={tmp_path / folder} {said}"
    assert not failed.value.pytrace
