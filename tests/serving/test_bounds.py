"""Deadlines and the pixel budget of concurrent requests."""

from __future__ import annotations

import threading
import time

import pytest

from serving.bounds import Deadline, PixelBudget
from serving.errors import DeadlineExceeded


def test_a_passed_deadline_raises_an_error_that_names_the_next_step() -> None:
    deadline = Deadline(0.05)
    deadline.check("fetch")
    assert 0 < deadline.remaining_s() <= 0.05
    time.sleep(0.06)
    assert deadline.remaining_s() == 0
    with pytest.raises(DeadlineExceeded, match=r"^the request was stopped after 0.05 s \(REQUEST_TIMEOUT_S\), before"):
        deadline.check("fetch")


def test_reserved_pixels_never_exceed_the_budget() -> None:
    budget, in_work, most = PixelBudget(100), [0], [0]
    lock = threading.Lock()

    def use(pixels: int) -> None:
        with budget.reserve(pixels, Deadline(30)):
            with lock:
                in_work[0] += pixels
                most[0] = max(most[0], in_work[0])
            time.sleep(0.002)
            with lock:
                in_work[0] -= pixels

    threads = [threading.Thread(target=use, args=(pixels,)) for pixels in (100, 40, 60, 30, 30, 41) * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] <= 100
    assert in_work[0] == 0


def test_a_small_picture_waits_behind_a_large_one() -> None:
    budget, order = PixelBudget(100), []

    def use(name: str, pixels: int) -> None:
        with budget.reserve(pixels, Deadline(30)):
            order.append(name)

    with budget.reserve(50, Deadline(30)):
        large = threading.Thread(target=use, args=("large", 100))
        large.start()
        while not budget._line.locked():
            time.sleep(0.001)
        small = threading.Thread(target=use, args=("small", 10))
        small.start()
        time.sleep(0.05)
        assert order == []
    large.join()
    small.join()
    assert order == ["large", "small"]


def test_a_failed_reservation_reserves_nothing() -> None:
    budget = PixelBudget(100)
    with budget.reserve(60, Deadline(30)):
        with pytest.raises(DeadlineExceeded, match="before it could decode"), budget.reserve(60, Deadline(0.01)):
            pass
        with budget.reserve(40, Deadline(0.01)):
            pass
    with budget.reserve(100, Deadline(0.01)):
        pass
