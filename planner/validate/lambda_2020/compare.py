"""Cold starts and instances of the recorded runs, predicted by rules that were fitted on other runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.aws_lambda.rules import AWS_2020, Rules
from planner.errors import DataError
from planner.validate.data import folder
from planner.validate.lambda_2020 import fit
from planner.validate.lambda_2020.records import Rate, Run, read_rates, read_runs
from planner.validate.lambda_2020.runs import LENGTH_S, UNKNOWN_S, at_rate, cold_probability, replay, seen_instances
from planner.validate.table import Comparison, compared, mean_error

DATA = "LAMBDA_2020"
SOURCE = "AWS Lambda, 2020"

# AWS_2020 is fitted on these runs, by their rates. A prediction of one of them uses a fit without it.
REPLAYED = ("0.00186", "0.00288", "0.00425", "0.00785", "0.01638", "0.10038")
BUSY = ("0.19808", "0.39749", "0.59561", "0.79794")
NETWORK_S = 0.103  # The median over the six replayed runs.

# Requests simulated for each figure, in repetitions of a run with other random numbers.
ENOUGH, FEWEST, MOST = 2_000_000, 100, 1000


@dataclass(frozen=True)
class Fitted:
    """Rules, and what the network adds to the time in which an instance is busy, seconds."""

    rules: Rules
    network_s: float


def compare() -> list[Comparison]:
    """All runs and rates of the folder, each out of sample; a minute. Raises DataError."""
    where = folder(DATA)
    runs, rates = read_runs(where), read_rates(where)
    if not runs and not rates:
        raise DataError(f"{DATA}: {where} has neither rate-*.csv nor rates.csv")
    fits = leave_one_out(runs, rates)
    return [*_replays(runs, fits), *_rates(rates, fits)]


def leave_one_out(runs: Sequence[Run], rates: Sequence[Rate]) -> dict[str, Fitted]:
    """For each run that AWS_2020 is fitted on, by its rate, the rules fitted on the others; empty if too few are here.

    Runs that AWS_2020 does not know are predicted by AWS_2020, which is out of sample as it is.
    """
    known = [run for run in runs if run.name in REPLAYED]
    busy = [rate for rate in rates if rate.name in BUSY]
    if len(known) < len(REPLAYED) or len(busy) < len(BUSY):
        return {}
    fits = {run.name: _fit([other for other in known if other is not run], busy) for run in known}
    return fits | {rate.name: _fit(known, [other for other in busy if other is not rate]) for rate in busy}


def _fit(runs: Sequence[Run], busy: Sequence[Rate]) -> Fitted:
    network_s = float(np.median([run.network_s for run in runs]))
    return Fitted(fit.with_recycling(fit.fit(runs), busy, network_s), network_s)


def _replays(runs: Sequence[Run], fits: dict[str, Fitted]) -> list[Comparison]:
    """Cold starts and mean instances of each run, request by request, and the sum of the cold starts."""
    cold, instances = [], []
    for run in runs:
        rules = fits[run.name].rules if run.name in fits else AWS_2020
        means = replay(run, rules, _repetitions(len(run.start_s)))
        name = f"replay of {run.name}/s"
        found = float(np.mean([one.cold for one in means]))
        cold.append(compared(SOURCE, f"{name}: cold starts", run.cold_since(UNKNOWN_S), found))
        found = float(np.mean([one.recently_used for one in means]))
        instances.append(compared(SOURCE, f"{name}: mean instances", seen_instances(run), found))
    if not runs:
        return []
    sums = [sum(row.expected for row in cold), sum(row.predicted for row in cold)]
    return [*cold, compared(SOURCE, f"{len(runs)} replays: cold starts", *sums, limit=0.05), *instances]


def _rates(rates: Sequence[Rate], fits: dict[str, Fitted]) -> list[Comparison]:
    """Cold-start probability and mean instances at each rate, and their mean errors."""
    probabilities, instances = [], []
    for rate in rates:
        fitted = fits.get(rate.name, Fitted(AWS_2020, NETWORK_S))
        means = at_rate(rate, fitted.rules, fitted.network_s, _repetitions(rate.arrivals_per_s * LENGTH_S))
        figure = f"{rate.name}/s: cold-start probability"
        probabilities.append(compared(SOURCE, figure, rate.cold_probability, cold_probability(means)))
        found = float(np.mean([one.recently_used for one in means]))
        instances.append(compared(SOURCE, f"{rate.name}/s: mean instances", rate.mean_instances, found))
    if not rates:
        return []
    return [
        *probabilities,
        mean_error(SOURCE, f"{len(rates)} rates: cold-start probability", probabilities, limit=0.12),
        *instances,
        mean_error(SOURCE, f"{len(rates)} rates: mean instances", instances, limit=0.03),
    ]


def _repetitions(requests: float) -> int:
    return int(min(max(ENOUGH / requests, FEWEST), MOST))
