"""How long instances lived in a recorded run, as far as requests can tell.

A request takes the idle instance that was used last. So a request that takes another one, or starts a new one, tells
that all instances used since are gone, and a request that takes one tells that this one is still there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from planner.validate.lambda_2020.records import Run


@dataclass(frozen=True)
class Look:
    """What one request tells about one idle instance, seconds.

    `idle_s` since its last response; `quiet_s`: the longest time in it in which the whole function was idle;
    `age_s`, and `used_s` at its last response, are NaN if its creation was not recorded.
    """

    idle_s: float
    quiet_s: float
    used_s: float
    age_s: float
    there: bool


@dataclass
class _Instance:
    born_s: float
    ended_s: float
    quiet_s: float = 0


@dataclass(frozen=True)
class Looks:
    """All looks at the instances of a run, and the ages at the last response of those that outlived it."""

    looks: list[Look] = field(default_factory=list)
    last_s: list[float] = field(default_factory=list)


def look(run: Run) -> Looks:
    """What the requests of a run tell about its instances."""
    found = Looks()
    known: dict[int, _Instance] = {}
    function_ended = math.inf
    last = {int(number): float(start) for number, start in zip(run.instance, run.start_s, strict=True)}
    rows = zip(run.start_s, run.cold, run.instance, run.handler_s, run.client_s, strict=True)
    for start, cold, number, handler_s, client_s in rows:
        quiet = max(0.0, start - function_ended)
        for one in known.values():
            one.quiet_s = max(one.quiet_s, quiet)
        idle = sorted((n for n, one in known.items() if one.ended_s <= start), key=lambda n: -known[n].ended_s)
        passed = idle if cold else idle[: idle.index(number)] if number in idle else []
        # One that is used later was still busy: how long a response takes to free its instance is known to 0.1 s only.
        gone = [other for other in passed if last[other] < start]
        found.looks.extend(_look(known.pop(other), start, there=False) for other in gone)
        if number in idle and not cold:
            found.looks.append(_look(known[number], start, there=True))
        # The response to a cold start comes after the initialization, which is not part of the handler's time.
        end = start + (client_s - run.network_s if cold else handler_s)
        born = known[number].born_s if number in known else start if cold else math.nan
        known[number] = _Instance(born, end)
        function_ended = max(end, function_ended) if math.isfinite(function_ended) else end
    found.last_s.extend(age for one in known.values() if not math.isnan(age := one.ended_s - one.born_s))
    return found


def _look(one: _Instance, now: float, *, there: bool) -> Look:
    return Look(now - one.ended_s, one.quiet_s, one.ended_s - one.born_s, now - one.born_s, there)


def threshold(looks: list[tuple[float, bool]]) -> float:
    """The idle time after which nothing is there: halfway from the longest survived one to the next that was not.

    Raises ValueError if nothing survived.
    """
    longest = max(idle for idle, there in looks if there)
    return (longest + min((idle for idle, there in looks if idle > longest), default=longest)) / 2


def as_array(values: list[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """An array `(N,)`."""
    return np.array(values, dtype=np.float64)
