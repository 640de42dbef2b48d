"""What one platform costs, from all runs against it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from loadtest.cost.prices import PRICES, Architecture, Prices, RegionPrices
from loadtest.cost.tariff import (
    TARGET_BUSY,
    Instances,
    PayPerUse,
    alb_usd_per_month,
    capacity_per_month,
    ec2_usd_per_month,
    fargate_usd_per_month,
    lambda_usd_per_request,
    provisioned_usd_per_month,
)
from loadtest.platforms import PLATFORMS, Setting
from loadtest.results.summary import CostOption, Summary
from loadtest.results.throughput import rates

MAX_INSTANCES = 5  # What deployment/terraform/ecs sets up.
EXTRA_BYTES = 1000  # The request, and the headers both ways.
LEFT_OUT = "List prices, first tier, without S3, logs, traffic, public IPv4 addresses, disks, free tiers and taxes."


class NoCost(Exception):
    """A platform cannot be priced; the message is a clause that says why."""


def lambda_option(summaries: Sequence[Summary], prices: Prices) -> CostOption:
    """A function behind an HTTP API; raises NoCost."""
    curve = lambda_curve(summaries, prices)
    region, architecture = _region(summaries, prices), _architecture(summaries)
    function, warm = region.functions[architecture], _number(summaries, "provisioned_concurrency")
    assumptions = [
        f"{_number(summaries, 'memory_mb'):g} MB, {architecture}, {_text(summaries, 'region')}: "
        f"{function.gb_second.usd:.10f} USD per GB-second and {function.request.usd * 1e6:.2f} per million requests "
        f"(seen {function.gb_second.seen}), {region.http_api.usd:.2f} per million calls of the HTTP API "
        f"(seen {region.http_api.seen}).",
        f"{_billed_ms(summaries):.1f} ms billed per picture, cold starts included; from profile single or steady, if "
        "one was run.",
    ]
    if warm:
        assumptions.append(
            f"{warm:g} provisioned, at {function.provisioned_gb_second.usd:.10f} USD per GB-second; requests are taken "
            "at the price without, which is higher."
        )
    return _option(summaries, curve.usd_per_picture * 1000, curve.fixed_usd, None, assumptions)


def lambda_curve(summaries: Sequence[Summary], prices: Prices) -> PayPerUse:
    """The bill of a month by volume, of a function behind an HTTP API; raises NoCost."""
    region, architecture = _region(summaries, prices), _architecture(summaries)
    memory_mb = _number(summaries, "memory_mb")
    warm = round(_number(summaries, "provisioned_concurrency"))
    request = lambda_usd_per_request(
        region,
        memory_mb=memory_mb,
        architecture=architecture,
        billed_ms=_billed_ms(summaries),
        answer_bytes=_answer_bytes(summaries),
    )
    return PayPerUse(
        request, provisioned_usd_per_month(region, memory_mb=memory_mb, architecture=architecture, instances=warm)
    )


def instance_option(summaries: Sequence[Summary], prices: Prices) -> CostOption:
    """Instances or tasks behind a load balancer, as many as the auto-scaling keeps; raises NoCost."""
    curve, region = instance_curve(summaries, prices), _region(summaries, prices)
    best, where = _best(summaries)
    assumptions = [
        f"{_size(summaries, region)}; a load balancer at {region.alb.hour.usd:g} USD per hour and "
        f"{region.alb.lcu_hour.usd:g} per LCU-hour (seen {region.alb.hour.seen}); 730 hours a month.",
        f"One does {best:.3g} pictures per second at best ({where}) and is kept at {TARGET_BUSY:.0%} of it: "
        f"{curve.capacity} pictures a month, evenly spread.",
        f"More than {MAX_INSTANCES}, the most that is set up, are needed above {MAX_INSTANCES * curve.capacity} "
        "pictures a month; the curve goes on without that limit.",
        f"LCUs: one new connection per picture, active in one minute, {_bytes(summaries):.0f} bytes.",
    ]
    if curve.burst:
        assumptions.append(
            f"Beyond {curve.burst.baseline:.0%} of its {curve.burst.vcpus} processors an instance pays "
            f"{curve.surplus_usd:g} USD per vCPU-hour for surplus credits (seen {region.surplus_credits.seen}), with "
            "all processors busy at its best throughput."
        )
    full = curve.usd(curve.capacity) / curve.capacity * 1000
    return _option(summaries, full, curve.usd(0), float(curve.capacity), assumptions)


def instance_curve(summaries: Sequence[Summary], prices: Prices) -> Instances:
    """The bill of a month by volume, of instances or tasks behind a load balancer; raises NoCost."""
    region, size = _region(summaries, prices), _bytes(summaries)
    best, _ = _best(summaries)
    idle = alb_usd_per_month(prices, region, pictures_per_month=0, bytes_per_picture=size)
    million = alb_usd_per_month(prices, region, pictures_per_month=1e6, bytes_per_picture=size)
    if summaries[0].run.platform == "fargate":
        burst = None
        cpus, memory_mb = _number(summaries, "cpus"), _number(summaries, "task_memory_mb")
        each = fargate_usd_per_month(region, cpus=cpus, task_memory_mb=memory_mb, architecture=_architecture(summaries))
    else:
        kind = _instance_type(summaries, region)
        burst = prices.burstable.get(kind)
        each = ec2_usd_per_month(region, kind)
    return Instances(
        instance_usd=each,
        balancer_usd=idle,
        balancer_usd_per_picture=(million - idle) / 1e6,
        capacity=capacity_per_month(best),
        burst=burst,
        surplus_usd=region.surplus_credits.usd,
    )


def _option(
    summaries: Sequence[Summary], per_1000: float, fixed: float, capacity: float | None, assumptions: list[str]
) -> CostOption:
    run = summaries[0].run
    if run.where == "local":
        stand_in = (
            f"Measured on a stand-in ({run.machine}), not on AWS: this is what {run.label} would cost if it were "
            "exactly as fast as this stand-in on this machine."
        )
        assumptions = [stand_in, *assumptions]
    names = [summary.run.name for summary in summaries]
    return CostOption(run.label, run.platform, per_1000, fixed, capacity, names, [*assumptions, LEFT_OUT])


def _best(summaries: Sequence[Summary]) -> tuple[float, str]:
    """The largest throughput of one instance (pictures per second) that counts, and where it was seen."""
    found = [(rate.per_s / _number([rate.run], "instances"), rate) for rate in rates(summaries)]
    if not found:
        raise NoCost("none of its runs and phases answered with less than 1% of errors")
    per_s, rate = max(found, key=lambda pair: pair[0])
    return per_s, f"{rate.run.run.name}, {rate.load}"


def _billed_ms(summaries: Sequence[Summary]) -> float:
    # One user at a time, or a steady rate, is usual traffic; others are made to have many cold starts or large files.
    usual = summaries
    for profile in ("steady", "single"):
        usual = [s for s in summaries if s.run.profile == profile and s.billed_ms is not None] or usual
    billed = [(s.billed_ms, s.answered) for s in usual if s.billed_ms is not None and s.answered > 0]
    if not billed:
        raise NoCost("none of its runs has an answer, so the time billed is unknown")
    return sum(mean * count for mean, count in billed) / sum(count for _, count in billed)


def _answer_bytes(summaries: Sequence[Summary]) -> float:
    answered = sum(summary.answered for summary in summaries)
    return sum(summary.answer_bytes * summary.answered for summary in summaries) / max(1, answered)


def _bytes(summaries: Sequence[Summary]) -> float:
    return _answer_bytes(summaries) + EXTRA_BYTES


def _size(summaries: Sequence[Summary], region: RegionPrices) -> str:
    where = _text(summaries, "region")
    if summaries[0].run.platform == "fargate":
        task, cpus = region.fargate[_architecture(summaries)], _number(summaries, "cpus")
        return (
            f"Tasks of {cpus:g} CPUs and {_number(summaries, 'task_memory_mb'):g} MB, {where}, "
            f"at {task.vcpu_hour.usd:g} USD per vCPU-hour and {task.gb_hour.usd:g} per GB-hour "
            f"(seen {task.vcpu_hour.seen})"
        )
    kind = _instance_type(summaries, region)
    return f"{kind}, {where}, at {region.ec2[kind].usd:g} USD per hour (seen {region.ec2[kind].seen})"


def _region(summaries: Sequence[Summary], prices: Prices) -> RegionPrices:
    name = _text(summaries, "region")
    if name not in prices.regions:
        raise NoCost(f"region {name} is not in loadtest/cost/{PRICES.name}, which has {', '.join(prices.regions)}")
    return prices.regions[name]


def _instance_type(summaries: Sequence[Summary], region: RegionPrices) -> str:
    kind = _text(summaries, "instance_type")
    if kind not in region.ec2:
        raise NoCost(f"instance type {kind} is not in loadtest/cost/{PRICES.name}, which has {', '.join(region.ec2)}")
    return kind


def _architecture(summaries: Sequence[Summary]) -> Architecture:
    name = _text(summaries, "architecture")
    if name not in ("x86_64", "arm64"):
        raise NoCost(f"architecture must be x86_64 or arm64, but is {name}")
    return cast(Architecture, name)


def _number(summaries: Sequence[Summary], key: str) -> float:
    text = _text(summaries, key)
    try:
        number = float(text)
    except ValueError:
        raise NoCost(f"its {key} must be a number, but is {text}") from None
    if not (0 < number < float("inf") or number == _default(summaries, key) == 0):
        raise NoCost(f"its {key} must be more than 0, but is {text}")
    return number


def _text(summaries: Sequence[Summary], key: str) -> str:
    found = sorted({str(summary.run.settings.get(key, _default(summaries, key))) for summary in summaries})
    if len(found) > 1:
        raise NoCost(f"its runs differ in {key} ({', '.join(found)}): give them different labels")
    return found[0]


def _default(summaries: Sequence[Summary], key: str) -> Setting:
    """What a run's setting is taken to be when the run does not say."""
    return PLATFORMS[summaries[0].run.platform].settings[key]
