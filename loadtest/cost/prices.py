"""The prices of AWS, read from prices.json: every figure with its unit, its source and the day it was seen.

Prices are US dollars, without free tiers, discounts and taxes. Only the first tier of each price is listed: it covers 6
billion GB-seconds and 300 million requests a month.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from loadtest.errors import PricesError, first_problem

AMAZON = "https://pricing.us-east-1.amazonaws.com"  # The public price list.
PRICES = Path(__file__).with_name("prices.json")
FROM_MEMORY = "from memory, not looked up"
MAX_AGE = timedelta(days=90)

Architecture = Literal["x86_64", "arm64"]
Unit = Literal["GB", "GB-second", "request", "million requests", "hour", "vCPU-hour", "GB-hour", "LCU-hour"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Sourced(_Frozen):
    """A figure that was looked up: `source` is the page of AWS that has it, `seen` the day when it was valid."""

    source: str = Field(pattern=r"^https://[a-z.]*amazon\.com/")
    seen: date
    known_by: str = Field(min_length=1)


class Price(_Sourced):
    """US dollars per `unit`."""

    usd: float = Field(gt=0, allow_inf_nan=False)
    unit: Unit


def _per(unit: Unit) -> AfterValidator:
    def check(price: Price) -> Price:
        if price.unit != unit:
            raise ValueError(f"unit must be {unit}, but is {price.unit}")
        return price

    return AfterValidator(check)


_Gb = Annotated[Price, _per("GB")]
_GbSecond = Annotated[Price, _per("GB-second")]
_Request = Annotated[Price, _per("request")]
_MillionRequests = Annotated[Price, _per("million requests")]
_Hour = Annotated[Price, _per("hour")]
_VcpuHour = Annotated[Price, _per("vCPU-hour")]
_GbHour = Annotated[Price, _per("GB-hour")]
_LcuHour = Annotated[Price, _per("LCU-hour")]


class SnapStartPrices(_Frozen):
    """Prices of a snapshot: its cache, all the time, and each restore, both by the memory of the function."""

    cache_gb_second: _GbSecond
    restored_gb: _Gb


class LambdaPrices(_Frozen):
    """Prices of one architecture; the start of an instance is billed like requests."""

    gb_second: _GbSecond
    request: _Request
    provisioned_gb_second: _GbSecond
    snapstart: SnapStartPrices | None = None


class FargatePrices(_Frozen):
    """Prices of one architecture, Linux."""

    vcpu_hour: _VcpuHour
    gb_hour: _GbHour


class LoadBalancerPrices(_Frozen):
    """Prices of an application load balancer; `CapacityUnit` defines its capacity units (LCU)."""

    hour: _Hour
    lcu_hour: _LcuHour


class RegionPrices(_Frozen):
    """All prices of one region; `surplus_credits` is the price of a T3 above the baseline of its processors."""

    # Both architectures are required.
    functions: dict[Architecture, LambdaPrices] = Field(alias="lambda", min_length=2)
    http_api: _MillionRequests
    ec2: dict[str, _Hour] = Field(min_length=1)
    surplus_credits: _VcpuHour
    fargate: dict[Architecture, FargatePrices] = Field(min_length=2)
    alb: LoadBalancerPrices
    # One Kubernetes cluster in standard support, without its nodes.
    eks: _Hour | None = None


class CapacityUnit(_Sourced):
    """The limits of one capacity unit of a load balancer (LCU); the dimension that needs most units is billed."""

    new_connections_per_s: int = Field(gt=0)
    active_connections_per_minute: int = Field(gt=0)
    processed_gb_per_hour: float = Field(gt=0, allow_inf_nan=False)
    rule_evaluations_per_s: int = Field(gt=0)
    free_rules: int = Field(ge=0)


class Burstable(_Sourced):
    """A T3 instance: use of its processors above `baseline` (0..1) costs extra."""

    vcpus: int = Field(gt=0)
    baseline: float = Field(gt=0, lt=1)


class Prices(_Frozen):
    """The whole file."""

    regions: dict[str, RegionPrices] = Field(min_length=1)
    lcu: CapacityUnit
    burstable: dict[str, Burstable]


def load_prices(path: Path = PRICES) -> Prices:
    """Read a file of prices; raises PricesError when it is missing, incomplete or malformed."""
    try:
        return Prices.model_validate_json(path.read_bytes())
    except OSError as exc:
        raise PricesError(f"{path} cannot be read ({exc.strerror}): restore it from the repository") from None
    except ValidationError as exc:
        problem = first_problem(exc, whole="the whole file")
        raise PricesError(f"{path}: {problem}; write it like the other entries") from None


def all_prices(prices: Prices) -> list[Price]:
    """Every price of the file, of all regions."""
    found: list[Price] = []
    for region in prices.regions.values():
        found += [region.http_api, region.surplus_credits, region.alb.hour, region.alb.lcu_hour, *region.ec2.values()]
        for function in region.functions.values():
            found += [function.gb_second, function.request, function.provisioned_gb_second]
            if function.snapstart:
                found += [function.snapstart.cache_gb_second, function.snapstart.restored_gb]
        found += [region.eks] if region.eks else []
        for task in region.fargate.values():
            found += [task.vcpu_hour, task.gb_hour]
    return found


def price_warnings(prices: Prices, today: date) -> list[str]:
    """One sentence for prices seen more than 90 days before `today`, and one for prices that were never looked up."""
    every = all_prices(prices)
    old = [price.seen for price in every if today - price.seen > MAX_AGE]
    recalled = sum(price.known_by.startswith(FROM_MEMORY) for price in every)
    warnings = []
    if old:
        warnings.append(
            f"{len(old)} of {len(every)} prices are older than {MAX_AGE.days} days, the oldest of {min(old)}: "
            "refresh them by python -m loadtest prices --refresh"
        )
    if recalled:
        warnings.append(
            f"{recalled} of {len(every)} prices are from memory and were not looked up: look for "
            f'"{FROM_MEMORY}" in loadtest/cost/{PRICES.name}.'
        )
    return warnings
