"""The file of prices: sources, dates, malformed files, and warnings about old prices."""

from __future__ import annotations

import copy
import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from loadtest.cost.prices import FROM_MEMORY, PRICES, Prices, all_prices, load_prices, price_warnings
from loadtest.errors import PricesError
from tests.loadtest.cost.costing import CONTENT, ROUND, TODAY, price


def entries(value: Any, name: str = "") -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(value, dict):
        return []
    if "usd" in value or "source" in value:
        return [(name, value)]
    return [entry for key, inner in value.items() for entry in entries(inner, f"{name}.{key}".strip("."))]


@pytest.mark.parametrize(("name", "entry"), entries(json.loads(PRICES.read_bytes())))
def test_every_price_has_its_source_its_date_and_how_it_is_known(name: str, entry: dict[str, Any]) -> None:
    assert re.match(r"https://(docs\.aws\.|aws\.)amazon\.com/", entry["source"]), name
    assert date(2020, 1, 1) < date.fromisoformat(entry["seen"]) <= TODAY, name
    assert entry["known_by"].strip(), name
    assert ("unit" in entry) == ("usd" in entry), name


def test_both_regions_have_the_same_instances_and_all_prices_are_found() -> None:
    prices = load_prices()
    assert set(prices.regions) >= {"us-east-1", "eu-central-1"}
    kinds = {tuple(region.ec2) for region in prices.regions.values()}
    assert len(kinds) == 1 and set(prices.burstable) <= set(kinds.pop())
    assert len(all_prices(prices)) == sum("usd" in entry for _, entry in entries(json.loads(PRICES.read_bytes())))


def broken(path: list[str], value: Any) -> str:
    content = copy.deepcopy(CONTENT)
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return json.dumps(content)


US = ["regions", "us-east-1"]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("", "the whole file"),
        ("{", "the whole file"),
        (broken(["lcu"], None), "lcu: Field required"),
        (broken(["regions"], {}), "regions: "),
        (broken([*US, "alb"], None), "regions.us-east-1.alb: Field required"),
        (broken([*US, "lambda", "arm64"], None), "regions.us-east-1.lambda: "),
        (broken([*US, "alb", "hour", "source"], None), "regions.us-east-1.alb.hour.source: Field required"),
        (broken([*US, "alb", "hour", "seen"], "last year"), "regions.us-east-1.alb.hour.seen: "),
        (broken([*US, "alb", "hour", "known_by"], ""), "regions.us-east-1.alb.hour.known_by: "),
        (broken([*US, "alb", "hour", "usd"], "0.02"), "regions.us-east-1.alb.hour.usd: "),
        (broken([*US, "alb", "hour", "usd"], -1), "regions.us-east-1.alb.hour.usd: "),
        (broken([*US, "alb", "hour", "unit"], "LCU-hour"), "regions.us-east-1.alb.hour: unit must"),
        (broken([*US, "alb", "day"], price(1, "hour")), "regions.us-east-1.alb.day: Extra inputs"),
        (broken(["burstable", "t3a.xlarge", "baseline"], 40), "burstable.t3a.xlarge.baseline: "),
    ],
)  # fmt: skip
def test_the_error_of_a_malformed_file_names_file_and_field(tmp_path: Path, text: str, start: str) -> None:
    file = tmp_path / "prices.json"
    file.write_text(text)
    with pytest.raises(PricesError) as error:
        load_prices(file)
    message = str(error.value)
    assert message.startswith(f"{file}: {start}") and "\n" not in message
    assert message.endswith("write it like the other entries")


def test_the_error_of_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PricesError, match=r"prices\.json cannot be read .*: restore it from the repository$"):
        load_prices(tmp_path / "prices.json")


def test_prices_older_than_90_days_are_counted_in_one_sentence() -> None:
    content = json.loads(broken([*US, "alb", "hour", "seen"], "2024-02-29"))
    content["regions"]["us-east-1"]["http_api"]["seen"] = str(TODAY - timedelta(days=91))
    old = Prices.model_validate_json(json.dumps(content))
    assert price_warnings(old, TODAY) == [
        "2 of 16 prices are older than 90 days, the oldest of 2024-02-29: refresh them by "
        "python -m loadtest prices --refresh"
    ]
    assert price_warnings(ROUND, TODAY) == []
    assert price_warnings(ROUND, date(2026, 11, 1) + timedelta(days=90)) == []
    assert len(price_warnings(ROUND, date(2026, 11, 1) + timedelta(days=91))) == 1


def test_prices_from_memory_are_counted_in_one_sentence() -> None:
    recalled = Prices.model_validate_json(broken([*US, "alb", "hour", "known_by"], FROM_MEMORY))
    assert price_warnings(recalled, TODAY) == [
        f'1 of 16 prices are from memory and were not looked up: look for "{FROM_MEMORY}" in loadtest/cost/prices.json.'
    ]
