"""`bentoml build` with bentofile.yaml, and the Bento that it builds."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import bentoml
import pytest
import yaml

from local.checkout import ROOT
from local.doors import INPUT_BUCKET, OUTPUT_BUCKET
from local.processes import free_port, running, wait_until_ready
from local.s3 import LocalS3
from scenes.render import Scene
from tests.conftest import send, to_jpeg, upload
from tests.test_doors import matches

pytestmark = pytest.mark.slow

BENTOML = str(Path(sysconfig.get_path("scripts")) / "bentoml")


@pytest.fixture(scope="module")
def bento(bundled_tag: str) -> bentoml.Bento:
    """The Bento of the working tree."""
    done = subprocess.run([BENTOML, "build", "--output", "tag"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return bentoml.get(done.stdout.strip().rpartition("__tag__:")[2])


def test_the_bento_contains_only_what_serving_needs(bento: bentoml.Bento, bundled_tag: str) -> None:
    source = Path(bento.path) / "src"
    files = {str(file.relative_to(source)) for file in source.rglob("*.py")}
    rooms = {str(file.relative_to(ROOT)) for name in ("detection", "serving") for file in (ROOT / name).rglob("*.py")}
    assert files == {
        "service.py",
        "lambda_function.py",
        "model_store/__init__.py",
        "model_store/errors.py",
        "model_store/files.py",
        "model_store/store.py",
        *rooms,
    }
    assert [str(model.tag) for model in bento.info.all_models] == [bundled_tag]
    requirements = (Path(bento.path) / "env" / "python" / "requirements.txt").read_text()
    assert "openvino==" in requirements
    assert "torch" not in requirements


@pytest.fixture
def built(bento: bentoml.Bento, s3: LocalS3, tmp_path: Path) -> Iterator[str]:
    """The URL of a service that runs the Bento outside the working tree."""
    port, log = free_port(), tmp_path / "service.log"
    env = dict(os.environ) | s3.env | {"INPUT_BUCKET": INPUT_BUCKET, "OUTPUT_BUCKET": OUTPUT_BUCKET}
    command = [BENTOML, "serve", bento.path, "--port", str(port)]
    with running(command, env=env, log=log, cwd=tmp_path) as process:
        wait_until_ready(process, f"http://127.0.0.1:{port}/readyz", name="the Bento", log=log, timeout_s=60)
        yield f"http://127.0.0.1:{port}"


def test_the_bento_serves_without_the_working_tree(built: str, s3: LocalS3, scene: Scene) -> None:
    answer = send(f"{built}/predict", {"filename": upload(s3, "bento.jpg", to_jpeg(scene.image))})
    assert answer.status == 200, answer.body
    assert matches(answer.json["detections"], scene)
    assert send(f"{built}/", method="GET").body.startswith(b"<!doctype html>")


def test_every_pattern_of_the_bentofile_matches_a_file() -> None:
    for pattern in yaml.safe_load((ROOT / "bentofile.yaml").read_text())["include"]:
        assert list(ROOT.glob(pattern.lstrip("/"))), pattern
