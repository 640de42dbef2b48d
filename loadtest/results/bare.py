"""Samples that were recorded without `python -m loadtest`: what their file says about the run."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import polars as pl

from loadtest.errors import SamplesError, TargetError
from loadtest.platforms.settings import Settings
from loadtest.platforms.unknown import PLATFORM
from loadtest.profiles import Profile
from loadtest.results.jtl import NO_RESPONSE
from loadtest.runs import Record, Target, parse_target

UNKNOWN = "unknown"
PROFILE = Profile(
    name="by hand", question="Samples of a test without a record: profile, platform and costs are unknown.", loops=1
)
# The first samples in which the address of the target is looked for; those without a connection may have none.
FIRST = 1000


def bare_record(file: Path, table: pl.DataFrame) -> Record:
    """A record of the samples in a file with what they say; the other fields are "unknown". Raises SamplesError."""
    first, last = table["timeStamp"].min(), (table["timeStamp"] + table["elapsed"]).max()
    return Record(
        profile=PROFILE, target=_target(file), platform=PLATFORM.name, settings=Settings(note=file.name), image=UNKNOWN,
        commit=UNKNOWN, machine="unknown machine", jmeter=UNKNOWN, java=UNKNOWN, command=UNKNOWN, started=first,
        ended=last, status="finished",
    )  # fmt: skip


def _target(file: Path) -> Target:
    """The target of the first sample that names one; it decides whether the run is local."""
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as opened:
        for row in itertools.islice(csv.DictReader(opened), FIRST):
            url = row.get("URL")
            if url and url != "null" and not url.startswith(NO_RESPONSE):
                try:
                    return parse_target(url)
                except TargetError as exc:
                    raise SamplesError(f"{file.name}: {exc}") from None
    raise SamplesError(
        f"{file.name} has no URL in its first samples, so it may be of AWS or of this machine: record it with "
        "jmeter.save.saveservice.url=true, as JMeter does by default"
    )
