"""AWS Lambda: a function behind an HTTP API, billed by use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from loadtest.cost.offers import Offer, agreed, answer_bytes, billed_ms, offer, region_prices
from loadtest.cost.prices import Architecture, Prices
from loadtest.cost.tariff import PayPerUse, lambda_usd_per_request, provisioned_usd_per_month
from loadtest.platforms.base import Platform
from loadtest.platforms.settings import Count, Settings
from loadtest.results.summary import Summary


class LambdaSettings(Settings):
    """Settings of a function; `concurrency` is the most sandboxes of the local Lambda, AWS has its own limit.

    No profile has more than 18 users.
    """

    memory_mb: Count = 3000
    architecture: Architecture = "x86_64"
    provisioned_concurrency: int = Field(0, ge=0)
    concurrency: Count = 18


def price(summaries: Sequence[Summary], prices: Prices) -> Offer:
    """The costs of a function behind an HTTP API; raises NoCost."""
    settings = agreed(summaries, LambdaSettings, but=("concurrency",))
    region = region_prices(prices, settings.region)
    function, warm = region.functions[settings.architecture], settings.provisioned_concurrency
    billed = billed_ms(summaries)
    memory_mb, architecture = settings.memory_mb, settings.architecture
    request = lambda_usd_per_request(
        region,
        memory_mb=memory_mb,
        architecture=architecture,
        billed_ms=billed,
        answer_bytes=answer_bytes(summaries),
    )
    fixed = provisioned_usd_per_month(region, memory_mb=memory_mb, architecture=architecture, instances=warm)
    curve = PayPerUse(request, fixed)
    assumptions = [
        f"{memory_mb} MB, {architecture}, {settings.region}: {function.gb_second.usd:.10f} USD per "
        f"GB-second and {function.request.usd * 1e6:.2f} per million requests (prices of {function.gb_second.seen}), "
        f"{region.http_api.usd:.2f} per million calls of the HTTP API (price of {region.http_api.seen}).",
        f"{billed:.1f} ms billed per picture, cold starts included, from profile single, or else steady, if it was "
        "run.",
    ]
    if warm:
        assumptions.append(
            f"{warm} provisioned instances at {function.provisioned_gb_second.usd:.10f} USD per GB-second; requests "
            "are billed at the higher price of instances that are not provisioned."
        )
    return offer(summaries, curve, curve.usd_per_picture * 1000, assumptions)


def local_lambda(settings: LambdaSettings) -> Mapping[str, object]:
    """The options of the local Lambda with these settings."""
    return {"memory": settings.memory_mb, "concurrency": settings.concurrency}


PLATFORM = Platform(
    name="lambda", title="Lambda", position=1, settings=LambdaSettings, size="memory_mb", unit=" MB", price=price,
    local_lambda=local_lambda,
)  # fmt: skip
