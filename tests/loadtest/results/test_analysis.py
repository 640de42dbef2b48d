"""The summary of hand-made samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import SamplesError
from loadtest.results.analysis import MOST_POINTS, read_run
from loadtest.results.summary import Summary
from loadtest.runs import Record, parse_target
from tests.loadtest.results.jtl import HEADER, START, failed, record, sample, text, write_run


def summed(tmp_path: Path, samples: list[dict[str, Any]], run: Record | None = None) -> Summary:
    return read_run(write_run(tmp_path / "run", samples, run))


def test_cold_and_warm_are_apart_and_counted_per_instance(tmp_path: Path) -> None:
    samples = [sample(0, 2000, cold="true", instance="a"), sample(0, 2400, cold="true", instance="b")]
    samples += [sample(3000 + at, 100, instance="a") for at in range(4)]
    summary = summed(tmp_path, samples)
    assert summary.cold is not None and summary.warm is not None and summary.all is not None
    assert (summary.cold.count, summary.cold.mean.value) == (2, 2200)
    assert (summary.warm.count, summary.warm.p99.value) == (4, 100)
    assert summary.all.count == 6
    assert (summary.cold_starts, summary.instances) == ({"a": 1, "b": 1}, 2)


def test_failures_are_counted_by_code_and_are_no_response_times(tmp_path: Path) -> None:
    samples = [
        sample(0, 100), failed(0, 3, code="overloaded"), failed(5, 3, code="overloaded"), failed(9, 3, "429"),
        failed(9, 3, "200"),
        failed(9, 60_000, "Non HTTP response code: java.net.SocketTimeoutException",
               responseMessage="Non HTTP response message: Read timed out"),
    ]  # fmt: skip
    summary = summed(tmp_path, samples)
    assert summary.errors == {"overloaded": 2, "429": 1, "200 without a location": 1, "Read timed out": 1}
    assert (summary.requests, summary.answered) == (6, 1)
    assert summary.all is not None and summary.all.max == 100
    assert summary.throughput_per_s == pytest.approx(1 / 60.009)


def test_a_run_without_any_answer_is_summed_up(tmp_path: Path) -> None:
    summary = summed(tmp_path, [failed(0, 3), failed(100, 5)])
    assert (summary.answered, summary.all, summary.steps_ms, summary.billed_ms) == (0, None, {}, None)
    assert summary.errors == {"503": 2}


def test_corrected_times_of_an_open_profile_count_from_the_scheduled_start(tmp_path: Path) -> None:
    """The load generator stopped for 900 ms, which uncorrected times would hide."""
    samples = [sample(at, 100, due=START + at) for at in range(0, 9000, 1000)]
    samples.append(sample(9900, 100, due=START + 9000))
    changes = ("stages=[{rate_per_s: 1, for_s: 10}]",)
    summary = summed(tmp_path, samples, record("steady", changes))
    assert summary.all is not None and summary.corrected is not None
    assert (summary.all.max, summary.corrected.max) == (100, 1000)
    assert summary.offered_per_s == 1
    assert summary.lag_ms == 900
    assert any("sent its requests 900 ms late (the longest of 10)" in warning for warning in summary.warnings)


def test_a_closed_profile_has_nothing_to_correct(tmp_path: Path) -> None:
    summary = summed(tmp_path, [sample(0, 100)])
    assert (summary.corrected, summary.offered_per_s, summary.lag_ms) == (None, None, None)


def test_steps_are_means_and_the_rest_is_other(tmp_path: Path) -> None:
    summary = summed(tmp_path, [sample(0, 100), sample(1, 120, detect="82.4"), failed(2, 1)])
    assert summary.steps_ms == pytest.approx(
        {"fetch": 5.1, "decode": 9.8, "detect": 72.4, "annotate": 2.2, "store": 9.0, "other": 11.5}
    )


def test_billed_is_the_steps_of_warm_answers_and_all_of_cold_ones(tmp_path: Path) -> None:
    # 5.1 + 9.8 + 62.4 + 2.2 + 9.0 = 88.5, billed as 89 ms; the cold one is billed as its response time of 2000 ms.
    assert summed(tmp_path, [sample(0, 100), sample(1, 2000, cold="true")]).billed_ms == pytest.approx((89 + 2000) / 2)


def test_batches_are_the_rounds_of_all_users(tmp_path: Path) -> None:
    samples = [sample(0, 900 + user, round=1, cold="true") for user in range(9)]
    samples += [sample(1000, 100 + user, round=2) for user in range(9)]
    phases = summed(tmp_path, samples).phases
    assert [(p.name, p.kind, p.requests, p.cold_starts, p.at_s) for p in phases] == [
        ("batch 1", "batch", 9, 9, 0.0), ("batch 2", "batch", 9, 0, 1.0),
    ]  # fmt: skip
    assert [p.latency and p.latency.mean.value for p in phases] == [904, 104]


def test_a_step_has_the_requests_that_began_while_its_users_were_active(tmp_path: Path) -> None:
    run = record("steps", ("steps=[1, 2]", "ramp_s=2", "hold_s=10"))
    ramps = [sample(500, 9), sample(12_500, 9)]
    holds = [sample(3000, 10), sample(11_000, 12), sample(15_000, 20), failed(16_000, 1)]
    phases = summed(tmp_path, [sample(0, 9), *ramps, *holds], run).phases
    assert [(p.name, p.users, p.requests, p.errors) for p in phases] == [("1 users", 1, 2, 0), ("2 users", 2, 2, 1)]
    assert phases[0].latency is not None and (phases[0].latency.mean.value, phases[0].latency.max) == (11, 12)
    assert phases[0].throughput_per_s == pytest.approx(0.2)


def test_gaps_are_named_by_their_minute(tmp_path: Path) -> None:
    run = record("idle-gaps", ("time_scale=0.01",))
    due = [0, 3600, 9600, 18_600, 36_600]
    samples = [sample(at + 2, 100, due=START + at, cold=str(at != 3600).lower()) for at in due]
    phases = summed(tmp_path, samples, run).phases
    assert [(p.name, p.cold_starts) for p in phases] == [
        ("minute 0", 1), ("minute 6", 0), ("minute 16", 1), ("minute 31", 1), ("minute 61", 1),
    ]  # fmt: skip


def test_stages_have_the_offered_and_the_answered_rate(tmp_path: Path) -> None:
    run = record("burst", ("stages=[{rate_per_s: 1, for_s: 10}, {rate_per_s: 3, for_s: 10}]",))
    first = run.profile.arrivals_ms()[0]
    samples = [sample(at - first, 50, due=START + at - first) for at in run.profile.arrivals_ms()]
    phases = summed(tmp_path, samples, run).phases
    assert [(p.name, p.offered_per_s, p.requests) for p in phases] == [("1/s", 1, 10), ("3/s", 3, 30)]
    assert [p.throughput_per_s for p in phases] == pytest.approx([1, 3], rel=0.05)


def test_sizes_of_picture_are_phases(tmp_path: Path) -> None:
    samples = [sample(at * 100, 10 * at + 10, label=label) for at, label in enumerate(("small", "medium", "large"))]
    phases = summed(tmp_path, samples, record("payloads")).phases
    assert [(p.name, p.kind, p.latency and p.latency.max) for p in phases] == [
        ("small", "payload", 10), ("medium", "payload", 20), ("large", "payload", 30),
    ]  # fmt: skip


def test_many_samples_become_slices_of_time(tmp_path: Path) -> None:
    few = summed(tmp_path, [sample(at, at) for at in range(5)])
    assert [(p.at_s, p.requests, p.median_ms) for p in few.points] == [(at / 1000, 1, at) for at in range(5)]
    samples = [sample(at * 10, 100, cold=str(at == 0).lower()) for at in range(5000)]
    many = summed(tmp_path, [*samples, failed(25_000, 900)])
    assert 300 < len(many.points) <= MOST_POINTS + 1
    assert sum(p.requests for p in many.points) == 5001
    assert [sum(p.cold_starts for p in many.points), sum(p.errors for p in many.points)] == [1, 1]
    assert max(p.max_ms for p in many.points) == 900


def test_requests_that_an_interruption_aborted_do_not_count_as_errors(tmp_path: Path) -> None:
    stopped = START + 5000
    broken = failed(4000, 1005, "Non HTTP response code: java.net.SocketException", responseMessage="Socket closed")
    run = record(status="interrupted", stopped=stopped, ended=stopped + 100)
    summary = summed(tmp_path, [sample(0, 100), broken], run)
    assert (summary.requests, summary.errors, summary.run.status) == (1, {}, "interrupted")
    assert any("1 requests were aborted" in warning for warning in summary.warnings)
    with pytest.raises(SamplesError, match="interrupted before the first answer"):
        summed(tmp_path, [broken], run)


def test_a_run_that_was_killed_counts_as_interrupted(tmp_path: Path) -> None:
    summary = summed(tmp_path, [sample(0, 1)], record(status="running", ended=None))
    assert summary.run.status == "interrupted"
    assert any("fewer samples than its profile requires" in warning for warning in summary.warnings)


def test_answers_of_two_models_give_a_warning(tmp_path: Path) -> None:
    summary = summed(tmp_path, [sample(0, 1), sample(1, 1), sample(2, 1, model="m:2")])
    assert summary.run.model == "m:1"
    assert summary.warnings == ["answers came from 2 models: m:1, m:2"]


@pytest.mark.parametrize(
    ("url", "platform", "settings", "label"),
    [
        ("http://127.0.0.1:3001", "lambda", {"memory_mb": 3000}, "local Lambda 3000 MB"),
        ("http://127.0.0.1:3000", "ecs", {"instance_type": "t3a.xlarge"}, "local ECS, 2 cores"),
        ("https://a.amazonaws.com", "lambda", {"memory_mb": 1769}, "Lambda 1769 MB"),
        (
            "https://a.amazonaws.com",
            "ecs",
            {"instance_type": "t3a.xlarge", "note": "2 tasks"},
            "ECS t3a.xlarge, 2 tasks",
        ),
        ("https://a.amazonaws.com", "fargate", {"cpus": 4}, "Fargate 4 CPUs"),
        ("https://a.amazonaws.com", "kubernetes", {}, "Kubernetes"),
    ],
)
def test_a_run_is_named_by_its_platform_and_size(url: str, platform: Any, settings: dict[str, Any], label: str) -> None:
    assert record(target=parse_target(url), platform=platform, settings=settings).label == label


def test_instances_are_counted_by_processor(tmp_path: Path) -> None:
    where = [("a", "Xeon, AVX2"), ("b", "Xeon, AVX2"), ("c", "EPYC, AVX-512"), ("a", "Xeon, AVX2")]
    samples = [sample(200 * k, 100, instance=name, cpu=cpu) for k, (name, cpu) in enumerate(where)]
    assert read_run(write_run(tmp_path / "run", [*samples, failed(900, 5, cpu="")])).processors == {
        "Xeon, AVX2": 2,
        "EPYC, AVX-512": 1,
    }


def test_a_run_whose_samples_do_not_name_the_processor_is_read_without_a_warning(tmp_path: Path) -> None:
    old = text([sample(0, 100)], [name for name in HEADER if name != "cpu"])
    summary = read_run(write_run(tmp_path / "run", old))
    assert (summary.processors, summary.warnings) == ({}, [])
