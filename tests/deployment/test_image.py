"""The image, which `make test-image` builds and runs by a container engine."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deployment.image.__main__ import main
from detection.card import read_card
from local.containers import container_engine
from local.doors import LocalService
from local.s3 import LocalS3
from tests.conftest import BUNDLED, IMAGE, predict, upload
from tests.test_doors import PICTURE

pytestmark = pytest.mark.skipif(not IMAGE, reason="no image is named; make test-image builds one and names it")


def engine(*arguments: str, check: bool = True) -> str:
    """The output of the container engine."""
    done = subprocess.run([container_engine(), *arguments], capture_output=True, text=True)
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def image() -> Any:
    """The engine's description of the image."""
    [found] = json.loads(engine("image", "inspect", str(IMAGE)))
    return found


def inside(script: str) -> str:
    """The output of a shell in the image."""
    flags = os.environ.get("CONTAINER_RUN_FLAGS", "").split()
    return engine(
        "run",
        *flags,
        "--rm",
        "--network",
        "host",
        "--ulimit",
        "nofile=1024:1024",
        "--entrypoint",
        "sh",
        str(IMAGE),
        "-c",
        script,
    )


def test_the_labels_describe_the_image(image: Any) -> None:
    labels, card = image["Config"]["Labels"], read_card(BUNDLED)
    assert labels["yolov7.model"] == f"{card.name}:{card.version}"
    assert labels["com.amazonaws.lambda.feature.snapstart"] == "Allow"
    assert labels["org.opencontainers.image.version"]
    assert len(labels["org.opencontainers.image.revision"]) == 40
    assert image["Config"]["User"] == "1000:1000"
    assert "3000/tcp" in image["Config"]["ExposedPorts"]
    [check] = [value for key, value in (image | image["Config"]).items() if key.lower() == "healthcheck"]
    assert "readyz" in json.dumps(check)


def test_it_holds_no_compiler_no_git_no_pip_and_no_torch() -> None:
    found = inside(
        "for name in gcc cc git pip pip3 make; do command -v $name || true; done; "
        'python3 -c \'import importlib.util as i; print([n for n in ("torch", "pip", "onnx") if i.find_spec(n)])\'; '
        "find / -xdev -name '*.whl' 2>/dev/null || true"
    )
    assert found == "[]\n"


def test_its_own_code_is_compiled_ahead() -> None:
    folders = "/opt/app/detection /opt/app/serving /opt/app/serving/aws /opt/site-packages/numpy"
    for folder in folders.split():
        missing = f"for f in {folder}/*.py; do ls {folder}/__pycache__/$(basename $f .py).cpython-311.pyc; done 2>&1"
        assert "No such file" not in inside(missing)


def test_it_is_small_and_the_model_is_a_layer_of_its_own(image: Any) -> None:
    own = sum(file.stat().st_size for file in BUNDLED.glob("model.*"))
    w6 = 141_227_688  # Bytes of model.xml, .bin and .json of yolov7-w6.
    assert image["Size"] - own + w6 < 700e6
    history = engine("history", "--no-trunc", "--format", "{{.CreatedBy}}", str(IMAGE)).splitlines()
    copies = [line for line in history if "COPY" in line]
    order = [next(i for i, line in enumerate(copies) if part in line) for part in ("app", "model", "site-packages")]
    # The newest layer comes first: a change of the code leaves the layers of the model and the packages as they are.
    assert order == [0, 1, 2]


@pytest.mark.skipif("YOLOV7_TWICE" not in os.environ, reason="a second build takes minutes; YOLOV7_TWICE=1 asks for it")
def test_two_builds_give_the_same_layers(
    image: Any, bundled_tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither pip's packages nor the engine's layers of the first build are used again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CONTAINER_BUILD_FLAGS", f"{os.environ.get('CONTAINER_BUILD_FLAGS', '')} --no-cache")
    assert main(["--model", bundled_tag, "--tag", "yolov7-again"]) == 0
    [again] = json.loads(engine("image", "inspect", "yolov7-again"))
    assert again["RootFS"]["Layers"] == image["RootFS"]["Layers"]


def test_the_health_check_passes_where_it_serves(service: LocalService, s3: LocalS3) -> None:
    name = f"yolov7-local-service-{service.url.rpartition(':')[2]}"
    engine("exec", name, "python3", "-c", f"import urllib.request as r; r.urlopen('{service.url}/readyz')")
    assert engine("exec", name, "id", "-u").strip() == "1000"
    assert engine("exec", name, "touch", "/opt/x", check=False) == ""
    assert predict(service, {"filename": upload(s3, "container.jpg", PICTURE)}).status == 200
