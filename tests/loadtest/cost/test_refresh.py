"""Prices are read from a list in the form of AWS's, served by HTTP; a broken list changes nothing."""

from __future__ import annotations

import functools
import http.server
import json
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ijson", reason="ijson is not installed")

from loadtest.cli import main
from loadtest.cost import price_list
from loadtest.cost.prices import load_prices
from loadtest.cost.refresh import refresh
from loadtest.errors import PricesError
from tests.loadtest.cost.costing import CONTENT
from tests.loadtest.cost.price_lists import SHORT, offer, path_of, products, write_lists


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """A folder of price lists."""
    write_lists(tmp_path / "lists")
    return tmp_path / "lists"


@pytest.fixture
def source(lists: Path) -> Iterator[str]:
    """The URL of a server of the price lists."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(lists))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of prices of us-east-1."""
    written = tmp_path / "prices.json"
    written.write_text(json.dumps(CONTENT))
    return written


def test_all_regions_of_the_list_are_written_with_source_and_date(source: str, file: Path) -> None:
    refresh(file, source=source)
    prices = load_prices(file)
    assert set(prices.regions) == set(SHORT)
    for region in prices.regions.values():
        assert region.functions["x86_64"].gb_second.usd == 0.0000166667
        assert region.functions["x86_64"].provisioned_gb_second.usd == 0.0000041667
        assert region.functions["arm64"].gb_second.usd == 0.0000133334
        assert region.functions["arm64"].request.usd == 0.0000002
        assert region.http_api.usd == 1.0
        assert {name: price.usd for name, price in region.ec2.items()} == {"t3a.xlarge": 0.1504, "c6a.xlarge": 0.153}
        assert region.surplus_credits.usd == 0.05
        assert (region.fargate["x86_64"].vcpu_hour.usd, region.fargate["arm64"].gb_hour.usd) == (0.04048, 0.00356)
        assert (region.alb.hour.usd, region.alb.lcu_hour.usd) == (0.0225, 0.008)
    instance = prices.regions["eu-west-1"].ec2["t3a.xlarge"]
    assert str(instance.seen) == "2026-11-20"
    assert instance.known_by == "AWS's price list, AmazonEC2 20261120101500 of eu-west-1, SKU AMAZON0000000000"
    assert (prices.lcu, prices.burstable) == (load_prices(file).lcu, load_prices(file).burstable)


def test_a_change_by_more_than_half_is_named(source: str, file: Path) -> None:
    # us-east-1 had t3a.xlarge at 0.1 and c6a.xlarge at 0.2.
    assert [note for note in refresh(file, ["us-east-1"], source) if "ec2" in note] == [
        "us-east-1 ec2 t3a.xlarge: 0.1 before, 0.1504 now; look whether this is right"
    ]
    assert set(load_prices(file).regions) == {"us-east-1"}
    assert refresh(file, ["us-east-1"], source) == []


def test_snapstart_which_the_list_lacks_is_kept(source: str, file: Path) -> None:
    content = json.loads(file.read_text())
    known = content["regions"]["us-east-1"]["http_api"]
    kept = {"cache_gb_second": known | {"unit": "GB-second"}, "restored_gb": known | {"unit": "GB"}}
    content["regions"]["us-east-1"]["lambda"]["x86_64"]["snapstart"] = kept
    file.write_text(json.dumps(content))
    refresh(file, source=source)
    assert json.loads(file.read_text())["regions"]["us-east-1"]["lambda"]["x86_64"]["snapstart"] == kept


def test_a_region_without_a_price_is_left_as_it_was_and_named(source: str, file: Path, lists: Path) -> None:
    few = [product for product in products("EU-")["AWSLambda"] if "ARM" not in product[1]["usagetype"]]
    path_of(lists, "AWSLambda", "eu-west-1").write_text(json.dumps(offer("AWSLambda", "eu-west-1", few)))
    [note] = [note for note in refresh(file, source=source) if "eu-west-1" in note]
    assert note == (
        "eu-west-1 is left as it was: AWS's price list has no price of lambda arm64 gb_second, lambda arm64 request, "
        "lambda arm64 provisioned_gb_second there"
    )
    assert set(load_prices(file).regions) == {"us-east-1", "eu-central-1"}


