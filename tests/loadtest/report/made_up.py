"""Summaries made up by hand, in the shape of real ones: a function that scales out, a service that takes turns."""

from __future__ import annotations

import random
from dataclasses import replace

from loadtest.report.contents import Report
from loadtest.summary import (
    BreakEven,
    CostComparison,
    CostOption,
    Estimate,
    Latency,
    Mode,
    Phase,
    PhaseKind,
    Platform,
    Point,
    RunInfo,
    Skipped,
    Summary,
    Where,
)

LAMBDA, SERVICE = "Lambda 3000 MB", "ECS 2 vCPU"
W6, TINY = "yolov7-w6:5f0c1a2b3c4d", "yolov7-tiny-scenes:cc7a0fe49f73"
HOSTILE = "<script>alert(1)</script></script><b>&\"'"


def estimate(value: float, spread: float = 0.03) -> Estimate:
    """A figure with an interval of about so much of it on either side."""
    return Estimate(value, value * (1 - spread), value * (1 + spread))


def latency(p50: float, count: int = 100, tail: float = 1.3) -> Latency:
    """Response times around a median; `tail` is p95 against p50."""
    p90, p95, p99 = (estimate(p50 * (1 + (tail - 1) * part), 0.06) for part in (0.8, 1.0, 1.6))
    return Latency(count, estimate(p50 * 1.04), estimate(p50), p90, p95, p99, p50 * (1 + (tail - 1) * 2.4))


def info(
    name: str,
    label: str = LAMBDA,
    *,
    profile: str = "batches",
    where: Where = "aws",
    model: str = W6,
    mode: Mode = "closed",
) -> RunInfo:
    """What was run: a Lambda where the label says so, else a service."""
    platform: Platform = "lambda" if label.startswith("Lambda") else "ecs"
    target = {
        "aws": "https://k2x9.execute-api.eu-central-1.amazonaws.com/predict",
        "local": "http://127.0.0.1:3001/predict",
    }
    return RunInfo(
        name=name, folder=f"runs/{name}", profile=profile, question=f"What does {profile} do to response times?",
        mode=mode, platform=platform, where=where, label=label, target=target[where],
        settings={"users": 1, "requests": 100, "timeout_s": 60, "picture": "0.5 MB, 1280 x 960"}, model=model,
        commit="9eba93d", image="yolov7@sha256:1f3870be274f", machine="c7i.large, JMeter 5.6.3, Java 21",
        started="2026-11-22T09:14:05Z", status="finished", command=f"make loadtest PROFILE={profile} TARGET={platform}",
        dashboard=f"runs/{name}/dashboard",
    )  # fmt: skip


def phase(kind: PhaseKind, name: str, p50: float | None, **more: object) -> Phase:
    """A part of a run with ten requests."""
    made = Phase(name, kind, 0.0, 1, 10, 0, 0, 1.1, None, None if p50 is None else latency(p50, 10))
    return replace(made, **more)  # type: ignore[arg-type]


def points(p50: float, *, cold_at: tuple[int, ...] = (), count: int = 100, cold_ms: float = 2000.0) -> list[Point]:
    """One request after the other, some of them cold."""
    dice = random.Random(7)
    made, at = [], 0.0
    for i in range(count):
        took = cold_ms * dice.uniform(0.93, 1.15) if i in cold_at else p50 * dice.lognormvariate(0, 0.07)
        made.append(Point(round(at, 2), 1, 0, int(i in cold_at), round(took, 1), round(took, 1)))
        at += took / 1000
    return made


