"""The build context: the content of the image, without building it."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import stat
from pathlib import Path

import botocore.session
import pytest
from botocore.loaders import Loader

from deployment.image import context
from deployment.image.__main__ import main
from deployment.image.context import (
    DOCKERFILE,
    LOCK,
    MACHINES,
    SERVICES,
    ImageError,
    install,
    make_context,
    normalise,
    packages,
    shorten,
    trim,
)
from detection.card import read_card
from local.checkout import ROOT
from tests.conftest import BUNDLED


def locked() -> dict[str, str]:
    """The locked versions by name."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", (ROOT / LOCK).read_text(), re.M))


def test_the_lock_holds_what_serving_needs_at_its_versions_with_hashes() -> None:
    pins = dict(
        re.findall(
            r"^([a-z0-9._-]+)(?:\[.*\])?==([^;\s]+)(?!.*<)", (ROOT / "requirements/service.txt").read_text(), re.M
        )
    )
    assert len(pins) > 10
    assert {name: locked().get(name) for name in pins} == pins
    entries = re.split(r"\n(?=\S)", (ROOT / LOCK).read_text())
    assert all("--hash=sha256:" in entry for entry in entries if not entry.startswith("#"))
    assert not {"torch", "pip", "setuptools"} & set(locked())


def test_the_base_image_is_named_by_digest() -> None:
    text = (ROOT / "deployment/image/Dockerfile").read_text()
    assert re.search(r"^ARG BASE=python:3\.11-slim-bookworm@sha256:[0-9a-f]{64}$", text, re.M)


@pytest.fixture
def bento(tmp_path: Path) -> Path:
    """The files of a Bento's folder that the context reads."""
    for name in (str(LOCK), "deployment/image/Dockerfile", "deployment/image/entrypoint.sh", "service.py"):
        (tmp_path / "bento" / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "bento" / "src" / name).write_bytes((ROOT / name).read_bytes())
    labels = {"source": "https://example.org", "revision": "abc"}
    (tmp_path / "bento" / "bento.yaml").write_text(json.dumps({"version": "v1", "labels": labels}))
    return tmp_path / "bento"


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    return Path(os.environ["XDG_CACHE_HOME"]) / "yolov7-serving"


