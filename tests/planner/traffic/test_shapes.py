"""Shapes as traffic: their rates, their statistics, their bounds, and what is wrong in a file."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from loadtest import profiles
from planner import cli
from planner.errors import TrafficError
from planner.traffic import load_traffic, poisson, shape_files
from planner.types import Floats

DAY = "{0: 1, 6: 1, 12: 4, 18: 2}"


def shape(folder: Path, text: str, name: str = "mine") -> str:
    (folder / f"{name}.yaml").write_text(f"about: A test.\n{text}\n")
    return str(folder / f"{name}.yaml")


def arrivals(name: str, *, seed: int = 1, scale: float = 1) -> Floats:
    return np.concatenate([np.empty(0), *load_traffic(name, seed=seed, scale=scale).chunks()])


def deviations(count: float, expected: float) -> float:
    """How many standard deviations of a Poisson count lie between two numbers."""
    return abs(count - expected) / math.sqrt(expected)


@pytest.mark.parametrize("name", shape_files.names())
def test_a_shipped_shape_has_its_mean_rate_and_length(name: str) -> None:
    traffic = load_traffic(name, scale=0.5)
    found = np.concatenate(list(traffic.chunks()))
    assert np.all(np.diff(found) >= 0)
    assert found[0] >= 0
    assert found[-1] <= traffic.length_s
    # The states of an MMPP add to the variance of a count.
    expected = 0.5 * shape_files.to_source(shape_files.FOLDER / f"{name}.yaml").shape.mean_per_s * traffic.length_s
    assert deviations(found.size, expected) < (25 if name == "bursty" else 4)
    assert traffic.repeats == (name != "ramp")


def test_shapes_and_profiles_have_different_names() -> None:
    assert not set(shape_files.names()) & set(profiles.names())


SHAPES = [
    # text, bounds of times, expected requests between them
    ("kind: constant\nrate_per_s: 2\nfor_s: 10000", [0, 5000, 10000], [10000, 10000]),
    ("kind: ramp\nfrom_per_s: 0\nto_per_s: 4\nfor_s: 10000", [0, 2500, 5000, 10000], [1250, 3750, 15000]),
    ("kind: ramp\nfrom_per_s: 4\nto_per_s: 1\nfor_s: 10000", [0, 5000, 10000], [16250, 8750]),
    (
        f"kind: curve\nrates_per_s: {DAY}\nfor_days: 1.25",
        [0, 21600, 32400, 43200, 64800, 86400, 108000],
        [21600, 10800 * 1.75, 10800 * 3.25, 21600 * 3, 21600 * 1.5, 21600],
    ),
    # Between 22:00 and 2:00 the rate is interpolated over midnight.
    ("kind: curve\nrates_per_s: {2: 1, 22: 3}\nfor_days: 1", [0, 7200, 79200, 86400], [10800, 144000, 18000]),
    (
        "kind: curve\nrates_per_s: {12: 1}\nweekdays: {tue: 0.5, sun: 0}\nfor_days: 8",
        [0, 86400, 172800, 518400, 604800, 691200],
        [86400, 43200, 345600, 0, 86400],
    ),
    (
        "kind: on-off\non_per_s: 5\non_s: 1000\noff_per_s: 0.5\noff_s: 3000\nfor_s: 5000",
        [0, 1000, 4000, 5000],
        [5000, 1500, 5000],
    ),
]


@pytest.mark.parametrize(("text", "bounds", "expected"), SHAPES, ids=range(len(SHAPES)))
@pytest.mark.parametrize("chunk", [1000, poisson.CHUNK])
def test_a_shape_has_the_expected_requests_in_each_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, bounds: list[float], expected: list[float], chunk: int
) -> None:
    monkeypatch.setattr(poisson, "CHUNK", chunk)
    name = shape(tmp_path, text)
    for scale in (1, 3):
        found = arrivals(name, scale=scale)
        assert np.all(np.diff(found) >= 0)
        counts = np.histogram(found, bins=bounds)[0]
        assert counts.sum() == found.size
        for count, mean in zip(counts, expected, strict=True):
            assert count == 0 if mean == 0 else deviations(count, mean * scale) < 4
    source = shape_files.to_source(Path(name))
    assert source.shape.mean_per_s == pytest.approx(sum(expected) / bounds[-1])
    assert source.length_s == bounds[-1]


@pytest.mark.parametrize(("text", "bounds", "expected"), SHAPES, ids=range(len(SHAPES)))
def test_arrivals_are_a_poisson_process(tmp_path: Path, text: str, bounds: list[float], expected: list[float]) -> None:
    found = arrivals(shape(tmp_path, text))
    # With its own rate as the clock, gaps of a Poisson process are exponential: mean 1, deviation 1, no correlation.
    segments = np.concatenate(
        list(shape_files.to_source(tmp_path / "mine.yaml").shape.segments(np.random.default_rng(1)))
    )
    grid = np.unique(np.concatenate([np.linspace(start, end, 200) for start, end, _, _ in segments]))
    middle = (grid[:-1] + grid[1:]) / 2
    at = np.searchsorted(segments[:, 0], middle, side="right") - 1
    starts, ends, begin, end = segments[at].T
    rates = begin + (end - begin) * (middle - starts) / (ends - starts)
    clock = np.concatenate(([0], np.cumsum(rates * np.diff(grid))))
    gaps = np.diff(np.interp(found, grid, clock))
    error = 4 / gaps.size**0.5
    assert gaps.mean() == pytest.approx(1, abs=error)
    assert gaps.std() == pytest.approx(1, abs=2 * error)
    assert np.corrcoef(gaps[:-1], gaps[1:])[0, 1] == pytest.approx(0, abs=error)


@pytest.mark.parametrize("window_s", [10, 100, 1000])
def test_bursts_of_an_mmpp_have_the_dispersion_of_theory(tmp_path: Path, window_s: float) -> None:
    rates, means = (1.0, 20.0), (90.0, 30.0)
    states = ", ".join(f"{{rate_per_s: {rate}, mean_s: {mean}}}" for rate, mean in zip(rates, means, strict=True))
    found = arrivals(shape(tmp_path, f"kind: mmpp\nstates: [{states}]\nfor_days: 10"), seed=3)
    counts = np.histogram(found, bins=np.arange(0, 864_001, window_s))[0].astype(float)
    # Index of dispersion of a two-state MMPP: W. Fischer and K. Meier-Hellstern, "The MMPP cookbook", 1993.
    leave = [1 / mean for mean in means]
    both = sum(leave)
    mean_rate = (rates[0] * leave[1] + rates[1] * leave[0]) / both
    limit = 2 * (rates[0] - rates[1]) ** 2 * leave[0] * leave[1] / (both**3 * mean_rate)
    dispersion = 1 + limit * (1 - (1 - np.exp(-both * window_s)) / (both * window_s))
    # Sampling errors: the share of time in the second state has a relative error of 2% in ten days.
    assert found.size / 864_000 == pytest.approx(mean_rate, rel=0.06)
    assert counts.var() / counts.mean() == pytest.approx(dispersion, rel=0.1 if window_s < 1000 else 0.2)


def test_more_than_two_states_have_their_shares_of_time(tmp_path: Path) -> None:
    states = "{rate_per_s: 0, mean_s: 10}, {rate_per_s: 10, mean_s: 20}, {rate_per_s: 100, mean_s: 30}"
    name = shape(tmp_path, f"kind: mmpp\nstates: [{states}]\nfor_days: 1")
    counts = np.histogram(arrivals(name), bins=np.arange(0, 86401))[0]
    assert (counts == 0).mean() == pytest.approx(1 / 6, rel=0.1)
    assert (counts > 40).mean() == pytest.approx(1 / 2, rel=0.1)


@pytest.mark.slow
def test_the_first_state_is_as_likely_as_its_share_of_the_time(tmp_path: Path) -> None:
    states = "{rate_per_s: 0, mean_s: 900}, {rate_per_s: 50, mean_s: 300}"
    name = shape(tmp_path, f"kind: mmpp\nstates: [{states}]\nfor_s: 1")
    busy = np.mean([arrivals(name, seed=seed).size > 10 for seed in range(400)])
    assert busy == pytest.approx(0.25, abs=0.09)


def test_seeds_make_shapes_repeatable() -> None:
    assert arrivals("bursty", seed=2).tolist() == arrivals("bursty", seed=2).tolist()
    assert arrivals("bursty", seed=2).tolist() != arrivals("bursty", seed=3).tolist()


def test_a_shape_repeats_if_its_length_is_a_number_of_periods(tmp_path: Path) -> None:
    def repeats(text: str) -> bool:
        return load_traffic(shape(tmp_path, text)).repeats

    day, week = f"kind: curve\nrates_per_s: {DAY}\n", f"kind: curve\nweekdays: {{sun: 0.5}}\nrates_per_s: {DAY}\n"
    assert [repeats(f"{day}for_days: {days}") for days in (1, 3, 1.5)] == [True, True, False]
    assert [repeats(f"{week}for_days: {days}") for days in (7, 14, 6)] == [True, True, False]
    on_off = "kind: on-off\non_per_s: 1\non_s: 0.1\noff_s: 0.2\nfor_s: "
    assert [repeats(f"{on_off}{length}") for length in (0.3, 600, 0.4)] == [True, True, False]


def test_a_month_streams(tmp_path: Path) -> None:
    name = shape(tmp_path, f"kind: curve\nrates_per_s: {DAY}\nfor_days: 30")
    tracemalloc.start()
    try:
        total = sum(times.size for times in itertools.islice(load_traffic(name, scale=5).chunks(), 12))
        for _ in load_traffic("bursty", scale=20).chunks():
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total > 2_000_000
    assert peak < 60_000_000


WRONG = [
    ("kind: constant\nrate_per_s: 1\nfor_s: 1\nrates: 2", "rates: Extra inputs are not permitted, not 2"),
    ("kind: constant\nfor_s: 1", "rate_per_s: Field required"),
    ("kind: constant\nrate_per_s: -1\nfor_s: 1", "rate_per_s: Input should be greater than or equal to 0, not -1"),
    ("kind: constant\nrate_per_s: .nan\nfor_s: 1", "rate_per_s: Input should be a finite number, not nan"),
    (
        "kind: constant\nrate_per_s: many\nfor_s: 1",
        "rate_per_s: Input should be a valid number, unable to parse string",
    ),
    ("kind: constant\nrate_per_s: 1", "exactly one of for_s and for_days is needed"),
    ("kind: constant\nrate_per_s: 1\nfor_s: 1\nfor_days: 1", "exactly one of for_s and for_days is needed"),
    ("kind: constant\nrate_per_s: 1\nfor_days: 367", "for_days: Input should be less than or equal to 366, not 367"),
    ("kind: constant\nrate_per_s: 0\nfor_s: 1", "the rate is always 0"),
    ("kind: wave\nfor_s: 1", "kind: 'wave' is not a shape; take one of constant, ramp, curve, on-off, mmpp"),
    ("kind: [1]\nfor_s: 1", "kind: '[1]' is not a shape; take one of constant, ramp, curve, on-off, mmpp"),
    ("kind: curve\nrates_per_s: {}\nfor_days: 1", "rates_per_s: Dictionary should have at least 1 item"),
    ("kind: curve\nrates_per_s: {24: 1}\nfor_days: 1", "rates_per_s.24.[key]: Input should be less than 24, not 24"),
    ("kind: curve\nrates_per_s: {1: 1}\nweekdays: {son: 1}\nfor_days: 1", "weekdays.son.[key]: Input should be 'mon'"),
    ("kind: mmpp\nstates: [{rate_per_s: 1, mean_s: 1}]\nfor_s: 9", "states: Tuple should have at least 2 items"),
    (
        "kind: mmpp\nstates: [{rate_per_s: 1, mean_s: 1}, {rate_per_s: 1, mean: 1}]\nfor_s: 9",
        "states.1.mean_s: Field required",
    ),
    (
        "kind: on-off\non_per_s: 1\non_s: 0.01\noff_s: 0.01\nfor_days: 2",
        "the rate changes more than 10,000,000 times: make it shorter or the changes rarer",
    ),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_shape_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    name = shape(tmp_path, text)
    with pytest.raises(TrafficError) as caught:
        load_traffic(name)
    assert str(caught.value).startswith(f"{name}: {message}")
    assert "\n" not in str(caught.value)


def test_files_that_are_not_shapes_are_refused(tmp_path: Path) -> None:
    for text, message in (("kind: [", "is not YAML: "), ("- kind", "a shape must be a mapping")):
        (tmp_path / "x.yaml").write_text(text)
        with pytest.raises(TrafficError, match=message):
            shape_files.to_source(tmp_path / "x.yaml")
    (tmp_path / "x.yaml").write_bytes(b"kind: \xff")
    with pytest.raises(TrafficError, match="is not YAML"):
        shape_files.to_source(tmp_path / "x.yaml")
    (tmp_path / "x.yaml").write_text("#" * 100_001)
    with pytest.raises(TrafficError, match="more than 100,000 bytes, too many for a profile or a shape"):
        load_traffic(str(tmp_path / "x.yaml"))


def test_too_many_requests_are_refused_before_they_are_made(tmp_path: Path) -> None:
    name = shape(tmp_path, "kind: constant\nrate_per_s: 100\nfor_days: 366", "huge")
    with pytest.raises(TrafficError, match="shape huge has about 3,162,240,000 requests; the most is 1,000,000,000"):
        next(load_traffic(name).chunks())
    assert next(load_traffic(name, scale=0.1).chunks()).size


def test_the_command_prints_the_rates_of_a_shape(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["traffic", "office-day", "--scale", "0.1"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("office-day: 6,")
    assert out[1:] == [
        "  a shape: A working day of people in one time zone, with a break at noon.",
        "  mean rate 0.07462/s, peak rate 0.2/s, for 86,400 s",
    ]


def test_the_peak_is_that_of_the_time_covered(tmp_path: Path) -> None:
    for text, peak in (
        (f"kind: curve\nrates_per_s: {DAY}\nfor_s: 32400", 2.5),
        (f"kind: curve\nrates_per_s: {DAY}\nweekdays: {{mon: 0.5}}\nfor_days: 1", 2),
        ("kind: on-off\non_per_s: 1\non_s: 10\noff_per_s: 3\noff_s: 10\nfor_s: 5", 1),
        ("kind: on-off\non_per_s: 1\non_s: 10\noff_per_s: 3\noff_s: 10\nfor_s: 15", 3),
    ):
        assert shape_files.to_source(Path(shape(tmp_path, text))).shape.peak_per_s == peak
