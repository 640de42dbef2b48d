"""The sentences at the top of a report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadtest.report import picks
from loadtest.report.answer import answer, listed
from loadtest.report.contents import Section
from loadtest.results.summary import BreakEven, CostComparison, Summary
from tests.loadtest.report.made_up import LAMBDA, SERVICE, cost, info, latency, phase, section, summary, tried


def sentences(about: Section) -> dict[str, str]:
    """The sentences by topic."""
    return {sentence.topic: sentence.text for sentence in answer(about)}


def with_users(label: str, times: dict[int, float]) -> Summary:
    phases = [phase("users", f"{users} users", took, users=users) for users, took in times.items()]
    return summary(info(label, profile="steps"), phases=phases)


def with_bills(*winners: str) -> CostComparison:
    """Options; another one is the cheapest at each volume; the first two break even at 1,500 pictures."""
    labels = sorted(set(winners))
    base = cost()
    options = [replace(base.options[0], label=label) for label in labels]
    volumes = [1000 * 2**i for i in range(len(winners))]
    bills = {label: [1.0 if label == winner else 2.0 for winner in winners] for label in labels}
    even = BreakEven(winners[0], winners[1], 1500, 3.25)
    return replace(base, options=options, pictures_per_month=volumes, usd_per_month=bills, break_evens=[even])


def test_the_answer_of_a_whole_comparison_names_its_numbers() -> None:
    assert sentences(section(tried(), [cost()])) == {
        "Price": "Up to 2.4 million pictures a month Lambda 3000 MB is the cheapest (at that volume both cost $122 "
        "a month), above 14.2 million ECS t3a.xlarge; in between the cheapest changes with every additional instance.",
        "Many users": "With 18 simultaneous users the longest answer takes 1,827 ms on Lambda 3000 MB and 24,770 ms on "
        "ECS t3a.xlarge (10% failed), so for bursts Lambda 3000 MB is 13.6 times as fast.",
        "Warm": "The median of warm answers is 900 ms on Lambda 3000 MB (p95 1,170 ms) and 800 ms on ECS t3a.xlarge "
        "(p95 1,040 ms), in profile steady.",
        "Cold": "The median of cold starts is 1,980 ms on Lambda 3000 MB (3 cold starts, longest 2,455 ms); none "
        "occurred on ECS t3a.xlarge.",
        "Highest throughput": "The highest throughput with less than 1% of errors was 16.9 per second by Lambda 3000 "
        "MB (18 users) and 1.25 per second by ECS t3a.xlarge (3 users).",
    }


def test_enough_answers_have_a_95th_percentile() -> None:
    runs = [
        summary(info(label), phases=[phase("users", "4 users", took, users=4, latency=latency(took, 20))])
        for label, took in ((LAMBDA, 900.0), (SERVICE, 800.0))
    ]
    assert sentences(section(runs))["Many users"] == (
        "With 4 simultaneous users ECS t3a.xlarge answers 95% of its requests within 1,040 ms and Lambda 3000 MB "
        "within 1,170 ms, so bursts do not decide between them."
    )


def test_few_warm_answers_have_their_maximum_instead_of_a_percentile() -> None:
    runs = [summary(warm=latency(900.0, 19)), summary(info(SERVICE), warm=latency(800.0, 20))]
    assert (
        "900 ms on Lambda 3000 MB (longest 1,548 ms) and 800 ms on ECS t3a.xlarge (p95 1,040 ms)"
        in (sentences(section(runs))["Warm"])
    )


def test_one_crossing_has_its_exact_volume() -> None:
    text = sentences(section([], [with_bills("a", "b")]))["Price"]
    assert (
        text == "Up to 1,500 pictures a month a is the cheapest (at that volume both cost $3.25 a month), above that b."
    )


def test_a_second_crossing_of_two_options_does_not_get_the_volume_of_the_first() -> None:
    text = sentences(section([], [with_bills("a", "b", "a")]))["Price"]
    assert text.endswith(" (at that volume both cost $3.25 a month), from there to 4,000 b, above that a.")


def test_an_option_that_is_never_dearer_is_the_cheapest_at_every_volume() -> None:
    comparison = replace(with_bills("a", "a"), options=with_bills("a", "b").options)
    comparison.usd_per_month["b"] = [9.0, 9.0]
    assert sentences(section([], [comparison]))["Price"] == (
        "a is the cheapest at every volume up to 2,000 pictures a month: at that volume it costs $1.00 and b $9.00."
    )


def test_a_single_option_has_a_price_but_no_break_even() -> None:
    alone = replace(cost(), options=cost().options[:1], usd_per_month={LAMBDA: cost().usd_per_month[LAMBDA]})
    assert sentences(section([], [alone]))["Price"] == (
        "Lambda 3000 MB costs $0.051 per 1,000 pictures plus $0.00 a month; no other platform was priced, so there is "
        "no break-even."
    )


def test_without_costs_the_price_is_the_last_sentence() -> None:
    assert [sentence.topic for sentence in answer(section(tried()))][-1] == "Price"


def test_similar_times_do_not_decide_about_bursts() -> None:
    runs = [with_users(LAMBDA, {4: 900.0}), with_users(SERVICE, {4: 950.0})]
    assert sentences(section(runs))["Many users"].endswith("so bursts do not decide between them.")


def test_stand_ins_on_one_machine_do_not_decide_about_bursts() -> None:
    runs = [with_users(LAMBDA, {4: 900.0}), with_users(SERVICE, {4: 9000.0})]
    assert "so for bursts" in sentences(section(runs))["Many users"]
    assert sentences(replace(section(runs), where="local"))["Many users"].endswith(
        "so these figures do not show which platform is better at bursts."
    )


def test_platforms_are_compared_at_the_largest_number_of_users_in_common() -> None:
    runs = [with_users(LAMBDA, {1: 900.0, 4: 910.0, 64: 950.0}), with_users(SERVICE, {1: 800.0, 4: 3200.0})]
    assert {phase.users for phase in picks.most_users(runs).values()} == {4}


def test_runs_with_no_number_of_users_in_common_are_not_compared() -> None:
    runs = [with_users(LAMBDA, {2: 900.0}), with_users(SERVICE, {3: 800.0})]
    assert "Many users" not in sentences(section(runs))


def test_a_rate_with_more_errors_than_one_percent_does_not_count() -> None:
    phases = [
        phase("rate", "1/s", 800.0, throughput_per_s=1.0, users=0, offered_per_s=1.0),
        phase("rate", "9/s", 800.0, throughput_per_s=8.0, users=0, offered_per_s=9.0, requests=90, errors=9),
    ]
    run = replace(summary(info(SERVICE), phases=phases), throughput_per_s=0.9)
    assert picks.highest_rate([run])[SERVICE].per_s == 1.0


def test_cold_starts_come_from_gaps_rather_than_bursts() -> None:
    gap = summary(
        info(profile="idle-gaps"), phases=[phase("gap", "minute 0", 2000.0, users=0)], cold=latency(2000.0, 4)
    )
    burst = summary(info(profile="burst"), phases=[phase("rate", "9/s", 9000.0, users=0)], cold=latency(9000.0, 40))
    assert picks.coldest([burst, gap, burst])[LAMBDA] is gap
    assert picks.coldest([burst])[LAMBDA] is burst


def test_warm_times_are_of_the_calmest_profile_that_most_platforms_have() -> None:
    runs = [*tried(), summary(info("Fargate 2 CPUs", profile="alone"))]
    assert {run.run.profile for run in picks.like_for_like(runs)} == {"steady"}


def test_of_repeated_runs_the_last_that_finished_counts() -> None:
    old, new = replace(info(), name="old", started="2026-11-20"), replace(info(), name="new", started="2026-11-22")
    broken_off = replace(info(), name="broken off", started="2026-11-23", status="interrupted")
    runs = [summary(run) for run in (old, new, broken_off)]
    assert [run.run.name for run in picks.like_for_like(runs)] == ["new"]


def test_a_failed_run_is_not_usable() -> None:
    assert picks.usable([summary(replace(info(), status="failed"))]) == []


def test_few_cold_starts_have_their_maximum_instead_of_a_percentile() -> None:
    one = summary(cold=latency(2000.0, 1))
    many = summary(info(SERVICE), cold=latency(2500.0, 40))
    assert sentences(section([one, many]))["Cold"] == (
        "The median of cold starts is 2,000 ms on Lambda 3000 MB (a single one) and 2,500 ms on ECS t3a.xlarge "
        "(40 cold starts, p95 3,250 ms)."
    )


def test_runs_without_an_answer_give_one_sentence() -> None:
    dead = summary(all=None, warm=None, answered=0, errors={"timeout": 100}, throughput_per_s=0.0, steps_ms={})
    assert [sentence.topic for sentence in answer(section([dead]))] == ["No answer"]


@pytest.mark.parametrize(("parts", "words"), [("", ""), ("a", "a"), ("ab", "a and b"), ("abc", "a, b and c")])
def test_parts_are_joined_as_in_a_sentence(parts: str, words: str) -> None:
    assert listed(parts) == words
