"""The two stand-ins under load, against cases computed by hand."""

from __future__ import annotations

import itertools
import statistics

import pytest

from local.checkout import ROOT
from planner.stand_ins.doors import ANSWERED, LATE, THREADS, THROTTLED, UNAVAILABLE, Cores, Functions, Service
from planner.stand_ins.machine import Machine, Steps, Until
from planner.stand_ins.simulate import PIXELS, simulate
from planner.stand_ins.singles import Request
from scenes.pictures import KINDS
from tests.planner.stand_ins.runs import FIRST, OTHER, profile, single

CORES = Cores(2)
CPUS = 1.7
# One second of inference, and nothing else.
INFERENCE = Request(0, 0, 1, 0, 0, 0)

Answers = list[tuple[float, int, bool]]


def answers(door: Service | Functions, machine: Machine, times: Request, at_s: list[float]) -> Answers:
    """Response time, status and whether cold, of requests at these times that all take `times`."""
    found: dict[int, tuple[float, int, bool]] = {}

    def request(number: int, start_s: float) -> Steps:
        yield Until(start_s)
        status, cold = yield from door.answer(times, lambda: times)
        found[number] = (round(machine.now - start_s, 6), status, cold)

    for number, start_s in enumerate(at_s):
        machine.start(request(number, start_s))
    machine.run()
    return [found[number] for number in range(len(at_s))]


def service_answers(times: Request, at_s: list[float]) -> Answers:
    """Of the service."""
    machine = Machine()
    return answers(Service(machine, CORES), machine, times, at_s)


def lambda_answers(times: Request, at_s: list[float], *, idle_s: float = 300, concurrency: int = 18) -> Answers:
    """Of the local Lambda."""
    machine = Machine()
    return answers(Functions(machine, CORES, CPUS, concurrency, idle_s), machine, times, at_s)


def test_nine_on_the_service_are_served_one_after_the_other() -> None:
    found = service_answers(INFERENCE, [0.0] * 9)
    assert [elapsed for elapsed, _, _ in found] == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert [cold for *_, cold in found] == [True] + [False] * 8


def test_the_service_refuses_what_its_queue_cannot_take_and_answers_late_ones_at_the_timeout() -> None:
    found = [(elapsed, status) for elapsed, status, _ in service_answers(INFERENCE, [0.0] * 40)]
    assert found[:24] == [(position, ANSWERED) for position in range(1, 25)]
    assert found[25:32] == [(25.0, LATE)] * 7
    assert found[32:] == [(0.0, UNAVAILABLE)] * 8


def test_a_place_in_the_queue_is_free_again_after_a_response() -> None:
    found = service_answers(INFERENCE, [0.0] * 32 + [0.5, 1.5, 14.5])
    assert found[32] == (0.0, UNAVAILABLE, False)
    # Of the first 32, 31 are left, and one is answered per second: another would have to wait for 30.5 s.
    assert found[33] == (0.0, UNAVAILABLE, False)
    # Those that wait at 25 s are too late, so that this one is next.
    assert found[34] == (11.5, ANSWERED, False)


LIMITS = {
    "one sandbox has its own CPUs": ([1.0], 1, 1.0),
    "two share the cores": ([1.0], 2, 1.7),
    "nine share the cores": ([1.0], 9, 7.65),
    "a short inference ends within its share of a period": ([0.05], 1, 0.05),
    "and two of them take the whole machine": ([0.05], 2, 0.1),
}


@pytest.mark.parametrize(("detect", "count", "expected"), LIMITS.values(), ids=LIMITS)
def test_sandboxes_are_limited_and_share_the_cores(detect: list[float], count: int, expected: float) -> None:
    found = lambda_answers(Request(0, 0, detect[0], 0, 0, 0), [0.0] * count)
    assert found == [(expected, ANSWERED, True)] * count


def test_an_init_has_a_core_and_not_only_the_cpus_of_the_memory() -> None:
    machine = Machine()
    door = Functions(machine, CORES, 0.5, 18)
    assert answers(door, machine, Request(0, 1, 0, 0, 0, 1), [0.0]) == [(2, ANSWERED, True)]
    # A step with one thread took its time with the limit, so that it takes half of that of a core.
    machine = Machine()
    door = Functions(machine, CORES, 0.5, 18)
    assert answers(door, machine, Request(0, 1, 0, 0, 0, 0), [0.0] * 8) == [(2, ANSWERED, True)] * 8


