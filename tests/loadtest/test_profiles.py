"""Profiles: their schedules, and errors in them."""

from __future__ import annotations

import csv
import re
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from loadtest import profiles
from loadtest.cost.prices import load_prices
from loadtest.errors import LoadTestError
from loadtest.profiles import load_profile, names
from loadtest.run.jmeter import PLAN, PROPERTIES
from loadtest.run.matrix import load_matrix
from loadtest.run.runner import write_requests
from local.aws_lambda.sandbox import MB_PER_CPU

NAMES = names()
README = profiles.FOLDER.parent / "README.md"


def read(file: Path) -> list[dict[str, str]]:
    with file.open() as opened:
        return list(csv.DictReader(opened))


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_every_profile_can_be_read_and_asks_a_question(name: str, short: bool) -> None:
    profile = load_profile(name, short=short)
    assert profile.name == name
    assert profile.question.endswith("?")


def test_batches_send_what_the_readme_says() -> None:
    profile = load_profile("batches")
    ((users, times),) = re.findall(r"\| `batches` \| (\d+) simultaneous requests, (\d+) times", README.read_text())
    assert (profile.threads, profile.total) == (int(users), int(users) * int(times))
    assert profile.properties()["together"] == profile.threads


def test_gaps_begin_at_their_minutes_and_shrink_with_the_time_scale() -> None:
    assert load_profile("idle-gaps").arrivals_ms() == [0, 360_000, 960_000, 1_860_000, 3_660_000]
    assert load_profile("idle-gaps", changes=["time_scale=0.01"]).arrivals_ms() == [0, 3600, 9600, 18_600, 36_600]


def test_users_of_a_step_begin_within_its_ramp() -> None:
    profile = load_profile("steps", changes=["steps=[1, 3]", "ramp_s=2", "hold_s=10"])
    assert profile.starts_ms() == [0, 12_000, 13_000]
    assert profile.step_times() == [(2, 12, 1), (14, 24, 3)]
    assert profile.properties()["starts"] == "0,12000,13000"
    assert profile.properties()["hold"] == 24


def test_arrivals_are_a_poisson_process_at_the_rate_of_their_stage() -> None:
    changes = ["stages=[{rate_per_s: 5, for_s: 200}, {rate_per_s: 50, for_s: 100}]"]
    profile = load_profile("burst", changes=changes)
    times = np.array(profile.arrivals_ms())
    assert np.all(np.diff(times) >= 0)
    assert [(times < 200_000).sum(), (times >= 200_000).sum()] == [1000, 5000]
    # Times between arrivals of a Poisson process have a standard deviation equal to their mean.
    gaps = np.diff(times[times >= 200_000])
    assert gaps.std() / gaps.mean() == pytest.approx(1, abs=0.06)
    assert load_profile("burst", changes=changes).arrivals_ms() == profile.arrivals_ms()
    assert load_profile("burst", changes=[*changes, "seed=2"]).arrivals_ms() != profile.arrivals_ms()


def test_an_open_profile_has_a_free_thread_even_if_nothing_is_answered() -> None:
    profile = load_profile("steady", changes=["stages=[{rate_per_s: 20, for_s: 300}]", "timeout_s=10"])
    times = profile.arrivals_ms()
    waiting = [sum(at - 10_000 < other <= at for other in times) for at in times[::50]]
    assert max(waiting) < profile.threads < len(times)


def test_requests_alternate_between_the_pictures(tmp_path: Path) -> None:
    write_requests(load_profile("payloads"), tmp_path / "requests.csv")
    rows = read(tmp_path / "requests.csv")
    assert [row["label"] for row in rows[:4]] == ["small", "medium", "large", "small"]
    assert len({row["filename"] for row in rows}) == 9
    assert {row["at_ms"] for row in rows} == {""}


def test_requests_of_an_open_profile_have_their_scheduled_time(tmp_path: Path) -> None:
    profile = load_profile("steady")
    write_requests(profile, tmp_path / "requests.csv")
    rows = read(tmp_path / "requests.csv")
    assert [int(row["at_ms"]) for row in rows] == profile.arrivals_ms()
    assert all(a["filename"] != b["filename"] for a, b in pairwise(rows))


def test_the_plan_without_a_profile_sends_the_requests_of_batches(tmp_path: Path) -> None:
    write_requests(load_profile("batches"), tmp_path / "requests.csv")
    assert PLAN.with_name("requests.csv").read_text().split() == (tmp_path / "requests.csv").read_text().split()


def test_the_plan_has_a_variable_for_every_property_of_a_profile() -> None:
    variables = set(re.findall(r'"Argument.name">(\w+)<', PLAN.read_text()))
    for name in NAMES:
        assert set(load_profile(name).properties()) <= variables


