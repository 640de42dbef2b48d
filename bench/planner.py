"""`python -m bench.planner`: requests per second of the planner's Lambda beside SimFaaS, and what whole plans take.

Both simulators run in one thread, and both are given the same arrivals and service times; their answers must be equal.
ORACLES names the folder with SimFaaS, see requirements/oracles.txt.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from bench.__main__ import HERE, about
from bench.plans import measure_plans, to_rows
from bench.report import heading
from detection.errors import UserError
from model_store.benchmark.sampling import interleaved, spread
from planner.aws_lambda.rules import AWS_2020
from planner.aws_lambda.simulation import Means, Simulation
from planner.validate import oracles, simfaas
from planner.validate.data import folder

OURS, THEIRS = "planner", "SimFaaS"
# Requests of one sample, by their rate per second; a request takes 2 s, so that the rate is half the load.
WORK = {0.1: 50_000, 1.0: 50_000, 10.0: 20_000}
LONG, CHUNK = {1.0: 5_000_000, 10.0: 5_000_000, 100.0: 5_000_000}, 1_000_000


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.planner", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="samples of each simulator")
    parser.add_argument("--output", type=Path, default=HERE, help="folder of planner.json and planner.md")
    options = parser.parse_args(arguments)
    try:
        where = folder(oracles.DATA)
        result: dict[str, Any] = {"about": {**about(options.rounds), "command": "python -m bench.planner"}}
        result["same_work"] = {f"{rate:g}": same_work(where, rate, options.rounds) for rate in WORK}
    except UserError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    result["long"] = {f"{rate:g}": long_work(rate, options.rounds) for rate in LONG}
    result["plans"] = measure_plans()
    (options.output / "planner.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "planner.md").write_text(to_markdown(result))
    print(to_markdown(result))
    return 0


def same_work(where: Path, rate: float, rounds: int) -> dict[str, Any]:
    """Times of both simulators, taking turns, and their answers."""
    arrivals, services = simfaas.work(rate, WORK[rate])
    cold, instances = simfaas.simulate(where, arrivals, services)
    ours = simfaas.simulate_ours(arrivals, services)
    if ours.cold != cold or abs(ours.instances / instances - 1) > 1e-6:
        raise AssertionError(
            f"{rate}/s: {ours.cold} cold starts and {ours.instances} instances, not {cold}, {instances}"
        )
    samples = interleaved(
        {
            OURS: lambda: simfaas.simulate_ours(arrivals, services),
            THEIRS: lambda: simfaas.simulate(where, arrivals, services),
        },
        rounds,
    )
    times = {name: found.to_json() for name, found in samples.items()}
    return {"requests": WORK[rate], "cold": cold, "instances": round(instances, 4), "simulators": times}


def long_work(rate: float, rounds: int) -> dict[str, Any]:
    """Times of a long simulation with the rules of AWS, fed in chunks; its random arrivals are not timed."""
    random = np.random.default_rng(9)
    arrivals = np.cumsum(random.exponential(1 / rate, LONG[rate]))
    warm_s, cold_s = random.exponential(2, 1000), random.exponential(3, 100)

    def simulate() -> Means:
        simulation = Simulation(AWS_2020)
        for start in range(0, len(arrivals), CHUNK):
            simulation.feed(arrivals[start : start + CHUNK], warm_s, cold_s)
        return simulation.finish()[0]

    means = simulate()
    samples = interleaved({OURS: simulate}, rounds)[OURS].to_json()
    return {"requests": LONG[rate], "instances": round(means.instances, 2), "simulators": {OURS: samples}}


def to_markdown(result: dict[str, Any]) -> str:
    """Three tables; only words and rounding here."""
    lines = [
        "# Speed of the planner",
        "",
        f"{heading(result['about'])}; one thread each, the simulators take turns. Compiling is not included.",
        "",
        f"| same work, same answer | cold starts | mean instances | {THEIRS}, ms | {OURS}, ms | {OURS} is faster |",
        "|---|---|---|---|---|---|",
    ]
    for rate, found in result["same_work"].items():
        ours, theirs = (found["simulators"][name] for name in (OURS, THEIRS))
        lines.append(
            f"| {found['requests']:,} requests at {rate}/s | {found['cold']} | {found['instances']:.2f} "
            f"| {spread(theirs)} | {spread(ours, 2)} | {theirs['median_ms'] / ours['median_ms']:,.0f} times |"
        )
    lines += ["", "| rules of AWS, in chunks | mean instances | ms | requests per second |", "|---|---|---|---|"]
    for rate, found in result["long"].items():
        ours = found["simulators"][OURS]
        speed = found["requests"] / ours["median_ms"] * 1000
        lines.append(
            f"| {found['requests']:,} requests at {rate}/s | {found['instances']:.1f} | {spread(ours, 0)} "
            f"| {speed:,.0f} |"
        )
    cores = "Plans use all cores; each ran once, and compiled loops come from numba's cache."
    return "\n".join([*lines, "", cores, "", *to_rows(result["plans"])]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
