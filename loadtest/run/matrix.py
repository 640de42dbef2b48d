"""A matrix: every profile on every platform and size, one run after the other."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from detection.card import RANDOM_SUFFIX
from detection.errors import UserError
from loadtest.errors import ProfileError, first_problem
from loadtest.platforms.registry import PLATFORMS, OnPlatform
from loadtest.profiles import Profile
from loadtest.run.runner import Job, run
from loadtest.runs import Target, key_of, parse_target
from local.checkout import ROOT
from local.doors import INPUT_BUCKET, OUTPUT_BUCKET, local_lambda, local_service
from local.processes import free_port
from local.s3 import LocalS3, local_s3
from model_store import store
from model_store.cli import main as model_store
from scenes import pictures

FOLDER = ROOT / "loadtest" / "matrices"
LOCAL = "local"
# The local Lambda ends a sandbox after this idle time.
IDLE_S = 300.0


class Size(OnPlatform):
    """A platform in one size: its URL, or `local` for the stand-in on this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str = LOCAL
    image: str = ""


class Matrix(BaseModel):
    """The profiles and platforms of a series of runs; `models` are those of the local stand-ins."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profiles: tuple[str, ...] = Field(min_length=1)
    platforms: tuple[Size, ...] = Field(min_length=1)
    models: tuple[str, ...] = ("yolov7-tiny-scenes",)


def load_matrix(name: str) -> Matrix:
    """Read a matrix by its name or its file; raises ProfileError."""
    file = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    try:
        return Matrix.model_validate(yaml.safe_load(file.read_text()))
    except OSError:
        names = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml")))
        raise ProfileError(f"there is no matrix {name}: take one of {names}, or name a .yaml file") from None
    except yaml.YAMLError as exc:
        raise ProfileError(f"{file} is not YAML: {' '.join(str(exc).split())}") from None
    except ValidationError as exc:
        raise ProfileError(f"{file}: {first_problem(exc)}") from None


def run_matrix(
    matrix: Matrix, profiles: Sequence[Profile], results: Path, *, command: str, done: Callable[[Path], None]
) -> list[str]:
    """Do every run of a matrix and call `done` with its folder; failures are printed at once and returned.

    The targets are parsed before the first run, so that a mistake costs no time.
    """
    remote = [size for size in matrix.platforms if size.target != LOCAL]
    targets = {size.target: parse_target(size.target) for size in remote}
    failures: list[str] = []

    def attempt(size: Size, profile: Profile, door: contextlib.AbstractContextManager[Target]) -> None:
        try:
            with door as target:
                key = key_of(os.environ)
                done(run(Job(profile, target, size.platform, size.settings, size.image, command, key), results))
        except UserError as exc:
            failures.append(f"{profile.name} on {size.platform} {size.settings.given}: {exc}")
            sys.stderr.write(f"error: {failures[-1]}\n")

    for size in remote:
        for profile in profiles:
            attempt(size, profile, contextlib.nullcontext(targets[size.target]))
    local = [size for size in matrix.platforms if size.target == LOCAL]
    for model in matrix.models if local else ():
        with standing(model) as stand_ins:
            for profile in profiles:
                for size in local:
                    attempt(size, profile, stand_ins.door(size, profile))
    return failures


@dataclass(frozen=True)
class Standing:
    """Local stand-ins for one model: an S3 server with the pictures, and newly started doors."""

    tag: str
    folder: Path
    s3: LocalS3

    @contextlib.contextmanager
    def door(self, size: Size, profile: Profile) -> Iterator[Target]:
        """A newly started door for one profile; raises StartError."""
        pictures.upload(self.s3.client(), INPUT_BUCKET, profile.pictures)
        how: dict[str, Any] = {
            "port": free_port(), "log": self.folder / f"{size.platform}.log", "env": {"MODEL": self.tag},
            "image": size.image or None,
        }  # fmt: skip
        local_lambda_options = PLATFORMS[size.platform].local_lambda
        if local_lambda_options is None:
            with local_service(self.s3, **how) as door:
                yield parse_target(door.url)
            return
        options = dict(local_lambda_options(size.settings))
        if profile.at_minutes:
            # If the minutes are shortened, the idle time of a sandbox is shortened equally.
            options["idle"] = IDLE_S * profile.time_scale
        with local_lambda(self.s3, **how, options=[f"--{name}={value}" for name, value in options.items()]) as door:
            yield parse_target(door.url)


@contextlib.contextmanager
def standing(model: str) -> Iterator[Standing]:
    """Provide stand-ins for a model until the block is left; raises StartError, or UserError without such a model."""
    tag = put_model(model)
    with (
        tempfile.TemporaryDirectory(prefix="loadtest-", ignore_cleanup_errors=True) as folder,
        local_s3(Path(folder) / "s3", INPUT_BUCKET, OUTPUT_BUCKET) as s3,
    ):
        yield Standing(tag, Path(folder), s3)


def put_model(name: str) -> str:
    """The tag of a model in BentoML's store; the bundled one and those with random weights are added first.

    Raises UserError when there is no such model.
    """
    if name == "yolov7-tiny-scenes":
        return str(store.put(store.BUNDLED))
    if name.endswith(RANDOM_SUFFIX):
        with contextlib.suppress(UserError):
            store.find(name)
            return name
        model_store(["add", name.removesuffix(RANDOM_SUFFIX), "--random"])
    store.find(name)
    return name
