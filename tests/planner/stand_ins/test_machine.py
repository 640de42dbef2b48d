"""The shared machine, against cases computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from planner.stand_ins.machine import Done, Gate, Job, Machine, Meeting, Process, Step, Steps, Until, Work, share


def ends(*plans: tuple[float, list[Step]]) -> list[float]:
    """When each process ends: start in seconds, and its steps."""
    machine, found = Machine(), [0.0] * len(plans)

    def process(number: int, start_s: float, steps: list[Step]) -> Steps:
        yield Until(start_s)
        yield from steps
        found[number] = machine.now

    for number, (start_s, steps) in enumerate(plans):
        machine.start(process(number, start_s, steps))
    machine.run()
    return found


SHARED = {
    "alone": ([(0, [Work(2)])], [2]),
    "alone with a limit": ([(0, [Work(0.85, 0.85)])], [1]),
    "two share": ([(0, [Work(1)]), (0, [Work(2)])], [2, 3]),
    "two with a limit share": ([(0, [Work(0.85, 0.85)]), (0, [Work(0.85, 0.85)])], [1.7, 1.7]),
    "two narrow ones do not disturb each other": ([(0, [Work(1, 0.5)]), (0, [Work(1, 0.5)])], [2, 2]),
    "what a limited one leaves goes to the other": ([(0, [Work(1, 0.25)]), (0, [Work(3)])], [4, 4]),
    "a later one": ([(0, [Work(2)]), (1, [Work(1)])], [3, 3]),
    "steps in turn": ([(0, [Work(1), Work(1)]), (0, [Work(1)])], [3, 2]),
    "no work": ([(1, [Work(0)])], [1]),
}


@pytest.mark.parametrize(("plans", "expected"), SHARED.values(), ids=SHARED)
def test_work_is_shared(plans: list[tuple[float, list[Step]]], expected: list[float]) -> None:
    assert ends(*plans) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(20))
def test_no_share_is_wasted_or_given_twice_and_none_is_unfair(seed: int) -> None:
    random = np.random.default_rng(seed)
    limits = random.uniform(0.01, 1, random.integers(1, 20)).tolist()
    jobs = [Job(Process(iter_nothing()), 1.0, most) for most in limits]
    share(jobs)
    assert sum(job.rate for job in jobs) == pytest.approx(min(1, sum(limits)))
    assert all(job.rate <= job.most for job in jobs)
    # Only a job that has all it can take may have less than another one.
    largest = max(job.rate for job in jobs)
    assert all(job.rate == job.most or job.rate == pytest.approx(largest) for job in jobs)


def iter_nothing() -> Steps:
    """A process without steps."""
    yield from ()


def test_a_busy_machine_is_done_when_all_work_is_done() -> None:
    random = np.random.default_rng(3)
    works = random.uniform(0.1, 2, 30).tolist()
    plans: list[tuple[float, list[Step]]] = [(0.0, [Work(work)]) for work in works]
    assert max(ends(*plans)) == pytest.approx(sum(works))


def test_a_gate_lets_processes_in_one_after_the_other_as_they_came() -> None:
    machine, gate, order = Machine(), Gate(1), []

    def process(name: str, start_s: float) -> Steps:
        yield Until(start_s)
        yield gate
        yield Until(machine.now + 1)
        gate.leave(machine)
        order.append((name, machine.now))

    for name, start_s in (("b", 0.2), ("a", 0.1), ("c", 5.0)):
        machine.start(process(name, start_s))
    machine.run()
    assert order == [("a", 1.1), ("b", 2.1), ("c", 6.0)]


def test_a_meeting_waits_for_all_and_begins_anew() -> None:
    meeting = Meeting(2)
    assert ends((0, [meeting, meeting]), (1, [meeting, Until(3), meeting])) == [3, 3]


@pytest.mark.parametrize(("latest_s", "expected"), [(1.0, (1.0, False)), (5.0, (2.0, True))])
def test_waiting_for_a_process_ends_with_it_or_at_a_time(latest_s: float, expected: tuple[float, bool]) -> None:
    machine, seen = Machine(), []
    other = machine.start(one_step(Work(2)))

    def waiting() -> Steps:
        yield Done(other, latest_s)
        seen.append((machine.now, other.done))

    machine.start(waiting())
    machine.run()
    assert seen == [expected]


def one_step(step: Step) -> Steps:
    """A process of one step."""
    yield step


def test_a_cancelled_process_leaves_its_share_to_others() -> None:
    machine, end = Machine(), []
    cancelled = machine.start(one_step(Work(10)))

    def other() -> Steps:
        yield Work(2)
        end.append(machine.now)

    machine.start(other())
    machine.at(1, lambda: machine.cancel(cancelled))
    machine.run()
    assert end == [pytest.approx(2.5)]
    assert not cancelled.done
