from __future__ import annotations

import pytest

from serving.bounds import Deadline
from serving.errors import Overloaded
from serving.http.queue import Place, Queue


class Served:
    """A queue of at most 32 requests and 25 s, by a clock that stands still between the steps of a test."""

    def __init__(self) -> None:
        self.now = 100.0
        self.queue = Queue(lambda: self.now)
        self.waiting: list[Place] = []

    def enter(self) -> None:
        self.waiting.append(self.queue.enter(32, Deadline(25)))

    def answer(self, seconds: float, in_time: bool = True) -> None:
        self.now += seconds
        place = self.waiting.pop(0)
        place.answered(in_time)
        place.free()

    def fill(self) -> int:
        try:
            while True:
                self.enter()
        except Overloaded:
            return len(self.waiting)


def test_a_new_queue_has_all_its_places() -> None:
    served = Served()
    assert served.fill() == 32
    with pytest.raises(Overloaded, match=r"32 requests are in work or waiting \(MAX_QUEUE\): try again later"):
        served.enter()


@pytest.mark.parametrize(("seconds", "room"), [(0.1, 32), (1.0, 19), (2.0, 9), (60.0, 1)])
def test_a_queue_has_only_as_many_places_as_can_be_answered_in_time(seconds: float, room: int) -> None:
    served = Served()
    for _ in range(16):
        served.enter()
        served.answer(seconds)
    assert served.fill() == room
    if room < 32:
        with pytest.raises(Overloaded, match=rf"{room} requests are .* \(more could not be answered in 25 s\)"):
            served.enter()


def test_the_pace_is_that_of_responses_not_of_requests_that_wait_together() -> None:
    served = Served()
    for _ in range(10):
        served.enter()
    for _ in range(10):
        served.answer(1.0)  # The last one took ten seconds, and still one is answered each second.
    assert served.fill() == 19


def test_the_time_without_requests_does_not_count() -> None:
    served = Served()
    for _ in range(16):
        served.now += 600
        served.enter()
        served.answer(0.1)
    assert served.fill() == 32


def test_late_responses_show_no_pace() -> None:
    served = Served()
    for _ in range(16):
        served.enter()
        served.answer(2.0)
    assert served.fill() == 9
    for _ in range(9):
        served.answer(0.0, in_time=False)
    assert served.fill() == 9


def test_a_client_that_takes_its_response_slowly_keeps_its_place_and_shows_no_pace() -> None:
    served = Served()
    for _ in range(16):
        served.enter()
        place = served.waiting.pop()
        place.answered(in_time=True)
        served.now += 60
        place.free()
    assert served.fill() == 32
