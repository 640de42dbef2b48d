"""Access logs as traffic: every format of AWS, order, several files, what is left out, and what is refused."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from local.checkout import ROOT
from planner import cli
from planner.errors import TrafficError
from planner.traffic import Traffic, files, load_traffic, log_files, log_merge
from planner.types import Floats
from tests.planner.traffic.log_lines import API, NOON, alb, api, clf, iso, write


def arrivals(traffic: Traffic) -> Floats:
    return np.concatenate([np.empty(0), *traffic.chunks()])


def of(*names: Path, seed: int = 1, scale: float = 1) -> Floats:
    return arrivals(load_traffic(*map(str, names), seed=seed, scale=scale))


@pytest.mark.parametrize("name", ["a.log", "a.log.gz", "a.txt"])
def test_a_load_balancer_tells_when_each_request_came(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / name, [alb(NOON), alb(NOON + 1.5, took="2 3 1"), alb(NOON + 2.25)])
    np.testing.assert_allclose(of(file), [0, 1.5, 2.25], atol=2e-6)


def test_older_lines_of_a_load_balancer_tell_it_by_the_response(tmp_path: Path) -> None:
    lines = [
        alb(NOON + 5, took="1.000 2.500 0.500", old=True),  # came at 1
        alb(NOON + 6, took="-1 -1 -1", old=True),  # no duration is known: the moment of the response
        alb(NOON + 8, took="0.5 -1 -1", old=True),  # came at 7.5
        alb(NOON + 9),  # a new line among them
    ]
    np.testing.assert_allclose(of(write(tmp_path / "a.log", lines)), [0, 5, 6.5, 8], atol=2e-6)


@pytest.mark.parametrize("kind", API)
def test_every_format_of_api_gateway_is_read(tmp_path: Path, kind: str) -> None:
    lines = [api(kind, NOON), api(kind, NOON + 10), api(kind, NOON + 20, "/livez", "GET"), api(kind, NOON + 60)]
    traffic = load_traffic(str(write(tmp_path / "a.log", lines)))
    found = arrivals(traffic)
    np.testing.assert_allclose(found, [0, 10, 60], atol=1)
    assert "requests left out (other paths, redirects): 1" in traffic.notes


def test_the_format_of_this_projects_terraform_is_read(tmp_path: Path) -> None:
    text = (ROOT / "deployment" / "terraform" / "lambda" / "api.tf").read_text()
    keys = dict(re.findall(r'(\w+) += "\$context\.([\w.]+)"', text))
    assert len(keys) > 5
    values = {"requestTime": clf(NOON), "routeKey": "POST /predict", "status": "200"}
    line = json.dumps({name: values.get(variable, "-") for name, variable in keys.items()})
    assert of(write(tmp_path / "a.log", [line, line])).size == 2


def test_epoch_milliseconds_are_finer_than_the_time_beside_them(tmp_path: Path) -> None:
    lines = [
        json.dumps({"requestTime": clf(NOON), "requestTimeEpoch": epoch, "path": "/predict"})
        for epoch in (int(NOON * 1000) + 120, str(int(NOON * 1000) + 250))
    ]
    found = of(write(tmp_path / "a.log", lines))
    assert found[1] - found[0] == pytest.approx(0.130, abs=0.001)


def test_time_zones_count(tmp_path: Path) -> None:
    there = '192.0.2.1 - - [09/Apr/2026:14:00:30 +0200] "POST /predict HTTP/1.1" 200 58 x'
    np.testing.assert_allclose(of(write(tmp_path / "a.log", [api("rest-clf", NOON), there])), [0, 30], atol=1)


def test_requests_of_one_second_are_spread_over_it_by_the_seed(tmp_path: Path) -> None:
    file = write(tmp_path / "a.log", [api("http-clf", NOON + at // 1000) for at in range(3000)])
    found = of(file)
    assert np.histogram(found, bins=[0, 0.5, 1, 1.5, 2, 2.5, 3.1])[0].tolist() == pytest.approx([500] * 6, rel=0.15)
    assert np.unique(found).size == 3000
    assert found.tolist() == of(file).tolist()
    assert found.tolist() != of(file, seed=2).tolist()


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("/predict", True), ("/predict?x=1", True), ("/predict/x", False), ("/predictor", False), ("/", False),
        ("/metrics?next=/predict", False), ("/x/predict", False), ("-", False),
    ],
)  # fmt: skip
def test_only_requests_of_predict_count(tmp_path: Path, path: str, counts: bool) -> None:
    traffic = load_traffic(str(write(tmp_path / "a.log", [alb(NOON), alb(NOON + 1, path)])))
    assert arrivals(traffic).size == 1 + counts
    assert f"requests left out (other paths, redirects): {1 - counts}" in traffic.notes


def test_a_request_that_a_load_balancer_redirects_counts_once(tmp_path: Path) -> None:
    lines = [
        alb(NOON, status="301 -"),
        alb(NOON + 1),
        alb(NOON + 2, status="503 -"),
        alb(NOON + 3, "/predict?a= 302 - 1 1 ", status="200 200"),
    ]
    traffic = load_traffic(str(write(tmp_path / "a.log", lines)))
    np.testing.assert_allclose(arrivals(traffic), [1, 2, 3], atol=2e-6)
    assert "requests left out (other paths, redirects): 1" in traffic.notes


def test_the_length_covers_requests_of_other_paths(tmp_path: Path) -> None:
    lines = [alb(NOON, "/livez"), alb(NOON + 10), alb(NOON + 20), alb(NOON + 300, "/livez")]
    traffic = load_traffic(str(write(tmp_path / "a.log", lines)))
    assert traffic.length_s == pytest.approx(300)
    assert arrivals(traffic).tolist() == pytest.approx([10, 20])
    assert not traffic.repeats


def test_nearly_sorted_lines_are_sorted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "BLOCK", 10_000)
    monkeypatch.setattr(log_merge, "CHUNK", 100)
    random = np.random.default_rng(1)
    times = np.cumsum(random.exponential(2, 2000))
    order = np.argsort(times + random.uniform(0, 590, 2000))
    file = write(tmp_path / "a.log", [alb(NOON + times[at]) for at in order])
    chunks = list(load_traffic(str(file)).chunks())
    assert len(chunks) > 5
    np.testing.assert_allclose(np.concatenate(chunks), times - times[0], atol=2e-6)


def test_many_files_are_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "BLOCK", 10_000)
    monkeypatch.setattr(log_merge, "CHUNK", 100)
    random = np.random.default_rng(1)
    times = np.sort(random.uniform(0, 3600, 3000))
    node = random.integers(0, 3, times.size)
    for part in range(12):
        for at in range(3):
            mine = times[(times // 300 == part) & (node == at)]
            folder = tmp_path / "AWSLogs" / f"{at}"
            folder.mkdir(parents=True, exist_ok=True)
            write(folder / f"{random.integers(10**9)}.log.gz", [alb(NOON + time) for time in mine])
    (tmp_path / "ELBAccessLogTestFile").write_text("Enable AccessLog for ELB")
    (tmp_path / "empty.log").write_text("\n")
    traffic = load_traffic(str(tmp_path))
    np.testing.assert_allclose(arrivals(traffic), times - times[0], atol=2e-6)
    assert traffic.name == tmp_path.name
    assert traffic.notes[0] == "an access log of Application Load Balancer, 36 files"
    some = sorted(tmp_path.rglob("*.gz"))[:2]
    assert 0 < of(*some).size < 3000


def test_scaled_logs_keep_their_length(tmp_path: Path) -> None:
    file = write(tmp_path / "a.log", [alb(NOON + at) for at in range(1000)])
    found = of(file, scale=3)
    assert found.size == 3000
    assert 900 < found[-1] < 1001
    assert load_traffic(str(file), scale=3).length_s == pytest.approx(999)


def test_wrong_lines_are_counted_and_named(tmp_path: Path) -> None:
    lines = [alb(NOON + at) for at in range(300)]
    lines[100] = "Traceback: \xff \x00"
    lines[200] = lines[200][:50]
    lines.insert(150, "  ")  # a blank line is no line
    traffic = load_traffic(str(write(tmp_path / "a.log", lines)))
    assert arrivals(traffic).size == 298
    assert traffic.notes[2] == f"lines left out (not of the format): 2, the first is {tmp_path / 'a.log'}, line 101"


def test_bytes_that_are_not_text_are_wrong_lines(tmp_path: Path) -> None:
    good = b"".join(alb(NOON + at).encode() + b"\r\n" for at in range(200))
    (tmp_path / "a.log").write_bytes(good + b"\xff\xfe\x00\n")
    traffic = load_traffic(str(tmp_path / "a.log"))
    assert arrivals(traffic).size == 200
    assert traffic.notes[2].endswith("line 201")


def refusal(*names: Path) -> str:
    with pytest.raises(TrafficError) as caught:
        of(*names)
    assert "\n" not in str(caught.value)
    return str(caught.value)


KNOWN = (
    "known are Application Load Balancer, API Gateway (JSON with requestTimeEpoch), API Gateway (JSON), "
    "API Gateway (CLF), API Gateway (XML), API Gateway (CSV); the name of a trace ends with .csv or .txt"
)
WRONG = [
    ([], "{} has no requests: all files of it are empty"),
    (["", " "], "{} has no requests: all files of it are empty"),
    (["", "Hello"], "{}, line 2: 'Hello' is not of an access log; " + KNOWN),
    (["1.5", "2.5"], "{}, line 1: '1.5' is not of an access log; " + KNOWN),
    (["\x1b[31m\x00"], r"{}, line 1: '\x1b[31m\x00' is not of an access log; " + KNOWN),
    ([alb(NOON, "/x"), alb(NOON, "/y")], "{}: none of 2 requests is of /predict"),
    (
        [alb(NOON + at) for at in range(195)] + ["?", "?"],
        "{}: 2 of 197 lines are not of the format (Application Load Balancer), the first is {}, line 196; "
        "the most is 1%",
    ),
    ([alb(NOON).replace("04-09", "13-45")], "{}, line 1: 'https 2026-13-45T12:00:00.251000Z app/yo...' is not of"),
    ([api("rest-clf", NOON).replace("09/Apr", "31/Apr")], "{}, line 1: '192.0.2.1 - - [31/Apr/2026:12:00:00 +000...'"),
]


@pytest.mark.parametrize(("lines", "message"), WRONG, ids=range(len(WRONG)))
def test_a_log_that_cannot_be_used_is_refused(tmp_path: Path, lines: list[str], message: str) -> None:
    file = write(tmp_path / "a.log", lines)
    assert refusal(file).startswith(message.replace("{}", str(file)))


def test_a_line_that_comes_too_late_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "BLOCK", 10_000)
    monkeypatch.setattr(log_merge, "CHUNK", 10)
    lines = [alb(NOON + 60 * at) for at in range(100)]
    file = write(tmp_path / "a.log", [*lines, alb(NOON + 3600)])
    assert refusal(file) == (
        f"{file}, line 101: a request of 2026-04-09 13:00:00 comes more than 10 minutes or 5,000,000 requests after a "
        "later one: sort the lines"
    )
    monkeypatch.setattr(log_merge, "MOST_WAITING", 50)
    file = write(tmp_path / "a.log", [*(alb(NOON + at) for at in range(500)), alb(NOON)])
    assert "or 50 requests after a later one" in refusal(file)


def test_folders_and_sets_of_files_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.md").write_text("none")
    assert refusal(empty).startswith(f"{empty} has no logs: their names must end with .log, .gz")
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    one, two = write(mixed / "1.log", [alb(NOON)]), write(mixed / "2.log.gz", [api("http-json", NOON)])
    assert refusal(mixed) == (
        f"{two} is a log of API Gateway (JSON), but {one} one of Application Load Balancer: take logs of one format"
    )
    assert refusal(one, mixed / "." / "1.log") == f"{one} is given twice"
    assert refusal(one, tmp_path / "no.log") == f"{tmp_path / 'no.log'} is not a file"
    monkeypatch.setattr(log_merge, "MOST_OPEN", 1)
    three = write(tmp_path / "3.log", [alb(NOON)])
    assert "more than 1 files cover the same time: join some" in refusal(one, three)
    monkeypatch.setattr(log_merge, "MOST_LINES", 0)
    assert refusal(one) == f"{one}: the logs have more than 0 lines: take a shorter time"
    monkeypatch.setattr(log_files, "MOST_FILES", 1)
    assert "has more than 1 files" in refusal(mixed)
    assert "2 files of logs; the most is 1" in refusal(one, three)


def test_a_packed_file_is_bounded_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = tmp_path / "bomb.log.gz"
    bomb.write_bytes(gzip.compress(bytes(20_000_000)))
    assert bomb.stat().st_size < 30_000
    assert refusal(bomb) == f"{bomb}, line 1 has more than 1,000,000 bytes"
    many = write(tmp_path / "many.log.gz", [alb(NOON)] * 3000)
    monkeypatch.setattr(files, "LARGEST", 1_500_000)
    assert refusal(many) == f"{many} has more than 1,500,000 bytes when it is unpacked: split it"
    monkeypatch.undo()
    many.write_bytes(many.read_bytes()[:-20])
    assert refusal(many).startswith(f"{many} is a damaged gzip file: ")
    many.write_bytes(b"\x1f\x8b" + bytes(100))
    assert refusal(many).startswith(f"{many} is a damaged gzip file: ")


@pytest.mark.slow
def test_millions_of_blank_lines_need_neither_time_nor_memory(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_bytes(b"\n" * 20_000_000 + alb(NOON).encode())
    assert of(file).size == 1


MEASURE = """
import re, sys
from planner.traffic import load_traffic
# The maximum of getrusage would include the memory of the process that started this one.
def peak(): return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
sum(times.size for times in load_traffic(sys.argv[1]).chunks())
before = peak()
print(sum(times.size for times in load_traffic(sys.argv[2]).chunks()), peak() - before)
"""


@pytest.mark.parametrize("name", ["large.log", "large.log.gz"])
@pytest.mark.slow
def test_a_large_log_is_streamed(tmp_path: Path, name: str) -> None:
    second = [alb(NOON).replace(iso(NOON)[:-1], "TIME{at:06d}") for _ in range(1000)]
    block = "".join(f"{line.replace('{at:06d}', f'.{at:06d}')}\n" for at, line in enumerate(second))
    text = "".join(block.replace("TIME", iso(NOON + at)[:-8]) for at in range(180)).encode()
    assert len(text) > 90_000_000
    file = tmp_path / name
    file.write_bytes(gzip.compress(text, 1) if name.endswith(".gz") else text)
    small = write(tmp_path / "small.log", [alb(NOON + at) for at in range(10_000)])
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(small), str(file)], capture_output=True, text=True, cwd=ROOT, check=True
    )
    requests, grown = map(int, done.stdout.split())
    assert requests == 180_000
    assert grown < 40_000_000


def test_the_command_names_the_format_and_what_was_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [alb(NOON + at * 0.9) for at in range(100)]
    lines[7] = "?"
    first = write(tmp_path / "one.log", [*lines, alb(NOON, "/livez")])
    second = write(tmp_path / "two.log", [alb(NOON + 200)])
    assert cli.main(["traffic", str(first), str(second)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "one: 100 requests in 200.0 s, 0.5/s on average, 66 in the busiest minute",
        "  an access log of Application Load Balancer, 2 files",
        "  requests left out (other paths, redirects): 1",
        f"  lines left out (not of the format): 1, the first is {first}, line 8",
    ]
