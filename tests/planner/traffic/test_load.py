"""Traffic: arrivals of profiles and traces, scaled, repeatable, in chunks; and errors in traces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detection.errors import UserError
from loadtest.profiles import load_profile
from planner import cli
from planner.errors import TrafficError
from planner.traffic import files, load_traffic
from planner.types import Floats


def arrivals(name: str | Path, *, seed: int = 1, scale: float = 1) -> Floats:
    return np.concatenate([np.empty(0), *load_traffic(str(name), seed=seed, scale=scale).chunks()])


def times_file(folder: Path, times: Floats) -> Path:
    file = folder / "times.csv"
    file.write_text("".join(f"{time!r}\n" for time in times.tolist()))
    return file


@pytest.mark.parametrize("name", ["steady", "burst", "idle-gaps"])
def test_a_profile_has_the_arrivals_that_jmeter_sends(name: str) -> None:
    profile = load_profile(name)
    np.testing.assert_array_equal(arrivals(name), np.array(profile.arrivals_ms()) / 1000)


def test_a_scaled_profile_has_more_or_fewer_requests_in_the_same_time() -> None:
    for scale, expected in ((1, 150), (10, 1500), (0.1, 15)):
        found = arrivals("steady", scale=scale)
        assert len(found) == expected
        assert 200 < found[-1] <= 300
    assert arrivals("idle-gaps", scale=2).tolist() == [0, 0, 360, 360, 960, 960, 1860, 1860, 3660, 3660]


def test_seeds_change_the_arrivals_and_make_them_repeatable() -> None:
    assert arrivals("steady", seed=3).tolist() == arrivals("steady", seed=3).tolist()
    assert arrivals("steady", seed=3).tolist() != arrivals("steady", seed=4).tolist()


def test_times_count_from_the_first(tmp_path: Path) -> None:
    for text in (
        "time\r\n1700000000.5\r\n1700000001\r\n1700000003.25\r\n\r\n",
        "1700000000.5\n1700000001\n1700000003.25",
    ):
        (tmp_path / "t.csv").write_text(text)
        assert arrivals(tmp_path / "t.csv").tolist() == [0, 0.5, 2.75]


def test_times_are_the_same_in_blocks_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = np.cumsum(np.random.default_rng(1).exponential(2, 3000))
    file = times_file(tmp_path, times)
    monkeypatch.setattr(files, "BLOCK", 1000)
    assert len(list(load_traffic(str(file)).chunks())) > 10
    np.testing.assert_allclose(arrivals(file), times - times[0])


@pytest.mark.parametrize("scale", [0.1, 0.5, 1.5, 10])
@pytest.mark.slow
def test_scaled_times_keep_their_bursts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: float) -> None:
    random = np.random.default_rng(2)
    # A burst of ten minutes with ten times the rate.
    times = np.cumsum(
        np.concatenate([random.exponential(1, 3600), random.exponential(0.1, 6000), random.exponential(1, 3600)])
    )
    file = times_file(tmp_path, times)
    monkeypatch.setattr(files, "BLOCK", 50_000)
    found = arrivals(file, scale=scale)
    assert np.all(np.diff(found) >= 0)
    assert len(found) == pytest.approx(13_200 * scale, rel=0.05)
    burst = [float(((one > times[3600]) & (one < times[9599])).mean()) for one in (times, found)]
    assert burst[1] == pytest.approx(burst[0], abs=0.03)
    assert found.tolist() == arrivals(file, scale=scale).tolist()
    assert found.tolist() != arrivals(file, scale=scale, seed=2).tolist()


def test_counts_are_spread_over_their_minutes(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("minute,requests\n100,2000\n101,0\n105,1000\n")
    found = arrivals(tmp_path / "c.csv")
    assert np.histogram(found, bins=np.arange(0, 420, 60))[0].tolist() == [2000, 0, 0, 0, 0, 1000]
    assert np.histogram(found, bins=[0, 15, 30, 45, 60])[0].tolist() == pytest.approx([500] * 4, rel=0.15)
    assert len(arrivals(tmp_path / "c.csv", scale=0.1)) == 300


WRONG = [
    ("", "is empty: write one time in seconds per line, or a minute and its number of requests"),
    ("time\n", "has no times: write one time in seconds per line"),
    ("minute,count\n", "has no counts: write a minute and its number of requests per line"),
    ("1\n3\n2\n", "line 3: 2 is before the line above it: sort the lines"),
    ("1\n2.5\n2.5\n", "line 3: 2.5 is there twice: write times with more digits, or counts per minute"),
    ("-1\n2\n", "line 1: '-1' is negative"),
    ("1\nx2\n", "line 2: 'x2' is not a time in seconds"),
    ("1\n\n2\n", "line 2: '' is not a time in seconds"),
    ("1\nnan\n", "line 2: 'nan' is not a time in seconds: it must be finite, in 40 characters"),
    ("nan\n1\n", "line 1: 'nan' is not a time in seconds: it must be finite, in 40 characters"),
    ("1\ninf\n", "line 2: 'inf' is not a time in seconds: it must be finite, in 40 characters"),
    ("1\n" + "2" * 50 + "\n", f"line 2: '{'2' * 40}...' is not a time in seconds: it must be finite, in 40 characters"),
    ("1,2,3\n", "line 1: 3 columns; a time has one, a minute and its count have two"),
    ("1,5\n2\n", "line 2: '2' is not a minute and its number of requests"),
    ("1,5\n1,6\n", "line 2: 1 is there twice: write times with more digits, or counts per minute"),
    ("2,5\n1,6\n", "line 2: 1 is before the line above it: sort the lines"),
    ("1,0.5\n", "line 1: 0.5 is not a whole number"),
    ("1,-5\n", "line 1: '-5' is negative"),
    ("1,\x1b[31m\n", r"line 1: '\x1b[31m' is not a whole number"),
    ("1,9000000\n", "line 1: 9000000 requests in a minute; the most is 6,000,000"),
    ("0,1\n99999999,1\n", "line 2: minute 99999999 is more than ten years after the first one"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_trace_names_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "t.csv"
    file.write_text(text)
    with pytest.raises(TrafficError) as caught:
        arrivals(file)
    assert str(caught.value).startswith(str(file))
    assert str(caught.value).endswith(message)


@pytest.mark.parametrize(
    ("name", "scale", "message"),
    [
        ("batches", 1, "profile batches sends a request when the last one is answered, so its arrivals are not known"),
        ("nothing", 1, "there is no profile nothing; a profile is one of batches, "),
        ("nothing.csv", 1, "there is no file nothing.csv; a profile is one of batches, "),
        ("steady", 0, "the scale is 0, and must be from 0.0001 to 1000"),
        ("steady", float("nan"), "the scale is nan, and must be from 0.0001 to 1000"),
        ("idle-gaps", 1.5, "profile idle-gaps has single requests: its scale must be a whole number, not 1.5"),
    ],
)
def test_traffic_that_cannot_be_had_is_named(name: str, scale: float, message: str) -> None:
    with pytest.raises(UserError) as caught:
        arrivals(name, scale=scale)
    assert str(caught.value).startswith(message)


def test_a_profile_with_too_many_requests_is_refused_before_they_are_made(tmp_path: Path) -> None:
    (tmp_path / "huge.yaml").write_text("question: How many?\nstages: [{rate_per_s: 10000, for_s: 86400}]\n")
    with pytest.raises(TrafficError, match="profile huge has 864,000,000 requests; the most is 10,000,000"):
        arrivals(tmp_path / "huge.yaml")


def test_the_command_prints_a_summary_or_one_line_of_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text("0\n30\n59\n60\n100\n")
    assert cli.main(["traffic", str(tmp_path / "t.csv")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "t: 5 requests in 100.0 s, 0.05/s on average, 3 in the busiest minute",
        "  a trace with one time per line",
    ]
    assert cli.main(["traffic", "steps"]) == 1
    assert capsys.readouterr().err.startswith("error: profile steps sends a request when the last one is answered")
