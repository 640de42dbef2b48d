"""Service times from measured runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadtest.runs import parse_target
from planner.errors import MeasuredError
from planner.plan.measured import ServiceTimes, read_measured
from planner.plan.samples import draw, parse_mix
from planner.plan.sizes import at_memory
from tests.loadtest.results.jtl import failed, record, sample, write_run

AWS = parse_target("https://abc.execute-api.us-east-1.amazonaws.com")


def single(folder: Path, elapsed: list[int], *, cold: int | None = None, model: str = "m:1", **changes: Any) -> None:
    """A run of one request after the other."""
    every = max([*elapsed, cold or 0]) + 10
    samples = [] if cold is None else [sample(0, cold, cold="true", model=model)]
    samples += [sample(every * (k + 1), time, model=model, detect=str(time / 2)) for k, time in enumerate(elapsed)]
    write_run(folder, samples, record("single", **changes))


def measured(folder: Path, **options: Any) -> list[ServiceTimes]:
    return read_measured([folder], **options)[0]


def test_times_are_seconds_and_cold_ones_are_apart(tmp_path: Path) -> None:
    single(tmp_path / "a", [100, 200, 300], cold=2000)
    (times,) = measured(tmp_path)
    assert times.warm_s.tolist() == [0.1, 0.2, 0.3]
    assert times.kinds[0].detect_s.tolist() == [0.05, 0.1, 0.15]
    assert times.cold_s.tolist() == [2.0]
    assert times.overhead_s == pytest.approx(0.1)
    # fetch, decode, annotate and store take 26.1 ms in every sample; each answer is billed in whole milliseconds.
    assert times.warm_billed_s == pytest.approx((77 + 127 + 177) / 3 / 1000)
    assert times.kinds[0].cold_billed_s.tolist() == [2.0]


def test_requests_that_overlap_others_are_left_out(tmp_path: Path) -> None:
    samples = [sample(0, 100), sample(200, 500), sample(300, 100), sample(650, 100), sample(800, 40)]
    write_run(tmp_path / "a", samples, record("single"))
    (times,) = measured(tmp_path)
    assert times.warm_s.tolist() == [0.1, 0.04]


def test_a_failed_request_is_no_time_but_overlaps(tmp_path: Path) -> None:
    write_run(tmp_path / "a", [sample(0, 100), failed(50, 500), sample(700, 30)], record("single"))
    (times,) = measured(tmp_path)
    assert times.warm_s.tolist() == [0.03]


def test_profiles_with_several_users_are_not_used(tmp_path: Path) -> None:
    single(tmp_path / "a", [100])
    write_run(tmp_path / "b", [sample(0, 900)], record("batches"))
    (times,) = measured(tmp_path)
    assert times.warm_s.tolist() == [0.1]


def test_runs_of_one_size_are_one_distribution_and_pictures_are_chosen(tmp_path: Path) -> None:
    single(tmp_path / "a", [100], cold=1000)
    write_run(tmp_path / "b", [sample(0, 110), sample(200, 300, label="large")], record("payloads"))
    single(tmp_path / "c", [400], settings={"memory_mb": 1769})
    by_label = {one.label: one for one in measured(tmp_path)}
    assert by_label["local Lambda 3000 MB"].warm_s.tolist() == [0.1, 0.11]
    assert by_label["local Lambda 1769 MB"].warm_s.tolist() == [0.4]
    (large,), origin = read_measured([tmp_path], picture="large")
    assert large.warm_s.tolist() == [0.3]
    assert origin.left_out == [
        "the runs of local Lambda 1769 MB have no warm answer for picture 'large', only for scenes, and are left out"
    ]
    for lacking in ("small", "scenes=50%,small=50%"):
        with pytest.raises(MeasuredError, match="have no warm answer for picture 'small', only for large, scenes: run"):
            measured(tmp_path, picture=lacking)


def test_a_mix_keeps_the_times_of_each_kind_and_a_kind_without_cold_starts_has_those_of_others(tmp_path: Path) -> None:
    rows = [
        sample(0, 1000, label="small", cold="true"),
        sample(2000, 100, label="small"),
        sample(3000, 120, label="small"),
    ]
    write_run(tmp_path / "a", [*rows, sample(4000, 300, label="large", detect="200")], record("payloads"))
    (times,) = measured(tmp_path, picture="small=70%, large=30%")
    small, large = times.kinds
    assert (small.picture, small.share, large.picture, large.share) == ("small", 0.7, "large", 0.3)
    assert (small.warm_s.tolist(), large.warm_s.tolist()) == ([0.1, 0.12], [0.3])
    # A large picture takes 0.3 - 0.11 s longer than a small one.
    assert (small.cold_s.tolist(), large.cold_s.tolist()) == ([1.0], [pytest.approx(1.19)])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("small=70%,large=20%", "the shares of --picture add up to 90%, and must add up to 100%"),
        ("small=70%,large=40%", "add up to 110%"),
        ("small=100%,large=0.0001%", "add up to 100.0001%"),
        ("small=50%,small=50%", "--picture has 'small' twice: give each kind one share"),
        ("small=70%,large", "'large' is not a part of a mix of pictures: write e.g. small=70%,large=30%"),
        ("small=0.7,large=0.3", "'small=0.7' is not a part"),
        ("small=0%,large=100%", "'small=0%' is not a part"),
        ("small=nan%,large=100%", "'small=nan%' is not a part"),
        ("small=-20%,large=120%", "'small=-20%' is not a part"),
        ("=100%", "'=100%' is not a part"),
        (",".join(f"p{k}=10%" for k in range(11)), "--picture has 11 kinds; the most is 10"),
    ],
)
def test_a_wrong_mix_is_refused(text: str, said: str) -> None:
    with pytest.raises(MeasuredError, match=said):
        parse_mix(text)


def test_samples_of_a_mix_are_repeated_until_each_kind_has_its_share_and_are_resampled_by_kind(tmp_path: Path) -> None:
    single(tmp_path / "a", [100, 200], cold=1000)
    (times,) = measured(tmp_path)
    first, second = (replace(times.kinds[0].scaled(factor, 1), share=share) for factor, share in ((1, 0.7), (10, 0.3)))
    drawn = draw((first, second), None)
    counts = {time: int((drawn.warm_s == time).sum()) for time in (0.1, 0.2, 1.0, 2.0)}
    assert counts == {0.1: 700, 0.2: 700, 1.0: 300, 2.0: 300}
    assert drawn.warm_billed_s == pytest.approx(3.7 * times.warm_billed_s)
    for seed in range(5):
        again = draw((first, second), np.random.default_rng(seed))
        assert int((again.warm_s < 0.5).sum()) == 1400


def test_where_the_times_come_from_is_kept(tmp_path: Path) -> None:
    single(tmp_path / "a", [100])
    single(tmp_path / "b", [100], platform="ecs", settings={}, commit="def")
    found = read_measured([tmp_path])[1]
    assert (found.model, found.where, found.commits, found.runs) == ("m", "local", ["abc", "def"], ["a", "b"])
    assert found.first == found.last == "2026-09-21"


@pytest.mark.parametrize(
    ("changes", "options", "said"),
    [
        ({"model": "other:1"}, {}, "2 models, m, other: choose one with --model"),
        ({"model": "other:1"}, {"model": "third"}, "no run is of model third: the runs are of m, other"),
        ({"machine": "8 cores"}, {}, r"2 machines \(2 cores; 8 cores\)"),
        ({"target": AWS}, {}, "some runs are local and some on AWS"),
    ],
)
def test_runs_that_do_not_fit_together_are_refused(
    tmp_path: Path, changes: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    single(tmp_path / "a", [100])
    single(tmp_path / "b", [100], **changes)
    with pytest.raises(MeasuredError, match=said):
        measured(tmp_path, **options)


def test_a_run_with_answers_of_two_models_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "a", [sample(0, 10, model="m:1"), sample(50, 10, model="n:1")], record("single"))
    with pytest.raises(MeasuredError, match="answers come from 2 models: m:1, n:1"):
        measured(tmp_path)


def test_missing_and_broken_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MeasuredError, match="there is no folder"):
        measured(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MeasuredError, match=r"there is no run\.json"):
        measured(tmp_path / "empty")
    single(tmp_path / "runs" / "a", [100], status="interrupted")
    with pytest.raises(MeasuredError, match="no finished run of profile single, idle-gaps or payloads"):
        measured(tmp_path / "runs")


def test_a_size_between_measured_ones_follows_their_curve(tmp_path: Path) -> None:
    for memory_mb, elapsed, cold in ((1000, 1600, 4000), (2000, 800, 3000), (4000, 600, 2000)):
        settings = {"memory_mb": memory_mb}
        single(tmp_path / str(memory_mb), [elapsed, elapsed], cold=cold, settings=settings)
    sizes = measured(tmp_path)
    assert at_memory(sizes, 2000).warm_s.tolist() == [0.8, 0.8]
    between = at_memory(sizes, 1414)  # Half way on a logarithmic scale.
    assert between.warm_s == pytest.approx([0.8 * 2**0.5] * 2, rel=1e-3)
    assert between.cold_s == pytest.approx([(4.0 * 3.0) ** 0.5], rel=1e-3)
    assert between.warm_billed_s / at_memory(sizes, 1000).warm_billed_s == pytest.approx(0.5**0.5, rel=1e-3)
    assert between.label == "local Lambda 1414 MB"
    for outside in (512, 5000):
        with pytest.raises(MeasuredError, match="outside the measured sizes, 1000 to 4000 MB"):
            at_memory(sizes, outside)


def test_without_a_measured_function_there_is_no_size() -> None:
    with pytest.raises(MeasuredError, match="no run is of Lambda"):
        at_memory([], 3000)


def test_the_processors_of_the_instances_are_those_of_the_samples(tmp_path: Path) -> None:
    single(tmp_path / "a", [100, 200])
    assert read_measured([tmp_path])[1].processors == ["Xeon, AVX2"]


def test_a_run_that_does_not_name_the_processor_can_be_planned_with(tmp_path: Path) -> None:
    single(tmp_path / "a", [100, 200])
    file = tmp_path / "a" / "samples.jtl"
    file.write_text(file.read_text().replace("content,cpu", "content").replace(',"Xeon, AVX2"', ""))
    times, found = read_measured([tmp_path])
    assert (times[0].warm_s.tolist(), found.processors) == ([0.1, 0.2], [])
