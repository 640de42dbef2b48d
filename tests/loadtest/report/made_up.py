"""Made-up summaries of runs: a function that scales out, and a service whose requests wait for each other."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from loadtest.platforms.registry import PLATFORMS
from loadtest.report.contents import Section
from loadtest.report.page import to_html
from loadtest.results.summary import (
    BreakEven,
    CostComparison,
    CostOption,
    Estimate,
    Latency,
    Mode,
    Phase,
    PhaseKind,
    Point,
    RunInfo,
    Skipped,
    Summary,
    Where,
)

LAMBDA, SERVICE = "Lambda 3000 MB", "ECS t3a.xlarge"
W6, TINY = "yolov7-w6:5f0c1a2b3c4d", "yolov7-tiny-scenes:cc7a0fe49f73"
HOSTILE = "<script>alert(1)</script></script><b>&\"'"


def estimate(value: float, spread: float = 0.03) -> Estimate:
    """A figure with a relative interval on both sides."""
    return Estimate(value, value * (1 - spread), value * (1 + spread))


def latency(p50: float, count: int = 100, tail: float = 1.3) -> Latency:
    """Response times around a median; `tail` is the ratio of p95 to p50."""
    p90, p95, p99 = (estimate(p50 * (1 + (tail - 1) * part), 0.06) for part in (0.8, 1.0, 1.6))
    return Latency(count, estimate(p50 * 1.04), estimate(p50), p90, p95, p99, p50 * (1 + (tail - 1) * 2.4))


def phase(kind: PhaseKind, name: str, p50: float | None, **more: object) -> Phase:
    """A part of a run with ten requests."""
    made = Phase(name, kind, 0.0, 1, 10, 0, 0, 1.1, None, None if p50 is None else latency(p50, 10))
    return replace(made, **more)  # type: ignore[arg-type]


def info(
    label: str = LAMBDA, *, profile: str = "steady", where: Where = "aws", model: str = W6, mode: Mode = "closed"
) -> RunInfo:
    """The facts of a run, on Lambda if the label says so, otherwise on ECS."""
    platform = "lambda" if "Lambda" in label else "ecs"
    name = f"{where}-{platform}-{profile}-{model.split(':')[0]}"
    url = "https://k2x9.execute-api.us-east-1.amazonaws.com" if where == "aws" else "http://127.0.0.1:3001"
    settings = {"memory_mb": 3000} if platform == "lambda" else {"instance_type": "t3a.xlarge"}
    return RunInfo(
        name=name, folder=f"results/{name}", profile=profile, question=f"What does {profile} tell?",
        mode=mode, platform=platform, where=where, label=label, target=url,
        settings=PLATFORMS[platform].parse(settings),
        model=model, commit="9eba93d", image="yolov7@sha256:1f3870be274f", machine="AMD EPYC, 2 processors, Linux 6.1",
        started="2026-11-22 09:14:05 UTC", status="finished", command=f"python -m loadtest run {profile} {url}",
        dashboard=f"results/{name}/dashboard",
    )  # fmt: skip


def summary(run: RunInfo | None = None, p50: float = 900.0, **more: object) -> Summary:
    """A run of 100 warm requests without errors."""
    steps = {"fetch": 0.024, "decode": 0.01, "detect": 0.84, "annotate": 0.012, "store": 0.03, "other": 0.084}
    made = Summary(
        run=run or info(), duration_s=p50 / 10, requests=100, answered=100, errors={}, throughput_per_s=1000 / p50,
        offered_per_s=None, all=latency(p50), cold=None, warm=latency(p50), corrected=None, lag_ms=None,
        cold_starts={}, instances=1, steps_ms={step: part * p50 for step, part in steps.items()}, billed_ms=p50 * 0.92,
        answer_bytes=812.0, phases=[], points=[],
        processors={"AMD EPYC, AVX2": 1},
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


def points(p50: float, phases: list[Phase], cold: int = 0) -> list[Point]:
    """The requests of each phase, one after the other; the first ones of the run are cold."""
    dice = random.Random(7)
    made: list[Point] = []
    for part in phases:
        for i in range(part.requests):
            middle = part.latency.p50.value if part.latency else p50
            took = round((p50 * 2.2 if len(made) < cold else middle) * dice.lognormvariate(0, 0.08), 1)
            failed = int(part.errors > 0 and i == 4)
            at = round(part.at_s + i * 30 / part.requests, 2)
            made.append(Point(at, 1, failed, int(len(made) < cold), took, took))
    return made


@dataclass(frozen=True)
class Tried:
    """A model on a platform and its response times; `turns` means that requests wait for each other."""

    label: str
    where: Where
    model: str
    p50: float
    turns: bool

    def _run(self, profile: str, phases: list[Phase], cold: int = 0, mode: Mode = "closed", **more: object) -> Summary:
        requests, errors = sum(part.requests for part in phases), sum(part.errors for part in phases)
        extra: dict[str, object] = {
            "phases": phases,
            "points": points(self.p50, phases, cold),
            "requests": requests,
            "answered": requests - errors,
            "errors": {"overloaded": errors} if errors else {},
            "cold": latency(self.p50 * 2.2, cold, 1.1) if cold else None,
            "cold_starts": {f"instance-{i}": 1 for i in range(cold)},
        }
        run = info(self.label, profile=profile, where=self.where, model=self.model, mode=mode)
        return summary(run, self.p50, **(extra | more))

    def batches(self) -> Summary:
        """Nine simultaneous requests, four times."""
        waits = 4.5 if self.turns else 1.0
        times = [self.p50 * waits * (1.0 if self.turns or i else 2.2) for i in range(4)]
        phases = [phase("batch", f"batch {i + 1}", t, at_s=i * 35.0, users=9, requests=9) for i, t in enumerate(times)]
        return self._run(
            "batches", phases, 0 if self.turns else 9, all=latency(self.p50 * waits), warm=latency(times[1])
        )

    def steps(self) -> Summary:
        """3 to 18 users; if requests wait for each other, the time grows with the users until the queue is full."""
        phases = []
        for i, users in enumerate((3, 6, 9, 18)):
            took = self.p50 * users if self.turns else self.p50 * (1 + 0.01 * users)
            errors, rate = int(self.turns and users == 18), 1000 * users / took
            made = phase("users", f"{users} users", took, users=users, errors=errors, throughput_per_s=rate)
            phases.append(replace(made, at_s=35.0 * i))
        return self._run("steps", phases, warm=latency(self.p50 * (8 if self.turns else 1.1)))

    def rates(self, profile: str, *rates: float) -> Summary:
        """Requests at increasing rates; a service whose requests wait for each other answers only a part."""
        limit = 1000 / self.p50 if self.turns else 1e6
        phases = []
        for i, rate in enumerate(rates):
            took = self.p50 * (1 if rate < limit else 12)
            made = phase("rate", f"{rate:g}/s", took, users=0, requests=round(30 * rate), offered_per_s=rate)
            phases.append(replace(made, at_s=35.0 * i, throughput_per_s=min(rate, limit)))
        offered = sum(rates) / len(rates)
        times = latency(self.p50 * (1 if max(rates) < limit else 5))
        made_run = self._run(profile, phases, mode="open", all=times, warm=times, lag_ms=1.4, offered_per_s=offered)
        corrected = latency(times.p50.value * 1.01)
        return replace(made_run, corrected=corrected, throughput_per_s=min(offered, limit))

    def gaps(self) -> Summary:
        """Single requests after growing gaps; a function is cold after the longest gap."""
        phases = []
        for minute in (0, 6, 16, 31, 61):
            cold = int(not self.turns and minute in (0, 31, 61))
            made = phase("gap", f"minute {minute}", self.p50 * (2.2 if cold else 1), users=0, requests=1)
            phases.append(replace(made, at_s=60.0 * minute, cold_starts=cold))
        return self._run("idle-gaps", phases, sum(part.cold_starts for part in phases), points=[])

    def payloads(self) -> Summary:
        """Pictures of three sizes."""
        sizes = {"small": 0.95, "medium": 1.0, "large": 1.3}
        return self._run(
            "payloads", [phase("payload", n, self.p50 * f, at_s=i * 30.0) for i, (n, f) in enumerate(sizes.items())]
        )

    def everything(self) -> list[Summary]:
        """A run of every profile."""
        burst, steady = self.rates("burst", 0.3, 1.5, 0.3), self.rates("steady", 0.5)
        return [self.batches(), self.gaps(), self.steps(), self.payloads(), steady, burst]


def labels(where: Where) -> tuple[str, str]:
    """The labels of both platforms in a place."""
    return (LAMBDA, SERVICE) if where == "aws" else (f"local {LAMBDA}", f"local {SERVICE}")


def tried(where: Where = "aws", model: str = W6, scale: float = 1.0) -> list[Summary]:
    """All profiles on both platforms."""
    function, service = labels(where)
    runs = Tried(function, where, model, 900 * scale, False).everything()
    return runs + Tried(service, where, model, 800 * scale, True).everything()


def cost(where: Where = "aws", model: str = W6) -> CostComparison:
    """The costs of a function per picture and a service per month, with a break-even at 2.4 million pictures."""
    function, service = labels(where)
    volumes = [round(1000 * 10 ** (i * 5 / 59)) for i in range(60)]
    each, fixed, capacity = 5.1e-5, 122.4, 2_900_000
    prices = ["3000 MB at $0.0000166667 per GB-second.", "$1 per million requests of the HTTP API."]
    return CostComparison(
        where=where,
        model=model,
        options=[
            CostOption(function, "lambda", each * 1000, 0.0, None, [f"{where}-lambda-steady"], prices),
            CostOption(service, "ecs", 0.0422, fixed, capacity, [f"{where}-ecs-steps"], ["t3a.xlarge on demand."]),
        ],
        pictures_per_month=volumes,
        usd_per_month={function: [v * each for v in volumes], service: [fixed * -(-v // capacity) for v in volumes]},
        break_evens=[BreakEven(function, service, 2_400_000, 122.4)],
        warnings=["Instances are counted whole."],
    )


def section(runs: list[Summary], costs: list[CostComparison] | None = None) -> Section:
    """A section of some runs on AWS."""
    return Section(1, "aws", W6, runs, costs or [])


def page(
    runs: list[Summary] | None = None, skipped: list[Skipped] | None = None, costs: list[CostComparison] | None = None
) -> str:
    """The page of some runs, by default of runs in both places."""
    return to_html(
        tried("aws") + tried("local") if runs is None else runs,
        [Skipped("20261120T101500-ecs-batches", "samples.jtl is missing")] if skipped is None else skipped,
        [cost("aws"), cost("local")] if costs is None else costs,
        made="2026-11-22 12:00 UTC",
        command="make compare",
    )
