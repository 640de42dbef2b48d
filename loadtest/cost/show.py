"""The command that says how old the prices are and refreshes them."""

from __future__ import annotations

import argparse
from datetime import date

from loadtest.cost.prices import all_prices, load_prices, price_warnings
from loadtest.cost.refresh import refresh
from loadtest.errors import SettingsError


def show_prices(options: argparse.Namespace) -> int:
    """Print regions and age of the prices, on request after they are read from AWS's list; returns the exit status."""
    if options.region and not options.refresh:
        raise SettingsError("--region is for --refresh: name both")
    if options.refresh:
        for note in refresh(options.prices, options.region, options.source, said=lambda line: print(f"reading {line}")):
            print(f"note: {note}")
    prices = load_prices(options.prices)
    days = sorted(price.seen for price in all_prices(prices))
    print(f"{len(days)} prices of {len(prices.regions)} regions, seen from {days[0]} to {days[-1]}: {options.prices}")
    for warning in price_warnings(prices, date.today()):
        print(f"warning: {warning}")
    return 0