def summary(run: RunInfo, p50: float = 900.0, **more: object) -> Summary:
    """A run of 100 requests without an error, none cold."""
    detect = p50 * 0.84
    steps = {"fetch": 22.0, "decode": 9.0, "detect": detect, "annotate": 11.0, "store": 24.0, "other": p50 * 0.16 - 60}
    made = Summary(
        run=run, duration_s=p50 / 10, requests=100, answered=100, errors={}, throughput_per_s=1000 / p50,
        offered_per_s=None, all=latency(p50), cold=None, warm=latency(p50), corrected=None, lag_ms=1.4,
        cold_starts={}, instances=1, steps_ms=steps, billed_ms=p50 - 30, answer_bytes=812.0, phases=[],
        points=points(p50),
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


def batches(label: str, where: Where, model: str, p50: float, cold: int) -> Summary:
    """Ten batches of ten pictures one after the other."""
    made = [phase("batch", f"{i + 1}", p50 * (1 + 0.02 * (i % 3)), at_s=i * p50 / 100) for i in range(10)]
    run = info(f"batches-{where}-{label.split()[0].lower()}-{model[:9]}", label, where=where, model=model)
    extra = {"cold": latency(p50 * 2.2, cold, 1.12), "cold_starts": {"init": cold}, "instances": cold} if cold else {}
    return summary(
        run, p50, phases=made, points=points(p50, cold_at=tuple(range(0, 10 * cold, 10)), cold_ms=p50 * 2.2), **extra
    )


def users(label: str, where: Where, model: str, p50: float, *, turns: bool) -> Summary:
    """1 to 16 users at once; where requests take turns the time grows with the users."""
    phases = []
    for i, count in enumerate((1, 2, 4, 8, 16)):
        took = p50 * count if turns else p50 * (1 + 0.01 * count)
        phases.append(
            phase(
                "users",
                f"{count} users",
                took,
                users=count,
                at_s=60.0 * i,
                requests=60,
                throughput_per_s=1000 * count / took,
            )
        )
    run = info(
        f"users-{where}-{label.split()[0].lower()}-{model[:9]}", label, profile="users", where=where, model=model
    )
    slices = [
        Point(float(at), 4, int(at == 250 and turns), 0, found.latency.p50.value, found.latency.max)
        for found in phases
        for at in range(int(found.at_s), int(found.at_s) + 60, 5)
        if found.latency
    ]
    errors: dict[str, object] = {"errors": {"overloaded": 3}, "answered": 297} if turns else {"instances": 16}
    return summary(run, p50 * (5 if turns else 1.05), requests=300, phases=phases, points=slices, **errors)


def rates(label: str, where: Where, model: str, p50: float, *, limit: float) -> Summary:
    """Requests offered at rising rates, answered up to a limit."""
    phases = []
    for i, offered in enumerate((0.5, 1.0, 2.0, 4.0)):
        answered = min(offered, limit)
        late = p50 if offered <= limit else p50 * 12
        phases.append(
            phase("rate", f"{offered:g} per second", late, users=0, at_s=30.0 * i, requests=int(30 * offered),
                  throughput_per_s=answered, offered_per_s=offered)
        )  # fmt: skip
    name = f"rates-{where}-{label.split()[0].lower()}-{model[:9]}"
    run = info(name, label, profile="rates", where=where, model=model, mode="open")
    return summary(
        run, p50, phases=phases, offered_per_s=1.9, throughput_per_s=min(1.9, limit), corrected=latency(p50 * 3)
    )


def gaps(label: str, where: Where, model: str, p50: float, *, cold_from: int | None) -> Summary:
    """One request after each gap; from some gap on the instance is gone."""
    phases = []
    for i, minutes in enumerate((1, 2, 5, 10, 20, 40)):
        cold = cold_from is not None and minutes >= cold_from
        phases.append(
            phase(
                "gap", f"{minutes} min", p50 * (2.2 if cold else 1), at_s=600.0 * i, requests=1, cold_starts=int(cold)
            )
        )
    run = info(f"gaps-{where}-{label.split()[0].lower()}-{model[:9]}", label, profile="gaps", where=where, model=model)
    cold_count = sum(found.cold_starts for found in phases)
    extra = {"cold": latency(p50 * 2.2, cold_count, 1.1), "cold_starts": {"init": cold_count}} if cold_count else {}
    return summary(
        run, p50, phases=phases, requests=6, answered=6, warm=latency(p50, 6 - cold_count), points=[], **extra
    )


def payloads(label: str, where: Where, model: str, p50: float) -> Summary:
    """Pictures of three sizes."""
    phases = [
        phase("payload", name, p50 * f, at_s=i * 9.0)
        for i, (name, f) in enumerate((("0.1 MB", 0.95), ("0.5 MB", 1.0), ("4 MB", 1.3)))
    ]
    run = info(
        f"payload-{where}-{label.split()[0].lower()}-{model[:9]}", label, profile="pictures", where=where, model=model
    )
    return summary(run, p50, phases=phases)


def cost(where: Where, model: str) -> CostComparison:
    """A function by the picture against a service by the month: even at 1.2 million pictures."""
    volumes = [int(10 ** (exponent / 4)) for exponent in range(8, 33)]
    function, fixed, capacity = 5.1e-5, 61.2, 1_900_000
    prices = ["3000 MB at $0.0000166667 per GB-second.", "$1 per million requests of the HTTP API."]
    instance = ["c7i.large on demand in eu-central-1 and a load balancer."]
    return CostComparison(
        where=where,
        model=model,
        options=[
            CostOption(LAMBDA, "lambda", function * 1000, 0.0, None, ["batches-lambda"], prices),
            CostOption(SERVICE, "ecs", 0.0323, fixed, capacity, ["users-ecs"], instance),
        ],
        pictures_per_month=volumes,
        usd_per_month={LAMBDA: [v * function for v in volumes], SERVICE: [fixed * -(-v // capacity) for v in volumes]},
        break_evens=[BreakEven(LAMBDA, SERVICE, 1_200_000, 61.2)],
        warnings=["Instances are counted whole."],
    )


def place(where: Where, model: str = W6, scale: float = 1.0) -> list[Summary]:
    """All profiles on both platforms."""
    function, service = 900 * scale, 800 * scale
    return [
        batches(LAMBDA, where, model, function, 3), batches(SERVICE, where, model, service, 0),
        users(LAMBDA, where, model, function, turns=False), users(SERVICE, where, model, service, turns=True),
        rates(LAMBDA, where, model, function, limit=40), rates(SERVICE, where, model, service, limit=1.25),
        gaps(LAMBDA, where, model, function, cold_from=10), gaps(SERVICE, where, model, service, cold_from=None),
        payloads(LAMBDA, where, model, function), payloads(SERVICE, where, model, service),
    ]  # fmt: skip


def report(
    runs: list[Summary] | None = None, skipped: list[Skipped] | None = None, costs: list[CostComparison] | None = None
) -> Report:
    """A report of runs in both places, where nothing else is given."""
    return Report(
        title="Lambda or ECS for YOLOv7",
        made="2026-11-22",
        command="make report",
        runs=place("aws") + place("local") if runs is None else runs,
        skipped=[Skipped("batches-old", "samples.csv is missing")] if skipped is None else skipped,
        costs=[cost("aws", W6), cost("local", W6)] if costs is None else costs,
    )
