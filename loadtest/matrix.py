"""A matrix: profiles over platforms and their sizes, one after the other, each in a run of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from detection.errors import SetupError
from detection.model import RANDOM_SUFFIX
from loadtest import pictures
from loadtest.errors import LoadTestError, ProfileError
from loadtest.local.processes import free_port
from loadtest.local.s3 import LocalS3, local_s3
from loadtest.local.serve import INPUT_BUCKET, OUTPUT_BUCKET, LocalService, local_lambda, local_service
from loadtest.profiles import Profile, first_problem
from loadtest.runner import Job, key_of, run
from loadtest.runs import Target, parse_target
from loadtest.summary import Platform
from model_store import store
from model_store.__main__ import BUNDLED
from model_store.__main__ import main as model_store

FOLDER = Path(__file__).parent / "matrices"
LOCAL = "local"
# What a local Lambda does not do for longer than AWS does, in the time of the profile.
IDLE_S = 300.0
# Sandboxes at once; the users of no profile here are more.
CONCURRENCY = 18


class Size(BaseModel):
    """A platform in one size: its URL, or `local` for the stand-in on this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    platform: Platform
    target: str = LOCAL
    settings: dict[str, str | int | float] = {}
    image: str = ""


class Matrix(BaseModel):
    """Which profiles run on which platforms. `models` are those of the local stand-ins; others have theirs."""

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
        raise ProfileError(f"no matrix {name}: take one of {names}, or name a .yaml file") from None
    except yaml.YAMLError as exc:
        raise ProfileError(f"{file} is not YAML: {' '.join(str(exc).split())}") from None
    except ValidationError as exc:
        raise ProfileError(f"{file}: {first_problem(exc)}") from None


def run_matrix(
    matrix: Matrix, profiles: Sequence[Profile], results: Path, *, command: str, done: Callable[[Path], None]
) -> list[str]:
    """Do every run of a matrix, telling `done` of each; returns what failed, a line each.

    The targets are read before the first run, so that a mistake costs nothing.
    """
    remote = [size for size in matrix.platforms if size.target != LOCAL]
    targets = {size.target: parse_target(size.target) for size in remote}
    failures: list[str] = []

    def attempt(size: Size, profile: Profile, target: Target) -> None:
        job = Job(profile, target, size.platform, size.settings, size.image, command, key=key_of(os.environ))
        try:
            done(run(job, results))
        except LoadTestError as exc:
            failures.append(f"{profile.name} on {size.platform} {size.settings}: {exc}")
            sys.stderr.write(f"error: {failures[-1]}\n")

    for size in remote:
        for profile in profiles:
            attempt(size, profile, targets[size.target])
    local = [size for size in matrix.platforms if size.target == LOCAL]
    for model in matrix.models if local else ():
        with Standing(model) as standing:
            for profile in profiles:
                for size in local:
                    with standing.door(size, profile) as door:
                        attempt(size, profile, parse_target(door.url))
    return failures


class Standing:
    """Local stand-ins for one model: a real S3 server with the pictures, and either door, as fresh as it can be."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Standing:
        self._tag = put_model(self._model)
        self._folder = Path(tempfile.mkdtemp(prefix="loadtest-"))
        self._stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
        self._s3: LocalS3 = self._stack.enter_context(local_s3(self._folder / "s3", INPUT_BUCKET, OUTPUT_BUCKET))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def door(self, size: Size, profile: Profile) -> Iterator[LocalService]:
        """A door that has answered nothing yet, for one profile; raises StartError or SetupError."""
        pictures.upload(self._s3.client(), INPUT_BUCKET, profile.pictures)
        env = {"MODEL": self._tag}
        image = size.image or None
        log = self._folder / f"{size.platform}.log"
        if size.platform != "lambda":
            with local_service(self._s3, port=free_port(), log=log, env=env, image=image) as door:
                yield door
            return
        options = {"memory": size.settings.get("memory_mb", 3000), "idle": IDLE_S * profile.time_scale}
        options["concurrency"] = size.settings.get("concurrency", CONCURRENCY)
        if not profile.at_minutes:
            options["idle"] = IDLE_S
        flags = [f"--{name}={value}" for name, value in options.items()]
        with local_lambda(self._s3, port=free_port(), log=log, env=env, image=image, options=flags) as door:
            yield door


def put_model(name: str) -> str:
    """The tag of a model in BentoML's store, put there first where it is the bundled one or one with random weights.

    Raises SetupError when there is no such model.
    """
    if name == "yolov7-tiny-scenes":
        return str(store.put(BUNDLED))
    if name.endswith(RANDOM_SUFFIX):
        with contextlib.suppress(SetupError):
            store.find(name)
            return name
        model_store(["add", name.removesuffix(RANDOM_SUFFIX), "--random"])
    store.find(name)
    return name
