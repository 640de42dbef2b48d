"""The costs of instances or tasks behind a load balancer, as many as auto scaling keeps."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.cost.offers import NoCost, Offer, agreed, answer_bytes, offer
from loadtest.cost.prices import Burstable, Prices, RegionPrices
from loadtest.cost.tariff import MAX_INSTANCES, TARGET_BUSY, Instances, alb_usd_per_month, capacity_per_month
from loadtest.platforms.settings import InstanceSettings
from loadtest.results.summary import Summary
from loadtest.results.throughput import rates

EXTRA_BYTES = 1000  # The request, and the headers of both directions.


def instances_offer(
    summaries: Sequence[Summary],
    prices: Prices,
    region: RegionPrices,
    *,
    instance_usd: float,
    description: str,
    burst: Burstable | None = None,
) -> Offer:
    """The costs of instances at `instance_usd` a month each; raises NoCost."""
    best, where = _best_rate(summaries)
    size = answer_bytes(summaries) + EXTRA_BYTES
    idle = alb_usd_per_month(prices, region, pictures_per_month=0, bytes_per_picture=size)
    million = alb_usd_per_month(prices, region, pictures_per_month=1e6, bytes_per_picture=size)
    curve = Instances(
        instance_usd=instance_usd,
        balancer_usd=idle,
        balancer_usd_per_picture=(million - idle) / 1e6,
        capacity=capacity_per_month(best),
        burst=burst,
        surplus_usd=region.surplus_credits.usd,
    )
    assumptions = [
        f"{description}; a load balancer at {region.alb.hour.usd:g} USD per hour and {region.alb.lcu_hour.usd:g} per "
        f"LCU-hour (prices of {region.alb.hour.seen}); 730 hours a month.",
        f"One instance serves at most {best:.3g} pictures per second ({where}) and is kept at {TARGET_BUSY:.0%} of "
        f"that: {curve.capacity} pictures a month, evenly spread.",
        f"More than {MAX_INSTANCES} instances, the configured maximum, are needed above "
        f"{MAX_INSTANCES * curve.capacity} pictures a month; the curve ignores this limit.",
        f"LCUs: one new connection per picture, active for one minute, {size:.0f} bytes.",
    ]
    if burst:
        assumptions.append(
            f"Above {burst.baseline:.0%} of its {burst.vcpus} processors an instance pays {curve.surplus_usd:g} USD "
            f"per vCPU-hour for surplus credits (price of {region.surplus_credits.seen}); all processors are assumed "
            "busy at its best throughput."
        )
    return offer(summaries, curve, curve.usd(curve.capacity) / curve.capacity * 1000, assumptions)


def _best_rate(summaries: Sequence[Summary]) -> tuple[float, str]:
    """The highest throughput of one instance, pictures per second, and the run and load that reached it."""
    found = [(rate.per_s / agreed([rate.run], InstanceSettings).instances, rate) for rate in rates(summaries)]
    if not found:
        raise NoCost("none of its runs and phases has less than 1% of errors")
    per_s, rate = max(found, key=lambda pair: pair[0])
    return per_s, f"{rate.run.run.name}, {rate.load}"
