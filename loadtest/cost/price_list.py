"""Reads AWS's public price list: JSON files of up to gigabytes, one per service and region, as they arrive.

https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/bulk-api-reading-price-list-files.html
"""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, BinaryIO

import ijson

from loadtest.errors import PricesError

TIMEOUT_S = 60  # Without a byte.
MAX_INDEX_BYTES = 1_000_000
MAX_FILE_BYTES = 8_000_000_000
MAX_TOKEN_BYTES = 1_000_000  # Between two JSON tokens.
MAX_ENTRY_TOKENS = 20_000  # In one product, or in the terms of one.
MAX_PRODUCTS = 1_000  # That are kept.
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d")

Attributes = dict[str, Any]
Wanted = Callable[[str, Attributes], str | None]


@dataclass
class Offer:
    """The wanted prices of one file, by the name that the caller gave: US dollars of the first tier, and the SKU."""

    published: date
    version: str
    prices: dict[str, tuple[Decimal, str]] = field(default_factory=dict)


def regions(source: str, service: str) -> dict[str, str]:
    """The URL of a service's file for each region; raises PricesError."""
    url = f"{source}/offers/v1.0/aws/{service}/current/region_index.json"
    with _opened(url) as stream:
        content = stream.read(MAX_INDEX_BYTES + 1)
    try:
        if len(content) > MAX_INDEX_BYTES:
            raise ValueError(f"it has more than {MAX_INDEX_BYTES} bytes")
        entries = json.loads(content)["regions"]
        found = {name: str(entry["currentVersionUrl"]) for name, entry in entries.items() if _REGION.fullmatch(name)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise _broken(url, exc) from None
    foreign = [path for path in found.values() if not path.startswith("/offers/")]
    if foreign or not found:
        raise _broken(url, ValueError(f"it names {foreign[0] if foreign else 'no region'}"))
    return {name: source + path for name, path in found.items()}


def read_offer(url: str, wanted: Wanted) -> Offer:
    """The prices that `wanted` names, given a product's family and attributes; raises PricesError.

    Memory is bounded by the wanted products. Reading ends before the prices of reserved instances.
    """
    with _opened(url) as stream:
        try:
            return _read(_Bounded(stream), wanted)
        except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation, ijson.JSONError) as exc:
            raise _broken(url, exc) from None


class _Bounded:
    """A stream that raises ValueError when a file or a token in it is too long; `token_read` starts the next token."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._all = self._token = 0

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._all += len(data)
        self._token += len(data)
        if self._all > MAX_FILE_BYTES or self._token > MAX_TOKEN_BYTES:
            raise ValueError("it is too long")
        return data

    def token_read(self) -> None:
        self._token = 0


def _read(stream: _Bounded, wanted: Wanted) -> Offer:
    head: dict[str, str] = {}
    names: dict[str, str] = {}  # By SKU.
    offer: Offer | None = None
    for path, entry in _entries(stream):
        if path == "terms.OnDemand":
            offer = offer or Offer(date.fromisoformat(head["publicationDate"][:10]), head["version"])
            sku, terms = entry
            if sku in names:
                _add(offer, names[sku], sku, terms)
        elif path == "products":
            sku, product = entry
            name = wanted(product.get("productFamily", ""), product["attributes"])
            if name is not None:
                names[sku] = name
            if len(names) > MAX_PRODUCTS:
                raise ValueError(f"more than {MAX_PRODUCTS} products are of use")
        else:
            head[path] = str(entry[1])[:100]
    if offer is None:
        raise ValueError("it has no prices on demand")
    return offer


def _entries(stream: _Bounded) -> Iterator[tuple[str, tuple[str, Any]]]:
    """The values at the top, and the entries of `products` and `terms.OnDemand`, until another kind of terms begins."""
    builder, key, size, depth, at = ijson.ObjectBuilder(), "", 0, 0, ""
    for prefix, event, value in ijson.parse(stream, buf_size=1 << 16):
        stream.token_read()
        if at:
            builder.event(event, value)
            size += 1
            depth += {"start_map": 1, "start_array": 1, "end_map": -1, "end_array": -1}.get(event, 0)
            if size > MAX_ENTRY_TOKENS:
                raise ValueError(f"{key} is too long")
            if not depth:
                yield at, (key, builder.value)
                at = ""
        elif event == "map_key":
            key = str(value)
            if prefix == "terms" and key != "OnDemand":
                return
        elif prefix in (f"products.{key}", f"terms.OnDemand.{key}"):
            at, builder, size, depth = prefix[: -len(key) - 1], ijson.ObjectBuilder(), 1, int(event == "start_map")
            if not depth:
                raise ValueError(f"{key} is not an object")
            builder.event(event, value)
        elif event == "string" and prefix == key:
            yield key, (key, value)


def _add(offer: Offer, name: str, sku: str, terms: dict[str, Any]) -> None:
    """Add the price of the first tier, which must be positive and the only one of its name."""
    firsts = [
        dimension["pricePerUnit"]["USD"]
        for term in terms.values()
        for dimension in term["priceDimensions"].values()
        if Decimal(dimension.get("beginRange", "0")) == 0
    ]
    if len(firsts) != 1:
        raise ValueError(f"{sku} has {len(firsts)} prices of the first tier")
    usd = Decimal(firsts[0])
    if not usd.is_finite() or usd <= 0:
        raise ValueError(f"the price of {sku} is {firsts[0]}")
    if name in offer.prices and offer.prices[name][0] != usd:
        raise ValueError(f"{sku} and {offer.prices[name][1]} are two prices of {name}")
    offer.prices[name] = (usd, sku)


@contextmanager
def _opened(url: str) -> Iterator[BinaryIO]:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as stream:
            yield stream
    except (OSError, http.client.HTTPException) as exc:
        reason = exc.reason if isinstance(exc, urllib.error.URLError) else exc
        raise PricesError(f"{url} cannot be read ({reason}): try again; the prices are unchanged") from None


def _broken(url: str, error: Exception) -> PricesError:
    said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    return PricesError(f"{url} is not a price list as AWS writes it ({said[:200]}); the prices are unchanged")
