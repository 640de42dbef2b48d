"""Rewrites prices.json from AWS's public price list."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from loadtest.cost.price_list import Attributes, Offer, read_offer, regions
from loadtest.cost.prices import AMAZON, Prices, load_prices
from loadtest.errors import PricesError, first_problem
from model_store.files import write_atomically

LARGE_CHANGE = 0.5
# Usage types begin with the region's short name, except in us-east-1; those of Global are free.
_PREFIX = re.compile(r"^(?!Global-)[A-Z]{2,4}\d*-")

# By service: its page, and by usage type the place in prices.json with unit and factor.
_LAMBDA = {
    "Lambda-GB-Second": "gb_second",
    "Request": "request",
    "Lambda-Provisioned-Concurrency": "provisioned_gb_second",
}
_UNITS = {"gb_second": "GB-second", "request": "request", "provisioned_gb_second": "GB-second"}
_MILLION = Decimal(10**6)
SERVICES: dict[str, tuple[str, dict[str, tuple[tuple[str, ...], str, Decimal]]]] = {
    "AWSLambda": (
        "https://aws.amazon.com/lambda/pricing/",
        {
            usage + suffix: (("lambda", architecture, name), _UNITS[name], Decimal(1))
            for usage, name in _LAMBDA.items()
            for suffix, architecture in (("", "x86_64"), ("-ARM", "arm64"))
        },
    ),
    "AmazonApiGateway": (
        "https://aws.amazon.com/api-gateway/pricing/",
        {"ApiGatewayHttpRequest": (("http_api",), "million requests", _MILLION)},
    ),
    "AmazonECS": (
        "https://aws.amazon.com/fargate/pricing/",
        {
            f"Fargate{infix}-{usage}": (("fargate", architecture, name), unit, Decimal(1))
            for usage, name, unit in (
                ("vCPU-Hours:perCPU", "vcpu_hour", "vCPU-hour"), ("GB-Hours", "gb_hour", "GB-hour"),
            )
            for infix, architecture in (("", "x86_64"), ("-ARM", "arm64"))
        },
    ),
    "AWSELB": (
        "https://aws.amazon.com/elasticloadbalancing/pricing/",
        {
            "LoadBalancerUsage": (("alb", "hour"), "hour", Decimal(1)),
            "LCUUsage": (("alb", "lcu_hour"), "LCU-hour", Decimal(1)),
        },
    ),
    "AmazonEC2": (
        "https://aws.amazon.com/ec2/pricing/on-demand/",
        {"CPUCredits:t3": (("surplus_credits",), "vCPU-hour", Decimal(1))},
    ),
}  # fmt: skip
# What else a product must be: an instance for Linux, shared and without licences; an application load balancer.
_LINUX = {"tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used"}


def refresh(
    file: Path, only: Sequence[str] = (), source: str = AMAZON, said: Callable[[str], None] = lambda _: None
) -> list[str]:
    """Rewrite a file of prices by the list, for all its regions or for `only` these; returns what is worth a look.

    Instance types are those of the file. Prices that the list does not have (SnapStart) are kept, and so are regions
    of which it lacks a price. `said` gets a line for each file that is read. Raises PricesError; then the file is
    unchanged.
    """
    old = load_prices(file)
    content = json.loads(file.read_bytes())
    types = {kind for region in old.regions.values() for kind in region.ec2}
    indexes = {service: regions(source, service) for service in SERVICES}
    there = sorted(set.intersection(*(set(index) for index in indexes.values())))
    if unknown := sorted(set(only) - set(there)):
        raise PricesError(f"AWS's price list has no region {', '.join(unknown)}: it has {', '.join(there)}")
    notes = []
    for name in only or there:
        entry: dict[str, Any] = {}
        for service, index in indexes.items():
            said(f"{name} {service}")
            _put(entry, service, name, read_offer(index[name], _wanted(service, types)))
        if missing := _missing(entry):
            notes.append(f"{name} is left as it was: AWS's price list has no price of {', '.join(missing)} there")
            continue
        before = content["regions"].get(name, {})
        _keep_snapstart(before, entry)
        notes += _changes(name, before, entry)
        content["regions"][name] = entry
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    try:
        Prices.model_validate_json(text)
    except ValidationError as exc:
        raise PricesError(f"AWS's price list: {first_problem(exc, whole='all')}; the prices are unchanged") from None
    write_atomically(file, text.encode())
    return notes


def _wanted(service: str, types: set[str]) -> Callable[[str, Attributes], str | None]:
    usages = SERVICES[service][1]

    def name(family: str, attributes: Attributes) -> str | None:
        usage = _PREFIX.sub("", str(attributes.get("usagetype", "")))
        kind = usage.removeprefix("BoxUsage:")
        if service == "AmazonEC2" and attributes.get("operatingSystem", "Linux") != "Linux":
            return None
        if kind != usage:
            plain = attributes.get("operation") == "RunInstances" and _LINUX.items() <= attributes.items()
            return f"ec2 {kind}" if kind in types and plain else None
        if service == "AWSELB" and family != "Load Balancer-Application":
            return None
        return usage if usage in usages else None

    return name


def _put(entry: dict[str, Any], service: str, region: str, offer: Offer) -> None:
    """Add the prices of one file to a region's entry."""
    page, usages = SERVICES[service]
    for name, (usd, sku) in sorted(offer.prices.items()):
        ec2 = name.removeprefix("ec2 ")
        place, unit, factor = usages.get(name, (("ec2", ec2), "hour", Decimal(1)))
        inner = entry
        for key in place[:-1]:
            inner = inner.setdefault(key, {})
        inner[place[-1]] = {
            "usd": float(usd * factor), "unit": unit, "seen": str(offer.published), "source": page,
            "known_by": f"AWS's price list, {service} {offer.version} of {region}, SKU {sku}",
        }  # fmt: skip


def _missing(entry: dict[str, Any]) -> list[str]:
    """The places that a region must have and this entry lacks."""
    places = [place for _, usages in SERVICES.values() for place, _, _ in usages.values()]
    return [" ".join(place) for place in [*places, ("ec2",)] if _at(entry, place) is None]


def _at(entry: dict[str, Any], place: Sequence[str]) -> Any:
    found: Any = entry
    for key in place:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _keep_snapstart(before: dict[str, Any], entry: dict[str, Any]) -> None:
    for architecture, function in entry["lambda"].items():
        if kept := _at(before, ("lambda", architecture, "snapstart")):
            function["snapstart"] = kept


def _changes(region: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """One line for each price that changed by more than half, and each instance type that is gone."""
    for place, price in _prices(before):
        new = _at(after, place)
        if new is None:
            yield f"{region} {' '.join(place)}: no longer in AWS's price list"
        elif abs(new["usd"] / price["usd"] - 1) > LARGE_CHANGE:
            yield f"{region} {' '.join(place)}: {price['usd']:g} before, {new['usd']:g} now; look whether this is right"


def _prices(value: dict[str, Any], place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    for key, inner in value.items():
        if "usd" in inner:
            yield (*place, key), inner
        else:
            yield from _prices(inner, (*place, key))
