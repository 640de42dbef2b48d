"""A run is a folder with its profile, its target, its time and all samples. No other run ever writes to it.

run.json            this record          samples.jtl    JMeter's samples, CSV
requests.csv        the requests         jmeter.log     JMeter's log
dashboard/          JMeter's own report  console.log    JMeter's output
"""

from __future__ import annotations

import ipaddress
import urllib.parse
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from loadtest.errors import SamplesError, TargetError, first_problem
from loadtest.platforms.registry import PLATFORMS, OnPlatform
from loadtest.profiles import Profile
from loadtest.results.summary import Where
from model_store.files import write_atomically

RECORD, SAMPLES, REQUESTS, DASHBOARD = "run.json", "samples.jtl", "requests.csv", "dashboard"
SCHEMA = 1


class Target(BaseModel):
    """The address of the service; `path` is the whole path, including a stage before /predict."""

    model_config = ConfigDict(frozen=True)

    protocol: Literal["http", "https"]
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """The URL as a user writes it."""
        usual = {"http": 80, "https": 443}[self.protocol]
        port = "" if self.port == usual else f":{self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}://{host}{port}{self.path.removesuffix('/predict')}"

    @property
    def where(self) -> Where:
        """The place: local for this machine and private networks."""
        if self.host == "localhost":
            return "local"
        try:
            return "local" if ipaddress.ip_address(self.host).is_private else "aws"
        except ValueError:
            return "aws"


def parse_target(url: str) -> Target:
    """Read a URL such as https://abc.execute-api.us-east-1.amazonaws.com; raises TargetError."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise TargetError(f"target {url[:200]!r} is not a URL: {exc}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TargetError(
            f"target {url[:200]!r} is not a URL: write http://host[:port] or https://host, with a stage if there is one"
        )
    if parts.username or parts.password:
        raise TargetError("the target's URL contains a password, which every report would show: use API_KEY instead")
    path = parts.path.rstrip("/").removesuffix("/predict") + "/predict"
    return Target(
        protocol=parts.scheme, host=parts.hostname, port=port or {"http": 80, "https": 443}[parts.scheme], path=path
    )


def key_of(environment: Mapping[str, str]) -> tuple[str, str] | None:
    """The header and the value of the key, from API_KEY_HEADER and API_KEY; None without a key."""
    value = environment.get("API_KEY")
    return (environment.get("API_KEY_HEADER", "x-api-key"), value) if value else None


class Record(OnPlatform):
    """The contents of run.json; `started`, `ended` and `stopped` are this machine's clock, milliseconds since 1970.

    `servers` are the JMeter servers that sent the load; without any it was this machine.
    """

    model_config = ConfigDict(extra="ignore")

    schema_version: int = SCHEMA
    profile: Profile
    target: Target
    image: str
    commit: str
    machine: str
    jmeter: str
    java: str
    command: str
    started: int
    ended: int | None = None
    stopped: int | None = None
    status: Literal["running", "finished", "interrupted", "failed"] = "running"
    problem: str = ""
    servers: tuple[str, ...] = ()

    @property
    def where(self) -> Where:
        """The place of the target."""
        return self.target.where

    @property
    def label(self) -> str:
        """The platform with its size, the same in every table and chart."""
        return PLATFORMS[self.platform].label(self.settings, self.where, self.machine)

    @property
    def generator(self) -> str:
        """The machine that sent the load, or the JMeter servers that did."""
        return (
            f"JMeter servers {', '.join(self.servers)}, controlled by {self.machine}" if self.servers else self.machine
        )

    def write(self, folder: Path) -> None:
        """Write it atomically into a run's folder; settings that were not given are omitted."""
        write_atomically(folder / RECORD, (self.model_dump_json(indent=1) + "\n").encode())


def new_folder(results: Path, platform: str, profile: str) -> Path:
    """Create the folder of a new run, named by the current time; raises SamplesError."""
    name = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S}-{platform}-{profile}"
    for suffix in ("", *(f"-{number}" for number in range(2, 1000))):
        folder = results / (name + suffix)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as exc:
            raise SamplesError(f"{folder} cannot be created: {exc.strerror}") from None
        return folder
    raise SamplesError(f"{results} has too many runs that began in this second")


def runs_in(path: Path) -> list[Path]:
    """The folder itself if it is that of a run, or else the folders of runs inside it, sorted; maybe none."""
    return [path] if (path / RECORD).is_file() else sorted(file.parent for file in path.glob(f"*/{RECORD}"))


def read_record(folder: Path) -> Record:
    """The record of a run's folder; raises SamplesError."""
    try:
        record = Record.model_validate_json((folder / RECORD).read_bytes())
    except FileNotFoundError:
        raise SamplesError(f"there is no {RECORD}: this is not the folder of a run") from None
    except OSError as exc:
        raise SamplesError(f"{RECORD} cannot be read: {exc.strerror}") from None
    except ValidationError as exc:
        raise SamplesError(f"{RECORD} is broken: {first_problem(exc)}") from None
    if record.schema_version > SCHEMA:
        raise SamplesError(
            f"{RECORD} has version {record.schema_version}, but this program reads up to {SCHEMA}: use a newer program"
        )
    return record