@pytest.fixture
def no_packages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Install no packages, another test does; returns the architectures that were asked for."""
    asked: list[str] = []

    def install(_lock: Path, folder: Path, architecture: str) -> None:
        asked.append(architecture)
        (folder / "botocore" / "data" / "s3").mkdir(parents=True)
        (folder / "botocore" / "data" / "endpoints.json").write_text('{"partitions": []}')

    monkeypatch.setattr(context, "install", install)
    return asked


def test_packages_are_installed_once_for_each_lock_and_architecture(
    no_packages: list[str], bento: Path, cache: Path, tmp_path: Path
) -> None:
    lock = bento / "src" / LOCK
    for architecture in ("x86_64", "x86_64", "aarch64", "x86_64"):
        folder = packages(lock, architecture)
        assert (folder / "botocore" / "data" / "s3").is_dir()
    assert no_packages == ["x86_64", "aarch64"]
    lock.write_text("another lock")
    assert packages(lock, "x86_64") != folder
    assert no_packages == ["x86_64", "aarch64", "x86_64"]
    assert len(list(cache.iterdir())) == 3
    for old in cache.iterdir():
        os.utime(old, (0, 0))
    lock.write_text("a third lock")
    newest = packages(lock, "x86_64")
    assert list(cache.iterdir()) == [newest]


def test_a_change_of_the_context_does_not_reach_the_cache(no_packages: list[str], bento: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_context(bento, BUNDLED, tmp_path / name)
        assert not (tmp_path / name / "site-packages" / "mine").exists()
        (tmp_path / name / "site-packages" / "mine").touch()
    assert no_packages == [MACHINES[platform.machine()]]


def test_a_failed_installation_leaves_nothing_in_the_cache(
    bento: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install(_lock: Path, folder: Path, _architecture: str) -> None:
        folder.mkdir()
        raise ImageError("the locked packages cannot be installed")

    monkeypatch.setattr(context, "install", install)
    with pytest.raises(ImageError):
        packages(bento / "src" / LOCK, "x86_64")
    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_one_clear_line(
    no_packages: list[str], bento: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ImageError, match=r"the packages cannot be kept in .*\(Not a directory\): set XDG_CACHE_HOME$"):
        packages(bento / "src" / LOCK, "x86_64")
    assert no_packages == []


@pytest.mark.usefixtures("no_packages")
def test_two_contexts_of_one_bento_are_equal_to_the_byte_and_the_second(bento: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_context(bento, BUNDLED, tmp_path / name)
    found = [
        {str(p.relative_to(folder)): (p.stat().st_mode, p.stat().st_mtime, p.is_file() and p.read_bytes())
         for p in folder.rglob("*")}
        for folder in (tmp_path / "a", tmp_path / "b")
    ]  # fmt: skip
    assert found[0] == found[1]
    assert {"model/model.bin", "model/model.xml", "model/model.json", "app/service.py"} <= set(found[0])


@pytest.mark.usefixtures("no_packages")
def test_the_dockerfile_says_what_is_in_the_image(bento: Path, tmp_path: Path) -> None:
    make_context(bento, BUNDLED, tmp_path / "context", "arm64")
    text = (tmp_path / "context" / DOCKERFILE).read_text()
    card = read_card(BUNDLED)
    assert 'org.opencontainers.image.version="v1"' in text
    assert 'org.opencontainers.image.source="https://example.org"' in text
    assert 'org.opencontainers.image.revision="abc"' in text
    assert f'yolov7.model="{card.name}:{card.version}"' in text
    assert 'p.machine() != "aarch64"' in text
    assert '"$' not in text


@pytest.mark.parametrize("missing", [str(LOCK), "deployment/image/Dockerfile"])
def test_a_bento_without_what_the_image_needs_is_one_clear_line(missing: str, bento: Path, tmp_path: Path) -> None:
    (bento / "src" / missing).unlink()
    with pytest.raises(ImageError, match=f"{missing} is missing: build the Bento again with make image"):
        make_context(bento, BUNDLED, tmp_path / "context")
    assert not (tmp_path / "context").exists()


def test_an_architecture_without_packages_is_one_clear_line(bento: Path, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="there are no packages for riscv64: build for aarch64, x86_64"):
        make_context(bento, BUNDLED, tmp_path / "context", "riscv64")
    assert not (tmp_path / "context").exists()


@pytest.mark.slow
def test_a_package_that_is_not_the_locked_one_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text(f"six==1.17.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(ImageError) as caught:
        install(lock, tmp_path / "packages", "x86_64")
    assert str(caught.value).startswith("the locked packages cannot be installed (")
    assert "\n" not in str(caught.value)


def test_what_serving_never_loads_is_left_out(tmp_path: Path) -> None:
    kept = ("openvino/libs/libopenvino_ir_frontend.so.1", "openvino/libs/libopenvino_intel_cpu_plugin.so",
            "botocore/data/s3/x", "botocore/data/sqs/x", "botocore/data/endpoints.json")  # fmt: skip
    gone = ("openvino/libs/libopenvino_onnx_frontend.so.1", "openvino/libs/libopenvino_intel_gpu_plugin.so",
            "openvino/tools/ovc/x.py", "botocore/data/ec2/x", "bin/bentoml", "numpy/lib/tests/x.py")  # fmt: skip
    for name in kept + gone:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "botocore/data/endpoints.json").write_text('{"partitions": []}')
    trim(tmp_path)
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()} == set(kept)


def test_the_path_of_the_python_that_builds_is_nowhere_in_the_packages(tmp_path: Path) -> None:
    """pip writes it into the commands, and their digests into the packages' records."""
    (tmp_path / "botocore/data").mkdir(parents=True)
    (tmp_path / "botocore/data/endpoints.json").write_text('{"partitions": []}')
    record = tmp_path / "idna-3.20.dist-info/RECORD"
    record.parent.mkdir()
    record.write_text("../../bin/idna,sha256=OO4HhutT,224\nidna/__init__.py,sha256=MPqNDLZb,868\nidna/x.py,,\n")
    trim(tmp_path)
    assert record.read_text() == "idna/__init__.py,sha256=MPqNDLZb,868\nidna/x.py,,\n"


