"""The load of one profile from several JMeter servers: JMeter's distributed mode, with the load split over them."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

from loadtest.errors import JMeterError, ProfileError
from loadtest.profiles import Profile

PORT = 1099  # Of jmeter-server, if none is given.
MOST_SERVERS = 100
# The requests travel to the servers as properties, so their number needs a bound.
MOST_REQUESTS = 100_000
CONNECT_TIMEOUT_S = 10.0
# Threads of an open profile that each server has more than its share.
SPARE_THREADS = 10
# Samples come back at the latest with the first one after a second, without the bodies of the answers.
RETURN = {"mode": "StrippedBatch", "time_threshold": "1000"}


def parse_servers(text: str) -> tuple[str, ...]:
    """The servers of a list such as host1:1099,host2, each as host:port; raises JMeterError."""
    servers = []
    for part in filter(None, map(str.strip, text.split(","))):
        host, sign, port = part.rpartition(":") if ":" in part else (part, ":", str(PORT))
        if not host or not sign or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
            raise JMeterError(f"--remote {part[:100]!r} is not a JMeter server: write HOST or HOST:PORT")
        servers.append(f"{host}:{port}")
    if twice := next((server for server in servers if servers.count(server) > 1), None):
        raise JMeterError(f"--remote names the server {twice[:100]!r} twice")
    if not 0 < len(servers) <= MOST_SERVERS:
        raise JMeterError(f"--remote names {len(servers)} servers: give 1 to {MOST_SERVERS}, separated by commas")
    return tuple(servers)


def check_servers(servers: Sequence[str]) -> None:
    """Raise JMeterError if a server does not accept connections."""
    for server in servers:
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_TIMEOUT_S).close()
        except OSError as exc:
            reason = exc.strerror or str(exc) or f"no answer within {CONNECT_TIMEOUT_S:.0f} s"
            raise JMeterError(f"no JMeter server answers at {server}: {reason}; start jmeter-server there") from None


def check_no_key(key: tuple[str, str] | None) -> None:
    """Raise JMeterError if there is a key: JMeter writes all properties that it sends to a server into both logs."""
    if key:
        raise JMeterError(
            "API_KEY is not sent to JMeter servers, as their logs would show it: start each of them with -q and a file "
            f"with the lines api_key_header={key[0]} and api_key=, and unset API_KEY here"
        )


def check_splits(profile: Profile, servers: Sequence[str]) -> None:
    """Raise ProfileError if a profile's load cannot be split over the servers."""
    count, requests = len(servers), len(profile.arrivals_ms())
    if profile.together:
        raise ProfileError(
            f"profile {profile.name} sends requests simultaneously, which JMeter can do on one server only: "
            "run it without --remote"
        )
    if profile.open and requests < count:
        raise ProfileError(f"profile {profile.name} has {requests} requests, too few for {count} servers")
    if requests > MOST_REQUESTS:
        raise ProfileError(
            f"profile {profile.name} has {requests} requests: with --remote there may be {MOST_REQUESTS}; shorten it"
        )
    if not profile.open and profile.threads < count:
        raise ProfileError(
            f"profile {profile.name} has {profile.threads} users, too few for {count} servers: raise them by --set, "
            "or name fewer servers"
        )


def shares(profile: Profile, requests: Path, servers: Sequence[str]) -> dict[str, str | int]:
    """The properties of each server, named property@server: its users, their starts and its rows of the requests.

    Users, and the requests of an open profile, are dealt to the servers in turn, so all of them together send the load
    of the profile. In a closed profile every server repeats all pictures.
    """
    header, *rows = requests.read_text().splitlines()
    given: dict[str, str | int] = {}
    for number, server in enumerate(servers):
        own, users = rows, len(range(number, profile.threads, len(servers)))
        if profile.open:
            own = rows[number :: len(servers)]
            users = min(len(own), profile.threads // len(servers) + SPARE_THREADS)
        given[f"users@{server}"] = users
        given[f"rows@{server}"] = "\n".join([header, *own, ""])
        if profile.steps:
            given[f"starts@{server}"] = ",".join(map(str, profile.starts_ms()[number :: len(servers)]))
    return given
