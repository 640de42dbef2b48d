"""A matrix continues with the other runs when one fails."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.errors import LoadTestError, TargetError
from loadtest.profiles import Profile, load_profile
from loadtest.run import matrix
from loadtest.run.matrix import Matrix, Size, Standing, run_matrix
from loadtest.run.runner import Job
from loadtest.runs import Target, parse_target
from local.errors import StartError
from local.s3 import LocalS3


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    """The runs that a matrix starts: profile, platform, target. A target with `down` in its name does not answer."""
    jobs: list[tuple[str, str, str]] = []

    def run(job: Job, results: Path) -> Path:
        if "down" in job.target.host:
            raise TargetError(f"{job.target.url} does not answer")
        jobs.append((job.profile.name, job.platform, job.target.url))
        return results / str(len(jobs))

    @contextlib.contextmanager
    def standing(model: str) -> Iterator[Standing]:
        yield Standing(model, Path("none"), LocalS3("none"))

    @contextlib.contextmanager
    def door(self: Standing, size: Size, _: Profile) -> Iterator[Target]:
        if size.platform == "kubernetes":
            raise StartError("no such stand-in today")
        yield parse_target(f"http://127.0.0.1/{self.tag}")

    monkeypatch.setattr(matrix, "run", run)
    monkeypatch.setattr(matrix, "standing", standing)
    monkeypatch.setattr(Standing, "door", door)
    return jobs


def go(sizes: list[Size], done: list[Path], models: tuple[str, ...] = ("a",)) -> list[str]:
    profiles = [load_profile("single"), load_profile("steps")]
    given = Matrix(profiles=("single", "steps"), platforms=tuple(sizes), models=models)
    return run_matrix(given, profiles, Path("results"), command="c", done=done.append)


def test_every_profile_is_run_on_every_platform_and_local_ones_with_every_model(
    asked: list[tuple[str, str, str]],
) -> None:
    done: list[Path] = []
    sizes = [Size(platform="lambda"), Size(platform="ecs", target="http://alb.example.com")]
    assert go(sizes, done, ("a", "b")) == []
    assert sorted(asked) == [
        ("single", "ecs", "http://alb.example.com"),
        ("single", "lambda", "http://127.0.0.1/a"),
        ("single", "lambda", "http://127.0.0.1/b"),
        ("steps", "ecs", "http://alb.example.com"),
        ("steps", "lambda", "http://127.0.0.1/a"),
        ("steps", "lambda", "http://127.0.0.1/b"),
    ]
    assert len(done) == 6


def test_a_failed_run_is_named_and_the_others_continue(
    asked: list[tuple[str, str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[Path] = []
    sizes = [
        Size(platform="ecs", target="http://down.example.com"),
        Size(platform="kubernetes"),
        Size(platform="lambda"),
    ]
    failures = go(sizes, done)
    assert len(asked) == len(done) == 2
    assert failures == [
        "single on ecs {}: http://down.example.com does not answer",
        "steps on ecs {}: http://down.example.com does not answer",
        "single on kubernetes {}: no such stand-in today",
        "steps on kubernetes {}: no such stand-in today",
    ]
    assert capsys.readouterr().err.splitlines() == [f"error: {failure}" for failure in failures]


def test_a_target_that_is_not_a_url_stops_before_the_first_run(asked: list[tuple[str, str, str]]) -> None:
    with pytest.raises(LoadTestError, match="is not a URL"):
        go([Size(platform="lambda"), Size(platform="ecs", target="alb")], [])
    assert asked == []
