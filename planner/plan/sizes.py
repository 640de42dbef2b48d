"""Lambda's memory sizes between the measured ones, by the measured curve of time over processors.

Lambda gives a function one processor per 1769 MB:
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from loadtest.platforms.aws_lambda import LambdaSettings
from planner.errors import MeasuredError
from planner.plan.measured import ServiceTimes
from planner.plan.samples import Kind, mean
from planner.types import Floats


def memory_of(times: ServiceTimes) -> int:
    """The memory of a measured function, MB."""
    assert isinstance(times.settings, LambdaSettings)
    return times.settings.memory_mb


def at_memory(measured: Sequence[ServiceTimes], memory_mb: int) -> ServiceTimes:
    """The service times of a function with this memory; raises MeasuredError outside the measured sizes.

    Between two measured sizes the logarithm of the mean time is linear in that of the processors. The samples are those
    of the nearest measured size, multiplied.
    """
    sizes = sorted(measured, key=memory_of)
    if not sizes:
        raise MeasuredError("no run is of Lambda: measure profile single against a function")
    known = [memory_of(one) for one in sizes]
    if memory_mb in known:
        return sizes[known.index(memory_mb)]
    if not known[0] < memory_mb < known[-1]:
        raise MeasuredError(
            f"{memory_mb} MB are outside the measured sizes, {known[0]} to {known[-1]} MB: measure this size "
            "(python -m loadtest matrix memory)"
        )
    nearest = min(sizes, key=lambda one: abs(np.log(memory_of(one) / memory_mb)))
    warm = _factor(sizes, memory_mb, nearest, lambda kind: kind.warm_s)
    with_cold = [one for one in sizes if one.cold_s.size]
    cold_ok = len(with_cold) == len(sizes)
    cold = _factor(sizes, memory_mb, nearest, lambda kind: kind.cold_s) if cold_ok else warm
    settings = nearest.settings.model_copy(update={"memory_mb": memory_mb})
    return replace(
        nearest, settings=settings, label=nearest.label.replace(f"{memory_of(nearest)} MB", f"{memory_mb} MB"),
        kinds=tuple(kind.scaled(warm, cold) for kind in nearest.kinds),
    )  # fmt: skip


def _factor(
    sizes: Sequence[ServiceTimes], memory_mb: int, nearest: ServiceTimes, values: Callable[[Kind], Floats]
) -> float:
    """How much longer than at the nearest measured size something takes."""
    cpus = np.log([memory_of(one) for one in sizes])
    means = np.log([mean(one.kinds, values) for one in sizes])
    return float(np.exp(np.interp(np.log(memory_mb), cpus, means) - means[sizes.index(nearest)]))
