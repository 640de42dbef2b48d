"""The image of a rollout: its tag says what is in it, so nothing is built or pushed twice."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from pathlib import Path

import yaml

from deployment.image.__main__ import main as make_image
from deployment.rollout.config import Config
from deployment.rollout.errors import RolloutError
from deployment.rollout.files import ROOT
from deployment.rollout.registry import find_image
from detection.card import CARD, NETWORK, WEIGHTS
from model_store import store

HERE = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "unknown")
BINFMT = Path("/proc/sys/fs/binfmt_misc")
EMULATORS = {"x86_64": "qemu-x86_64", "arm64": "qemu-aarch64"}


def tag_of(model: str, architecture: str) -> str:
    """A tag by the content of the image: the service's files, the locked packages, the model and the base."""
    store.put(store.BUNDLED)
    folder = store.find(model)
    include = yaml.safe_load((ROOT / "bentofile.yaml").read_text())["include"]
    files = {path for pattern in include for path in ROOT.glob(pattern.lstrip("/")) if "__pycache__" not in path.parts}
    digest = hashlib.sha256(os.environ.get("YOLOV7_BASE", "").encode())
    image = ROOT / "deployment" / "image"
    for file in sorted({*files, image / "context.py", *(folder / name for name in (NETWORK, WEIGHTS, CARD))}):
        digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return f"{digest.hexdigest()[:20]}-{architecture}"


def check_architecture(engine: str, tag: str, architecture: str) -> bool:
    """Whether the image is here; raises RolloutError if it is for another architecture, or cannot be built here."""
    done = subprocess.run([engine, "image", "inspect", f"yolov7:{tag}"], capture_output=True, text=True)
    if done.returncode:
        if architecture != HERE and not emulates(architecture):
            raise RolloutError(
                f"architecture is {architecture}, and this machine builds for {HERE}: run make rollout on one for "
                f"{architecture}, install qemu's user emulation, or set architecture: {HERE}"
            )
        return False
    found = json.loads(done.stdout)[0]["Architecture"]
    found = {"amd64": "x86_64"}.get(found, found)
    if found != architecture:
        raise RolloutError(
            f"image yolov7:{tag} is for {found}, the spec says {architecture}: remove it by {engine} rmi yolov7:{tag}"
        )
    return True


def emulates(architecture: str) -> bool:
    """Whether the kernel runs programs of another architecture by qemu, in containers too.

    A container does not have qemu's file, so the kernel must have opened it when it was registered: flag F.
    https://docs.kernel.org/admin-guide/binfmt-misc.html
    """
    try:
        lines = (BINFMT / EMULATORS[architecture]).read_text().splitlines()
    except (KeyError, OSError):
        return False
    flags = next((line.removeprefix("flags:") for line in lines if line.startswith("flags:")), "")
    return lines[:1] == ["enabled"] and "F" in flags


def build(model: str, tag: str, architecture: str) -> None:
    """Build the image, by emulation for an architecture other than this machine's; raises RolloutError."""
    other = [] if architecture == HERE else ["--architecture", architecture]
    if make_image(["--model", model, "--tag", f"yolov7:{tag}", *other]):
        raise RolloutError("the image was not built: correct what it says above, then run this command again")


def push(engine: str, config: Config, tag: str, url: str, user: str, password: str) -> str:
    """Push the image and return its digest in the repository; raises RolloutError."""
    host, name = url.partition("/")[0], f"{url}:{tag}"
    _run([engine, "login", "--username", user, "--password-stdin", host], f"log in to {host}", password)
    try:
        _run([engine, "tag", f"yolov7:{tag}", name], f"tag {name}")
        said = _run([engine, "push", name], f"push {name}")
    finally:
        subprocess.run([engine, "logout", host], capture_output=True)
    found = find_image(config.spec, imageTag=tag)
    if found:
        return str(found["imageDigest"])
    raise RolloutError(f"{name} was pushed, and ECR does not list it: {_last(said)}; run this command again")


def _run(command: list[str], what: str, given: str | None = None) -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, cwd=Path.home())
    if done.returncode:
        raise RolloutError(f"{Path(command[0]).name} cannot {what}: {_last(done.stderr or done.stdout)}")
    return done.stdout + done.stderr


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