def test_every_variable_of_the_samples_is_set_by_the_plan() -> None:
    listed = re.search(r"^sample_variables=(.*)$", PROPERTIES.read_text(), re.M)
    assert listed
    text = PLAN.read_text()
    put = set(re.findall(r"vars\.put\('(\w+)'", text)) | {"fetch", "decode", "detect", "annotate", "store"}
    assert set(listed[1].split(",")) <= put


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["users=0"], "users: Input should be greater than or equal to 1, not 0"),
        (["loops=null"], "exactly one of loops, steps, at_minutes and stages is needed, not none"),
        (["steps=[3, 6]"], "exactly one of loops, steps, at_minutes and stages is needed, not loops and steps"),
        (["loops=null", "steps=[6, 3]"], "steps must be increasing numbers of users, from 1"),
        (["loops=null", "steps=[0]"], "steps must be increasing numbers of users, from 1"),
        (["loops=null", "at_minutes=[5, 1]"], "at_minutes must not decrease, from 0"),
        (
            ["loops=null", "stages=[{rate_per_s: 0, for_s: 1}]"],
            "stages.0.rate_per_s: Input should be greater than 0, not 0",
        ),
        (["pictures=[huge]"], "pictures.0: Input should be 'scenes', 'small', 'medium' or 'large', not 'huge'"),
        (["user=3"], "user: Extra inputs are not permitted, not 3"),
        (["users=[1"], "users=[1: a value is not YAML"),
        (["users"], "users is not a change of a profile: write name=value"),
    ],
)
def test_a_wrong_profile_is_one_line(changes: list[str], message: str) -> None:
    with pytest.raises(LoadTestError) as caught:
        load_profile("batches", changes=changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_profile_is_one_line_with_the_known_ones() -> None:
    with pytest.raises(LoadTestError, match=f"there is no profile nothing: take one of {', '.join(NAMES)}"):
        load_profile("nothing")


def test_a_file_that_is_not_a_profile_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("[1, 2")
    (tmp_path / "b.yaml").write_text("- 1")
    (tmp_path / "c.yaml").write_text("{question: 'Why?', loops: 1, short: 3}")
    with pytest.raises(LoadTestError, match=r"c\.yaml: short must be a mapping"):
        load_profile(str(tmp_path / "c.yaml"))
    with pytest.raises(LoadTestError, match=r"a\.yaml is not YAML"):
        load_profile(str(tmp_path / "a.yaml"))
    with pytest.raises(LoadTestError, match=r"b\.yaml: a profile must be a mapping"):
        load_profile(str(tmp_path / "b.yaml"))


@pytest.mark.parametrize("name", ["compare", "memory"])
def test_every_matrix_names_existing_profiles(name: str) -> None:
    assert set(load_matrix(name).profiles) <= set(NAMES)


def test_compare_runs_both_platforms_at_a_size_that_two_processors_can_stand_in_for() -> None:
    function, instance = (size.settings.given for size in load_matrix("compare").platforms)
    assert 1 < function["memory_mb"] / MB_PER_CPU <= 2
    assert load_prices().burstable[instance["instance_type"]].vcpus == 2


def test_a_new_profile_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(profiles.FOLDER, tmp_path / "profiles")
    (folder / "pair.yaml").write_text("{question: 'How long do two users wait?', users: 2, loops: 5}")
    monkeypatch.setattr(profiles, "FOLDER", folder)
    assert load_profile("pair").total == 10
    assert profiles.names() == sorted([*NAMES, "pair"])
    with pytest.raises(LoadTestError, match=r"take one of .*\bpair\b"):
        load_profile("nothing")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("profiles: []\nplatforms: [{platform: lambda}]", "profiles: Tuple should have at least 1 item"),
        (
            "profiles: [batches]\nplatforms: [{platform: azure}]",
            "platforms.0.platform: there is no platform 'azure': take",
        ),
        (
            "profiles: [batches]\nplatforms: [{platform: lambda, settings: {memroy_mb: 3000}}]",
            "platforms.0.settings: lambda has no setting memroy_mb: the settings of lambda are region, note, memory_mb",
        ),
        (
            "profiles: [batches]\nplatforms: [{platform: lambda, settings: {memory_mb: much}}]",
            "platforms.0.settings: memory_mb: Input should be a valid integer, unable to parse string as an integer, "
            "not 'much'; the settings of lambda are",
        ),
    ],
)
def test_a_wrong_matrix_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(text)
    with pytest.raises(LoadTestError) as caught:
        load_matrix(str(tmp_path / "m.yaml"))
    assert message in str(caught.value)