def _price(value: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        [term] = content["terms"]["OnDemand"]["AMAZON0000000000"].values()
        [dimension] = term["priceDimensions"].values()
        dimension["pricePerUnit"]["USD"] = value

    return change


def _without(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda content: content.pop(key)


def _twice(content: dict[str, Any]) -> None:
    content["products"]["AMAZON0000000005"]["attributes"]["usagetype"] = "EUC1-BoxUsage:t3a.xlarge"


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "a price of zero": (_price("0.0000000000"), "the price of AMAZON0000000000 is 0.0000000000"),
    "a negative price": (_price("-1"), "the price of AMAZON0000000000 is -1"),
    "no number": (_price("free"), "is not a price list as AWS writes it"),
    "not a number": (_price("NaN"), "the price of AMAZON0000000000 is NaN"),
    "yuan": (lambda content: _price("1")(content) or content["terms"]["OnDemand"].update(
        AMAZON0000000000={"T": {"priceDimensions": {"D": {"beginRange": "0", "pricePerUnit": {"CNY": "1"}}}}}),
        "'USD' is missing"),
    "two prices": (_twice, "are two prices of ec2 t3a.xlarge"),
    "no terms": (_without("terms"), "it has no prices on demand"),
    "no date": (_without("publicationDate"), "'publicationDate' is missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_list_changes_nothing(name: str, source: str, file: Path, lists: Path) -> None:
    change, said = BROKEN[name]
    path, before = path_of(lists, "AmazonEC2", "eu-central-1"), file.read_bytes()
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(PricesError) as error:
        refresh(file, source=source)
    assert said in str(error.value) and "the prices are unchanged" in str(error.value)
    assert "\n" not in str(error.value)
    assert file.read_bytes() == before


FOREIGN = '{"regions": {"eu-west-1": {"currentVersionUrl": "@evil.example/"}}}'


@pytest.mark.parametrize("text", ["", "{", "[]", '{"regions": {}}', FOREIGN])
def test_a_broken_index_changes_nothing(text: str, source: str, file: Path, lists: Path) -> None:
    before = file.read_bytes()
    (lists / "offers/v1.0/aws/AWSELB/current/region_index.json").write_text(text)
    with pytest.raises(PricesError, match="the prices are unchanged"):
        refresh(file, source=source)
    assert file.read_bytes() == before


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.62])
def test_a_list_that_breaks_off_changes_nothing(keep: float, source: str, file: Path, lists: Path) -> None:
    path, before = path_of(lists, "AWSLambda", "us-east-1"), file.read_bytes()
    text = path.read_text()
    path.write_text(text[: int(len(text) * keep)])
    with pytest.raises(PricesError, match="the prices are unchanged"):
        refresh(file, source=source)
    assert file.read_bytes() == before


def test_an_unknown_region_and_a_missing_server_are_named(source: str, file: Path) -> None:
    with pytest.raises(PricesError, match="no region mars-north-1: it has eu-central-1, eu-west-1, us-east-1"):
        refresh(file, ["mars-north-1"], source)
    with pytest.raises(PricesError, match=r"^http://127.0.0.1:9/.* cannot be read .*: try again"):
        refresh(file, source="http://127.0.0.1:9")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(source: str, file: Path, lists: Path) -> None:
    path = path_of(lists, "AmazonEC2", "us-east-1")
    content = json.loads(path.read_text())
    for number in range(30_000):
        content["products"][f"X{number}"] = content["products"]["AMAZON0000000005"]
    path.write_text(json.dumps(content))
    assert path.stat().st_size > 10_000_000
    del content
    tracemalloc.start()
    refresh(file, ["us-east-1"], source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000, peak


def test_a_token_without_an_end_is_refused(source: str, file: Path, lists: Path) -> None:
    path = path_of(lists, "AmazonEC2", "us-east-1")
    path.write_text('{"disclaimer": "' + "a" * (price_list.MAX_TOKEN_BYTES + 200_000))
    with pytest.raises(PricesError, match="it is too long"):
        refresh(file, source=source)


def test_the_command_says_what_it_read_and_how_old_the_prices_are(
    source: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prices", "--prices", str(file), "--refresh", "--region", "us-east-1", "--source", source]) == 0
    out = capsys.readouterr().out
    assert "reading us-east-1 AmazonEC2\n" in out
    assert "note: us-east-1 ec2 t3a.xlarge: 0.1 before, 0.1504 now" in out
    assert f"16 prices of 1 regions, seen from 2026-11-20 to 2026-11-20: {file}\n" in out
    assert main(["prices", "--prices", str(file), "--region", "us-east-1"]) == 1
    assert "--region is for --refresh" in capsys.readouterr().err
