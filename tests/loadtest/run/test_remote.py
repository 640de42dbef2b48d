"""The load of a profile from several JMeter servers."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.cli import main
from loadtest.errors import JMeterError, ProfileError
from loadtest.profiles import load_profile
from loadtest.results.analysis import read_run
from loadtest.run.jmeter import find_jmeter
from loadtest.run.remote import check_splits, parse_servers, shares
from loadtest.run.runner import run, write_requests
from local.processes import free_port, running
from tests.conftest import wait_for
from tests.loadtest.run.test_runner import KEY, Target, job
from tests.loadtest.run.test_runner import target as target

# On one machine, without certificates.
PLAIN = {"server.rmi.ssl.disable": "true", "java.rmi.server.hostname": "127.0.0.1"}


def split(tmp_path: Path, name: str, *changes: str, count: int = 2) -> list[dict[str, str]]:
    """The properties of each server."""
    profile = load_profile(name, changes=changes)
    write_requests(profile, tmp_path / "requests.csv")
    servers = parse_servers(",".join(f"h{number}" for number in range(count)))
    check_splits(profile, servers)
    given = shares(profile, tmp_path / "requests.csv", servers)
    return [
        {name.partition("@")[0]: str(value) for name, value in given.items() if name.endswith(f"@{server}")}
        for server in servers
    ]


def test_servers_are_read_with_their_ports() -> None:
    assert parse_servers("a, b:2000,10.0.0.1,[::1]:3") == ("a:1099", "b:2000", "10.0.0.1:1099", "[::1]:3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:b", "--remote 'a:b' is not a JMeter server: write HOST or HOST:PORT"),
        ("a:0", "is not a JMeter server"),
        (":5", "is not a JMeter server"),
        ("a,a:1099", "--remote names the server 'a:1099' twice"),
        (",", "--remote names 0 servers: give 1 to 100"),
        (",".join(f"h{n}" for n in range(101)), "--remote names 101 servers: give 1 to 100"),
    ],
)
def test_a_wrong_list_of_servers_is_one_line(text: str, message: str) -> None:
    with pytest.raises(JMeterError) as caught:
        parse_servers(text)
    assert message in str(caught.value)


def test_users_are_divided(tmp_path: Path) -> None:
    parts = split(tmp_path, "payloads", "users=7", count=3)
    assert [part["users"] for part in parts] == ["3", "2", "2"]
    assert {part["rows"] for part in parts} == {(tmp_path / "requests.csv").read_text().replace("\r\n", "\n")}


def test_every_step_is_divided(tmp_path: Path) -> None:
    parts = split(tmp_path, "steps", "steps=[3, 6]", "ramp_s=0", "hold_s=10")
    assert [(part["users"], part["starts"]) for part in parts] == [("3", "0,0,10000"), ("3", "0,10000,10000")]


def test_arrivals_are_dealt_in_turn(tmp_path: Path) -> None:
    parts = split(tmp_path, "steady", "stages=[{rate_per_s: 3, for_s: 5}]", "timeout_s=10")
    rows = [part["rows"].splitlines()[1:] for part in parts]
    dealt = [row for pair in itertools.zip_longest(*rows) for row in pair if row]
    assert dealt == (tmp_path / "requests.csv").read_text().splitlines()[1:]
    assert [len(own) for own in rows] == [8, 7] and [part["users"] for part in parts] == ["8", "7"]


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("batches", [], "sends requests simultaneously, which JMeter can do on one server only"),
        ("single", [], "has 1 users, too few for 2 servers: raise them by --set"),
        ("idle-gaps", ["at_minutes=[0]"], "has 1 requests, too few for 2 servers"),
        ("steady", ["stages=[{rate_per_s: 1000, for_s: 101}]"], "has 101000 requests: with --remote there may be 100"),
    ],
)  # fmt: skip
def test_a_load_that_cannot_be_split_is_refused(name: str, changes: list[str], message: str) -> None:
    with pytest.raises(ProfileError) as caught:
        check_splits(load_profile(name, changes=changes), ("a:1", "b:1"))
    assert message in str(caught.value)


def test_a_local_stand_in_has_no_remote_load(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["run", "steps", "--target", "local", "--platform", "ecs", "--remote", "a", "--results", str(tmp_path)]
    assert main(given) == 1
    assert capsys.readouterr().err == (
        "error: --remote needs the URL of a target: a stand-in is started for this machine only\n"
    )


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_named_before_anything_is_written(target: Target, tmp_path: Path) -> None:
    server = f"127.0.0.1:{free_port()}"
    with pytest.raises(JMeterError, match=f"no JMeter server answers at {server}: Connection refused; start jmeter-"):
        run(replace(job(target, "payloads", "users=2"), servers=(server,)), tmp_path / "results")
    assert not (tmp_path / "results").exists()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """Two JMeter servers on this machine."""
    jmeter = find_jmeter()
    with contextlib.ExitStack() as stack:
        ports = []
        for _ in range(2):
            port, folder = free_port(), tmp_path_factory.mktemp("server")
            (folder / "key.properties").write_text(f"api_key={KEY}\n")
            options = [
                "-s",
                "-q",
                str(folder / "key.properties"),
                f"-Dserver_port={port}",
                "-j",
                str(folder / "jmeter.log"),
            ]
            options += [f"{'-D' if name.startswith('java.') else '-J'}{name}={value}" for name, value in PLAIN.items()]
            command = [part for part in jmeter.command(*options) if part != "-n"]
            console = folder / "console.log"
            stack.enter_context(running(command, env=os.environ, log=console, cwd=folder))
            ready = wait_for(lambda console=console: "Created remote object" in console.read_text(), 60)
            assert ready, console.read_text()
            ports.append(f"127.0.0.1:{port}")
        yield tuple(ports)


@pytest.mark.slow
def test_two_servers_send_the_load_of_a_closed_profile_together(
    servers: tuple[str, ...], target: Target, tmp_path: Path
) -> None:
    asked = replace(job(target, "payloads", "users=3", "loops=2"), servers=servers, own=PLAIN)
    folder = run(asked, tmp_path)
    summary = read_run(folder)
    assert (summary.requests, summary.answered, summary.run.model) == (6, 6, "m:1")
    assert len(target.asked) == 6 and all(headers["x-api-key"] == KEY for *_, headers in target.asked)
    sent = Counter(
        line.split(",")[5].rpartition("-users")[0] for line in (folder / "samples.jtl").read_text().splitlines()
    )
    assert {name: sent[name] for name in servers} == {servers[0]: 4, servers[1]: 2}
    assert json.loads((folder / "run.json").read_text())["servers"] == list(servers)
    assert summary.run.machine.startswith(f"JMeter servers {', '.join(servers)}, controlled by ")
    assert (folder / "dashboard" / "index.html").is_file()
    logs = tmp_path.parent.glob("server*/jmeter.log")
    assert not [file for file in [*logs, *folder.rglob("*.*")] if file.is_file() and KEY.encode() in file.read_bytes()]


def test_a_key_is_refused_as_the_servers_would_log_it(tmp_path: Path) -> None:
    asked = replace(job("http://127.0.0.1:1", "payloads", "users=2", key=KEY), servers=("a:1",))
    with pytest.raises(
        JMeterError, match=r"API_KEY is not sent to JMeter servers, .*api_key_header=x-api-key"
    ) as caught:
        run(asked, tmp_path / "results")
    assert KEY not in str(caught.value) and not (tmp_path / "results").exists()


@pytest.mark.slow
def test_two_servers_send_every_request_of_an_open_profile_once(
    servers: tuple[str, ...], target: Target, tmp_path: Path
) -> None:
    changes = ("stages=[{rate_per_s: 5, for_s: 3}]", "timeout_s=5")
    summary = read_run(run(replace(job(target, "steady", *changes), servers=servers, own=PLAIN), tmp_path))
    assert (summary.requests, summary.answered) == (15, 15)
    wanted = [row.split(",")[0] for row in next(tmp_path.glob("*/requests.csv")).read_text().splitlines()[1:]]
    assert sorted(json.loads(body)["filename"] for _, body, _ in target.asked) == sorted(wanted)
    assert summary.corrected is not None and summary.corrected.count == 15