def test_requests_beyond_the_concurrency_are_throttled_and_later_ones_are_warm() -> None:
    found = lambda_answers(INFERENCE, [0.0, 0.0, 0.0, 10.0], concurrency=2)
    assert [(status, cold) for _, status, cold in found] == [
        (ANSWERED, True), (ANSWERED, True), (THROTTLED, False), (ANSWERED, False),
    ]  # fmt: skip


def test_a_sandbox_that_takes_too_long_is_ended() -> None:
    slow = Request(0, 0, 0, 0, 0, 29)
    found = lambda_answers(slow, [0.0, 0.0, 0.0, 100.0])
    assert found[:3] == [(30, UNAVAILABLE, True)] * 3
    assert found[3] == (29, ANSWERED, True)


def test_an_idle_sandbox_is_ended_at_the_next_check() -> None:
    # Checks come every 0.75 s; the sandbox is idle from 1 s to 4 s.
    found = [cold for *_, cold in lambda_answers(INFERENCE, [0.0, 4.4], idle_s=3)]
    assert found == [True, False]
    found = [cold for *_, cold in lambda_answers(INFERENCE, [0.0, 4.6], idle_s=3)]
    assert found == [True, True]


@pytest.mark.parametrize("platform", ["lambda", "ecs"])
def test_one_user_sees_the_times_of_single(platform: str) -> None:
    found = simulate(single(platform, between_s=0.1), profile(loops=4), seed=1)
    alone = sum(OTHER.values())
    assert [sample.elapsed_s for sample in found[1:]] == pytest.approx([alone] * 3)
    starts = [sample.at_s for sample in found]
    assert [after - before for before, after in itertools.pairwise(starts[1:])] == pytest.approx([alone + 0.1] * 2)
    # The first write to a new S3 server is not repeated.
    known = FIRST | {"fetch": OTHER["fetch"], "store": OTHER["store"]}
    assert found[0].elapsed_s == pytest.approx(sum(known.values()))


def test_pictures_with_more_pixels_take_longer_to_decode_and_annotate() -> None:
    found = simulate(single(), profile(loops=4, pictures=("scenes", "large")), seed=1)
    more = (PIXELS["large"] - 1) * (OTHER["decode"] + OTHER["annotate"])
    assert found[3].elapsed_s - found[2].elapsed_s == pytest.approx(more)


def test_batches_wait_for_their_last_response() -> None:
    found = simulate(single("ecs"), profile(users=9, loops=3, together=True), seed=1)
    starts = sorted({round(sample.at_s, 6) for sample in found})
    assert len(starts) == 3
    ends = [max(one.at_s + one.elapsed_s for one in found if round(one.at_s, 6) == start) for start in starts]
    assert starts[1:] == pytest.approx(ends[:2])


def test_users_of_steps_begin_in_turn_and_send_nothing_after_the_end() -> None:
    steps = profile(steps=(1, 3), ramp_s=1, hold_s=5)
    found = simulate(single("ecs"), steps, seed=1)
    assert all(sample.at_s < 12 for sample in found)
    early = [sample.elapsed_s for sample in found if 2 < sample.at_s < 5]
    late = [sample.elapsed_s for sample in found if sample.at_s > 9]
    assert statistics.median(late) == pytest.approx(3 * statistics.median(early), rel=0.15)


def test_an_open_profile_sends_on_schedule() -> None:
    minutes = profile(at_minutes=(0, 6, 16), time_scale=0.01)
    found = simulate(single(), minutes, seed=1)
    assert [sample.at_s for sample in found] == [0, 3.6, 9.6]
    assert [sample.cold for sample in found] == [True, False, True]


def test_the_same_seed_gives_the_same_run() -> None:
    steps = profile(steps=(3,), hold_s=3)
    assert simulate(single(), steps, seed=4) == simulate(single(), steps, seed=4)


def test_constants_are_those_of_the_service_and_of_the_pictures() -> None:
    assert f"\nTHREADS = {THREADS}\n" in (ROOT / "service.py").read_text()
    _, width, height, _ = KINDS["scenes"]
    assert {kind: w * h / (width * height) for kind, (_, w, h, _) in KINDS.items()} == PIXELS