@pytest.mark.slow
def test_clients_are_the_same_with_botocores_shortened_data(tmp_path: Path) -> None:
    full, sessions = Path(botocore.__file__).parent / "data", []
    for folder in (tmp_path / "short", tmp_path / "long"):
        for name in SERVICES:
            shutil.copytree(full / name, folder / name)
        for file in full.glob("*.json"):
            shutil.copyfile(file, folder / file.name)
        sessions.append(botocore.session.Session())
        loader = Loader(extra_search_paths=[str(folder)], include_default_search_paths=False)
        sessions[-1].register_component("data_loader", loader)
        sessions[-1].set_credentials("a", "b")
    shorten(tmp_path / "short")
    assert not list((tmp_path / "short").rglob("*.gz"))
    sizes = [(tmp_path / name / "endpoints.json").stat().st_size for name in ("short", "long")]
    assert sizes[0] < sizes[1] / 5
    for name in SERVICES:
        for region in ("eu-central-1", "us-east-1", "cn-north-1", "us-gov-west-1"):
            short, long = (one.create_client(name, region) for one in sessions)
            assert short.meta.endpoint_url == long.meta.endpoint_url
            models = [one.meta.service_model for one in (short, long)]
            assert models[0].operation_names == models[1].operation_names
            assert models[0].shape_names == models[1].shape_names
            if name == "s3":
                wanted = {"Bucket": "b", "Key": "k"}
                urls = [one.generate_presigned_url("get_object", wanted) for one in (short, long)]  # type: ignore[attr-defined]
                assert urls[0].partition("?")[0] == urls[1].partition("?")[0]


def test_modes_and_times_are_the_same_whoever_builds(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "private" / "run.sh").touch(0o700)
    (tmp_path / "private" / "data").touch(0o600)
    normalise(tmp_path)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.rglob("*")}
    assert modes == {"private": 0o755, "run.sh": 0o755, "data": 0o644}
    assert {p.stat().st_mtime for p in tmp_path.rglob("*")} == {0}


@pytest.mark.slow
def test_a_full_folder_is_not_written_into(
    bundled_tag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").touch()
    assert main(["--context", str(tmp_path), "--model", bundled_tag]) == 1
    assert capsys.readouterr().err == f"error: {tmp_path} is not empty: name another folder\n"
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


@pytest.mark.slow
@pytest.mark.usefixtures("no_packages")
def test_an_image_for_another_processor_than_this_one_can_be_asked_for(bundled_tag: str, tmp_path: Path) -> None:
    other, machine = ("x86_64", "x86_64") if platform.machine() in ("aarch64", "arm64") else ("arm64", "aarch64")
    folder = tmp_path / "context"
    assert main(["--context", str(folder), "--model", bundled_tag, "--architecture", other]) == 0
    assert f'p.machine() != "{machine}"' in (folder / DOCKERFILE).read_text()


def test_an_unknown_model_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", "unknown"]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("error: MODEL unknown is not in BentoML's model store")
    assert shown.count("\n") == 1


def test_no_container_engine_is_one_clear_line(
    bundled_tag: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONTAINER_ENGINE", "no-such-engine")
    assert main(["--model", bundled_tag]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("error: no container engine works here: install and start docker or podman")
    assert shown.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_openvino_can_be_had_for_both_architectures(architecture: str, tmp_path: Path) -> None:
    lock = (ROOT / LOCK).read_text()
    [entry] = re.findall(r"^openvino==.*?(?=^\S)", lock, re.M | re.S)
    (tmp_path / "lock").write_text(entry)
    install(tmp_path / "lock", tmp_path / "packages", architecture)
    [wheel] = (tmp_path / "packages").glob("openvino-*.dist-info/WHEEL")
    assert f"_{architecture}\n" in wheel.read_text()
