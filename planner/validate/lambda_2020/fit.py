"""Fitting the rules of instances to recorded runs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from planner.aws_lambda.rules import Rules
from planner.errors import DataError
from planner.types import Floats
from planner.validate.lambda_2020.lifetimes import Looks, look, threshold
from planner.validate.lambda_2020.records import Rate, Run
from planner.validate.lambda_2020.runs import at_rate, cold_probability

# Candidates of the parameters of an instance's largest age; times in seconds.
RECYCLED_S = np.geomspace(6000, 60_000, 41)
SCALES = (8000.0, 14_000.0, 24_000.0)
REPETITIONS = 20
SHAPES = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0)
YOUNGEST_S = range(4000, 7400, 100)
OLDEST_S = range(7000, 8600, 50)


def fit(runs: Sequence[Run]) -> Rules:
    """The rules that explain these runs best; raises DataError if they are too few.

    The two idle times are the thresholds between what survived and what did not. The largest age maximizes the
    likelihood. Each run has the same weight, because instances of one run share its machines and its day.
    """
    looks = [look(run) for run in runs]
    try:
        # An instance whose own idle time is the function's tells when a function's instances leave together.
        alone = [(one.idle_s, one.there) for seen in looks for one in seen.looks if one.quiet_s >= one.idle_s - 1e-6]
        function_idle_s = threshold(alone)
        used = [
            (one.idle_s, one.there)
            for seen in looks
            for one in seen.looks
            if one.quiet_s < min(function_idle_s, one.idle_s - 1e-6)
        ]
        idle_s = max(threshold(used), function_idle_s)
    except ValueError:
        raise DataError(f"{len(runs)} runs do not show when idle instances leave: add more to the folder") from None
    recycled_s, shape, oldest_s = _fit_age(looks, idle_s, function_idle_s)
    return Rules(
        idle_s=float(idle_s),
        function_idle_s=float(function_idle_s),
        recycled_s=recycled_s,
        recycled_shape=shape,
        oldest_s=oldest_s,
    )


def with_recycling(rules: Rules, rates: Sequence[Rate], network_s: float) -> Rules:
    """The rules with the scale of the recycling that fits the cold-start probabilities of busy functions best.

    These runs are long compared with an instance's life, and have many instances. Squared errors, relative to their
    standard errors, are least; the logarithm of a probability is a parabola over the logarithm of the scale.
    """
    scales = np.log(SCALES)
    fine = np.linspace(scales[0], scales[-1], 200)
    squares = np.zeros(len(fine))
    for rate in rates:
        found = [
            cold_probability(at_rate(rate, replace(rules, recycled_s=scale), network_s, REPETITIONS))
            for scale in SCALES
        ]
        predicted = np.exp(np.polyval(np.polyfit(scales, np.log(found), 2), fine))
        squares += ((predicted - rate.cold_probability) / rate.standard_error) ** 2
    return replace(rules, recycled_s=float(np.exp(fine[squares.argmin()])))


def _fit_age(looks: Sequence[Looks], idle_s: float, function_idle_s: float) -> tuple[float, float, tuple[float, float]]:
    """Scale and shape of the Weibull part of the largest age, and the range of its uniform part."""
    lower, upper, weights = (np.concatenate(parts) for parts in zip(
        *(_ages(seen, idle_s, function_idle_s) for seen in looks), strict=True
    ))  # fmt: skip
    scales, shapes = (grid.ravel() for grid in np.meshgrid(RECYCLED_S, SHAPES))
    # The Weibull part does not depend on the other two parameters: (candidates, instances).
    before, after = (np.exp(-((ages / scales[:, None]) ** shapes[:, None])) for ages in (lower, upper))
    best, found = -math.inf, (0.0, 0.0, (0.0, 0.0))
    for youngest, oldest in itertools.product(YOUNGEST_S, OLDEST_S):
        if youngest >= oldest:
            continue
        there, gone = (np.clip((oldest - ages) / (oldest - youngest), 0, 1) for ages in (lower, upper))
        likelihood = np.log(np.maximum(before * there - after * gone, 1e-300)) @ weights
        at = int(likelihood.argmax())
        if likelihood[at] > best:
            best, found = (
                float(likelihood[at]),
                (float(scales[at]), float(shapes[at]), (float(youngest), float(oldest))),
            )
    return found


def _ages(seen: Looks, idle_s: float, function_idle_s: float) -> tuple[Floats, Floats, Floats]:
    """Bounds of the largest age of each instance of a run: at its last response, and when it was found gone.

    The upper bound is infinite where it left because it was idle, or outlived the run. The third array is the weight.
    """
    pairs = [(last, math.inf) for last in seen.last_s]
    for one in seen.looks:
        if not one.there and not math.isnan(one.age_s):
            idle = one.idle_s >= idle_s or one.quiet_s >= function_idle_s
            pairs.append((one.used_s, math.inf if idle else one.age_s))
    lower, upper = np.array(pairs).reshape(-1, 2).T
    return lower, upper, np.full(len(pairs), 1 / max(len(pairs), 1))
