"""Replicas of a service: who starts, who is ready and who goes."""

from __future__ import annotations

from planner.scaling.fleet import Fleet
from planner.scaling.rules import Replica

INFINITE = float("inf")
REPLICA = Replica(cores=1, request_cores=1, pending_s=10, startup_s=30)


def test_a_replica_runs_after_its_pending_time_and_is_ready_after_its_startup() -> None:
    fleet = Fleet(REPLICA, 1)
    fleet.scale(3, 100)
    assert [(fleet.running(at), fleet.ready(at)) for at in (100, 109, 110, 129, 130)] == [
        (1, 1), (1, 1), (3, 1), (3, 1), (3, 3),
    ]  # fmt: skip


def test_the_newest_go_first_and_with_them_those_that_are_not_ready() -> None:
    fleet = Fleet(REPLICA, 1)
    for at_s in (100, 110, 150):
        fleet.scale(len(fleet) + 1, at_s)
    fleet.scale(3, 155)
    assert [member.created_s for member in fleet.members] == [-INFINITE, 100, 110]
    fleet.scale(2, 155)
    assert [member.created_s for member in fleet.members] == [-INFINITE, 100]
    assert fleet.ready(155) == 2


def test_replicas_wait_for_room_and_the_oldest_takes_it_first() -> None:
    fleet = Fleet(REPLICA, 1, slots=1)
    fleet.scale(3, 100)
    assert ([member.ready_s for member in fleet.members[1:]], fleet.settled_s) == ([INFINITE] * 2, INFINITE)
    fleet.slots = 2
    fleet.place(150)
    assert [member.ready_s for member in fleet.members[1:]] == [180, INFINITE]
    # The one that waits is the newest, and goes.
    fleet.scale(2, 200)
    assert (fleet.ready(200), len(fleet), fleet.settled_s) == (2, 2, 160)
