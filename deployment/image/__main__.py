"""`make image`: build the Bento and, from it, the image for all platforms."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import bentoml
import yaml

from deployment.image.context import DOCKERFILE, ImageError, make_context
from detection.errors import UserError
from local.checkout import ROOT
from local.containers import container_engine
from model_store import store
from serving.settings import model_asked_for

PLATFORMS = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}


def main(arguments: list[str] | None = None) -> int:
    """Build the image and print its name, digest and size; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make image", description=__doc__)
    parser.add_argument("--model", default=model_asked_for(os.environ), help="tag of the model in the image (MODEL=)")
    base = os.environ.get("YOLOV7_BASE")
    parser.add_argument(
        "--base", default=base, help="base image with Python 3.11, instead of the Dockerfile's (YOLOV7_BASE=)"
    )
    parser.add_argument("--architecture", choices=PLATFORMS, help="processor of the image, by default this machine's")
    parser.add_argument("--tag", default="yolov7:latest", help="name of the image")
    parser.add_argument("--context", type=Path, help="write the build context into this folder, and do not build")
    options = parser.parse_args(arguments)
    try:
        store.put(store.BUNDLED)
        store.find(options.model)
        engine = None if options.context else container_engine()
        bento = build_bento(options.model)
        print(f"bento: {bento.tag}")
        if engine is None:
            write_context(bento, options.model, options.context, options.architecture)
            print(f"context: {options.context}, to be built with: docker build -f {DOCKERFILE} {options.context}")
            return 0
        with tempfile.TemporaryDirectory() as name:
            write_context(bento, options.model, Path(name) / "context", options.architecture)
            build(engine, Path(name) / "context", options.base, options.tag, options.architecture)
        digest, size, layers = inspect(engine, options.tag)
        print(f"image: {options.tag}, {digest}, {size / 1e6:.0f} MB uncompressed in {layers} layers")
    except UserError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


def build_bento(model: str) -> bentoml.Bento:
    """Build the Bento of this project with one model; raises StoreError if the model is missing."""
    store.find(model)
    config = yaml.safe_load((ROOT / "bentofile.yaml").read_text())
    config["models"] = [model]
    # In the Bento, because bentoctl builds the image from it without this checkout.
    config["labels"] |= {"revision": git("rev-parse", "HEAD"), "source": git("remote", "get-url", "origin")}
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "bentofile.yaml"
        file.write_text(yaml.safe_dump(config))
        # In a separate process, because BentoML imports the service to build it.
        command = [sys.executable, "-m", "bentoml", "build", "--output", "tag", "--bentofile", str(file), str(ROOT)]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it printed nothing"]
        raise ImageError(f"bentoml build failed: {lines[-1][:300]}")
    return bentoml.get(done.stdout.strip().rpartition("__tag__:")[2])


def write_context(bento: bentoml.Bento, model: str, folder: Path, architecture: str | None = None) -> None:
    """Write the build context of a Bento; on an error it raises ImageError and removes the folder."""
    if folder.exists() and any(folder.iterdir()):
        raise ImageError(f"{folder} is not empty: name another folder")
    try:
        make_context(Path(bento.path), store.find(model), folder, architecture)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def git(*arguments: str) -> str:
    """The output of a git command in this checkout; empty if git fails."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def build(engine: str, context: Path, base: str | None, tag: str, architecture: str | None = None) -> None:
    """Build the image; raises ImageError with the last line of the engine's output."""
    command = [engine, "build", "--file", str(context / DOCKERFILE), "--tag", tag]
    command += ["--build-arg", f"BASE={base}"] if base else []
    command += ["--platform", PLATFORMS[architecture]] if architecture else []
    env = dict(os.environ)
    if engine == "podman":
        # HEALTHCHECK exists in docker's format only; a fixed time gives equal layers.
        command += ["--format", "docker", "--timestamp", "0", *os.environ.get("CONTAINER_BUILD_FLAGS", "").split()]
    else:
        env |= {"DOCKER_BUILDKIT": "1", "SOURCE_DATE_EPOCH": "0"}
    done = subprocess.run([*command, str(context)], capture_output=True, text=True, env=env)
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise ImageError(f"{engine} build failed: {lines[-1][:300] if lines else 'it printed nothing'}")


def inspect(engine: str, tag: str) -> tuple[str, int, int]:
    """Digest (or id, where the image has never been pushed), uncompressed bytes and number of layers."""
    done = subprocess.run([engine, "image", "inspect", tag], capture_output=True, text=True, check=True)
    [image] = json.loads(done.stdout)
    return image.get("Digest") or image["Id"], image["Size"], len(image["RootFS"]["Layers"])


if __name__ == "__main__":
    sys.exit(main())
