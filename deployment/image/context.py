"""Makes a build context from a Bento: a folder from which docker or podman build the image without a network.

It does not import bentoml, because bentoctl's environment has another version.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from detection.card import CARD, NETWORK, WEIGHTS
from detection.errors import UserError

DOCKERFILE = Path("env") / "docker" / "Dockerfile"  # bentoctl expects it here.
LOCK = Path("requirements") / "image.lock"
PYTHON = "3.11"
MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
# Tags of wheels that run on Debian 12: they need glibc 2.17 to 2.35, and Debian 12 has 2.36. OpenVINO for arm64 needs
# 2.35.
MANYLINUX = ("manylinux_2_35", "manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")

# Files that serving never loads. OpenVINO: all devices except the CPU, and readers of all formats except its own.
UNUSED = (
    "bin",
    "openvino/libs/libopenvino_intel_[gn]pu*",
    "openvino/libs/cache.json",
    "openvino/libs/libopenvino_*_frontend.so*",
    "openvino/tools",
    "openvino/include",
    "openvino/cmake",
    "openvino_telemetry",
    "numpy/**/tests",
    "numpy/_core/include",
    "numpy/_core/lib",
    "numpy/f2py",
    "PIL/_avif*",
    "pillow.libs/libavif*",
)
KEPT = ("libopenvino_ir_frontend.so",)
# botocore describes 400 services; the image uses S3, SQS, the services that give credentials, and X-Ray. The values are
# their names in endpoints.json.
SERVICES = {
    "s3": "s3",
    "sqs": "sqs",
    "sts": "sts",
    "sso": "portal.sso",
    "sso-oidc": "oidc",
    "signin": "signin",
    "xray": "xray",
}


class ImageError(UserError):
    """The image cannot be built; the message is one line that says why and what to do."""


def make_context(bento: Path, model: Path, target: Path, machine: str | None = None) -> None:
    """Write the build context of a Bento (its folder) and a model (its folder) into an empty folder.

    `machine` is the image's architecture, by default this machine's. All files get fixed modes and times, so equal
    input gives equal layers. Raises ImageError.
    """
    architecture = MACHINES.get((machine or platform.machine()).lower())
    if architecture is None:
        known = ", ".join(sorted(set(MACHINES.values())))
        raise ImageError(f"there are no packages for {machine or platform.machine()}: build for {known}")
    source = bento / "src"
    for needed in (source / LOCK, source / "deployment" / "image" / "Dockerfile", model / NETWORK):
        if not needed.is_file():
            raise ImageError(f"{needed} is missing: build the Bento again with make image")
    # bentofile.yaml is left out: it names the model as the user typed it, so equal models could give unequal layers.
    shutil.copytree(source, target / "app", ignore=shutil.ignore_patterns("__pycache__", ".*", "bentofile.yaml"))
    (target / "model").mkdir()
    for name in (NETWORK, WEIGHTS, CARD):
        shutil.copyfile(model / name, target / "model" / name)
    shutil.copytree(packages(source / LOCK, architecture), target / "site-packages")
    text = (source / "deployment" / "image" / "Dockerfile").read_text()
    for name, value in {**labels(bento, model), "architecture": architecture}.items():
        text = text.replace(f'"${name}"', f'"{value}"')
    (target / DOCKERFILE).parent.mkdir(parents=True)
    (target / DOCKERFILE).write_text(text)
    normalise(target)


def labels(bento: Path, model: Path) -> dict[str, str]:
    """The values of the image's labels, from the files of the Bento and the model."""
    facts = yaml.safe_load((bento / "bento.yaml").read_text())
    card = json.loads((model / "model.json").read_text())
    said = facts.get("labels") or {}
    return {
        "version": str(facts["version"]),
        "source": said.get("source") or "",
        "revision": said.get("revision") or "",
        "model": f"{card['name']}:{card['version']}",
    }


def packages(lock: Path, architecture: str) -> Path:
    """The folder of the locked packages for an architecture, without what serving never loads; raises ImageError.

    It is kept in the user's cache, since pip needs half a minute for it. Another lock or another version of this module
    makes another folder, and deletes those older than a day, which no build is reading any more.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "yolov7-serving"
    digest = hashlib.sha256(lock.read_bytes() + Path(__file__).read_bytes()).hexdigest()
    folder = cache / f"packages-{architecture}-{digest[:16]}"
    if folder.is_dir():
        return folder
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        old = [path for path in cache.glob("packages-*") if path.stat().st_mtime < time.time() - 86_400]
        with tempfile.TemporaryDirectory(dir=cache) as name:
            install(lock, Path(name) / "packages", architecture)
            trim(Path(name) / "packages")
            try:
                (Path(name) / "packages").rename(folder)
            except OSError:
                if not folder.is_dir():  # Another build was faster.
                    raise
    except OSError as exc:
        raise ImageError(f"the packages cannot be kept in {cache} ({exc.strerror}): set XDG_CACHE_HOME") from exc
    for path in old:
        shutil.rmtree(path, ignore_errors=True)
    return folder


def install(lock: Path, folder: Path, architecture: str) -> None:
    """Install the locked packages for the image's Python, which may differ from this one; raises ImageError."""
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
        "--target", str(folder), "--python-version", PYTHON, "--implementation", "cp",
        *(f"--platform={kind}_{architecture}" for kind in MANYLINUX),
        "--only-binary=:all:", "--no-deps", "--no-compile", "--require-hashes", "--requirement", str(lock),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = lines[-1].removeprefix("ERROR: ")[:300] if lines else "pip failed"
        raise ImageError(f"the locked packages cannot be installed ({reason}): is a package index reachable?")


def trim(packages: Path) -> None:
    """Delete the files that serving never loads, and what pip recorded of the commands among them."""
    unused = [path for pattern in UNUSED for path in packages.glob(pattern) if not path.name.startswith(KEPT)]
    data = packages / "botocore" / "data"
    unused += [path for path in data.iterdir() if path.is_dir() and path.name not in SERVICES]
    for path in unused:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    shorten(data)
    for record in packages.glob("*.dist-info/RECORD"):
        # The digest of a command depends on the path of the Python that pip ran in, and so would the image's layers.
        lines = record.read_text().splitlines(keepends=True)
        record.write_text("".join(line for line in lines if not line.startswith("../../bin/")))


def shorten(data: Path) -> None:
    """Leave out of botocore's data what only people read, and the endpoints of other services.

    Each process parses the whole of these files when it makes its S3 client, which was half of the client's time.
    """
    for path in data.glob("*/*/*.json.gz"):
        content = json.loads(gzip.decompress(path.read_bytes()))
        path.with_suffix("").write_text(json.dumps(without_documentation(content), separators=(",", ":")))
        path.unlink()
    endpoints = json.loads((data / "endpoints.json").read_text())
    for partition in endpoints["partitions"]:
        kept = {name: value for name, value in partition["services"].items() if name in SERVICES.values()}
        partition["services"] = kept
    (data / "endpoints.json").write_text(json.dumps(endpoints, separators=(",", ":")))


def without_documentation(content: Any) -> Any:
    """JSON with empty texts as documentation, which botocore reads; what else has the name, a member say, stays."""
    if isinstance(content, list):
        return [without_documentation(one) for one in content]
    if not isinstance(content, dict):
        return content
    return {
        name: "" if name == "documentation" and isinstance(one, str) else without_documentation(one)
        for name, one in content.items()
    }


def normalise(folder: Path) -> None:
    """Give all files and folders equal times, and one of two modes: executable or not."""
    for path in [*folder.rglob("*"), folder]:
        executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if executable else 0o644)
        os.utime(path, (0, 0))
