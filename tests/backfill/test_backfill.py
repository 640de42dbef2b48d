"""`python -m backfill` against a target of the tests and both real doors: killed, interrupted and started again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from backfill.cli import main
from local.checkout import ROOT
from local.doors import INPUT_BUCKET, OUTPUT_BUCKET, LocalService
from local.s3 import LocalS3
from scenes.render import Scene
from tests.backfill.target import GOOD, Target, failure
from tests.conftest import results, to_jpeg, upload, wait_for

pytestmark = pytest.mark.slow

Captured = pytest.CaptureFixture[str]
KEY = "a-key-that-must-not-be-seen"


@contextmanager
def started(*arguments: str, **env: str) -> Iterator[subprocess.Popen[str]]:
    """A backfill in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "backfill", *arguments], cwd=ROOT, env=os.environ | env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def keys_file(tmp_path: Path, count: int) -> tuple[str, list[str]]:
    keys = [f"2024/{number:04}.jpg" for number in range(count)]
    (tmp_path / "keys.txt").write_text("\n".join(keys))
    return str(tmp_path / "keys.txt"), keys


def test_a_killed_run_goes_on_and_repeats_only_what_was_in_flight(target: Target, tmp_path: Path) -> None:
    source, keys = keys_file(tmp_path, 300)
    target.delay_s = 0.02
    command = [source, "--url", target.url, "--results", str(tmp_path / "r")]
    for at_least in (50, 150):
        with started(*command) as process:
            assert wait_for(lambda n=at_least: len(target.asked) >= n, 60)
            process.send_signal(signal.SIGKILL)
            assert process.wait(10) == -signal.SIGKILL
    with started(*command) as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    repeated = Counter(target.keys)
    assert set(repeated) == set(keys)
    assert repeated.total() - len(keys) <= 2 * 4  # Two kills, four in flight each.
    assert max(repeated.values()) <= 3
    assert sorted(line["key"] for line in lines(tmp_path / "r")) == keys
    assert pl.read_parquet(tmp_path / "r" / "detections.parquet").height == 300
    assert re.search(r"all runs of this job\n  answered +300\n", output)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_finishes_what_is_in_flight(target: Target, tmp_path: Path, number: int) -> None:
    source, keys = keys_file(tmp_path, 300)
    target.delay_s = 0.2
    command = [source, "--url", target.url, "--results", str(tmp_path / "r")]
    with started(*command) as process:
        assert wait_for(lambda: len(target.asked) >= 9, 60)
        process.send_signal(number)
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted: the same command goes on from here" in errors
    asked = len(target.asked)
    assert len(lines(tmp_path / "r")) == asked < 300
    assert re.search(rf"  answered +{asked}\n", output)
    target.delay_s = 0
    assert main(command) == 0
    assert Counter(target.keys) == Counter(keys)


def test_a_storm_of_503_costs_no_picture(target: Target, tmp_path: Path) -> None:
    source, keys = keys_file(tmp_path, 60)
    refused: Counter[bytes] = Counter()

    def reply(_path: str, _headers: dict[str, str], body: bytes) -> Any:
        refused[body] += 1
        return failure(503, "overloaded") if refused[body] <= body[-4] % 3 else GOOD

    target.reply = reply
    assert main([source, "--url", target.url, "--results", str(tmp_path / "r"), "--concurrency", "30"]) == 0
    assert sorted(line["key"] for line in lines(tmp_path / "r")) == keys
    assert target.most_at_once <= 30


def test_failures_are_named_and_only_temporary_ones_are_sent_again(
    target: Target, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "keys.txt").write_text("good.jpg\nmissing.jpg\n\x1b[31mred.jpg\n")
    replies = {"missing.jpg": failure(404, "image_not_found")}
    target.reply = lambda _path, _headers, body: replies.get(json.loads(body)["filename"], GOOD)
    command = [str(tmp_path / "keys.txt"), "--url", target.url, "--results", str(tmp_path / "r")]
    assert main(command) == 1
    first = capsys.readouterr()
    assert "error: 2 pictures failed; results.jsonl names them" in first.err
    assert "\x1b" not in first.out + first.err
    assert {line["key"]: line.get("error", {}).get("code") for line in lines(tmp_path / "r")} == {
        "good.jpg": None, "missing.jpg": "image_not_found", "\x1b[31mred.jpg": "invalid_request",
    }  # fmt: skip
    assert main(command) == 1
    assert sorted(target.keys) == ["good.jpg", "missing.jpg"]
    replies.clear()
    assert main([*command, "--again"]) == 1
    assert sorted(target.keys) == ["good.jpg", "good.jpg", "missing.jpg", "missing.jpg"]


def test_the_key_is_sent_and_appears_nowhere(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("API_KEY", KEY)
    source, _ = keys_file(tmp_path, 2)
    assert main([source, "--url", target.url, "--results", str(tmp_path / "r")]) == 0
    assert {headers["x-api-key"] for _, headers, _ in target.asked} == {KEY}
    target.reply = lambda *_: failure(403, "forbidden")
    assert main([source, "--url", target.url, "--results", str(tmp_path / "r"), "--again"]) == 1
    seen = capsys.readouterr()
    assert KEY not in seen.out + seen.err
    assert all(KEY.encode() not in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_a_key_that_no_header_can_have_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("API_KEY", f"{KEY}\nX: 1")
    source, _ = keys_file(tmp_path, 2)
    assert main([source, "--url", "http://127.0.0.1:1", "--results", str(tmp_path / "r")]) == 1
    assert KEY not in capsys.readouterr().err


def test_a_folder_is_uploaded(target: Target, tmp_path: Path) -> None:
    (tmp_path / "in" / "b").mkdir(parents=True)
    for name in ("é 1.jpg", "b/new\nline.png"):
        (tmp_path / "in" / name).write_bytes(name.encode())
    command = [str(tmp_path / "in"), "--url", target.url, "--results", str(tmp_path / "r")]
    assert main(command) == 0
    assert {body for _, _, body in target.asked} == {"é 1.jpg".encode(), b"b/new\nline.png"}
    assert {line["key"] for line in lines(tmp_path / "r")} == {"é 1.jpg", "b/new\nline.png"}
    assert main(command) == 0
    assert len(target.asked) == 2
    (tmp_path / "in" / "é 1.jpg").write_bytes(b"changed")
    assert main(command) == 0
    assert target.asked[-1][2] == b"changed"
    assert len(lines(tmp_path / "r")) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--url", "http://127.0.0.1:1"], "nowhere is neither a folder nor a file"),
        ([".", "--url", "localhost:3000"], "is not a URL"),
        ([".", "--url", "http://me:secret@127.0.0.1:1"], "use API_KEY instead"),
        ([".", "--url", "http://127.0.0.1:1", "--confidence", "2"], "confidence: Input should be less than or equal"),
        ([".", "--url", "http://127.0.0.1:1", "--setting", "memory_mb=1"], "--setting needs --platform"),
        ([".", "--url", "http://127.0.0.1:1", "--platform", "lambda", "--setting", "x=1"], "lambda has no setting x"),
        ([".", "--url", "http://127.0.0.1:1", "--platform", "ecs", "--setting", "instance_type=x9"], "x9 has no price"),
        ([".", "--url", "http://127.0.0.1:1", "--platform", "ecs", "--prices", "none.json"], "none.json"),
        (["s3://b", "--url", "http://127.0.0.1:1", "--output", "s3://c"], "--output and --model NAME:VERSION go"),
    ],
)
def test_an_impossible_command_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    errors = capsys.readouterr().err
    assert message in errors
    assert "secret" not in errors
    assert errors.count("\n") == 1


def test_a_prefix_is_answered_by_each_door_and_existing_results_are_left_out(
    door: LocalService, door_name: str, s3: LocalS3, scene: Scene, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: Captured,
) -> None:  # fmt: skip
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    prefix, data = f"backfill-{door_name}", to_jpeg(scene.image)
    names = ["a b.jpg", "é/100%.jpg", "%41+c.jpeg", "日本.jpg", "plain.jpg"]
    for name in names:
        upload(s3, f"{prefix}/{name}", data)
    upload(s3, f"{prefix}/broken.png", b"no picture")
    command = [f"s3://{INPUT_BUCKET}/{prefix}/", "--url", door.url, "--results", str(tmp_path / "first")]
    priced = ["--platform", "lambda", "--setting", "memory_mb=3000"]
    assert main([*command, *priced]) == 1
    output = capsys.readouterr().out
    found = {line["key"]: line for line in lines(tmp_path / "first")}
    assert found.pop(f"{prefix}/broken.png")["error"]["code"] == "not_an_image"
    assert set(found) == {f"{prefix}/{name}" for name in names}
    written = {key for key in results(s3) if key.startswith(prefix)}
    assert written == {line["filename"] for line in found.values()}
    assert all(line["bucket"] == OUTPUT_BUCKET and line["detections"] for line in found.values())
    assert "USD, an estimate by list prices of 20" in output
    # Another journal knows nothing; the results are found in the bucket by the first answer.
    upload(s3, f"{prefix}/new.jpg", data)
    assert main([*command[:-1], str(tmp_path / "second")]) == 1
    output = capsys.readouterr().out
    assert re.search(r"left out: have a result +4\n", output)  # All but the first, whose answer tells.
    assert {key for key in results(s3) if key.startswith(prefix)} > written


def test_a_folder_is_answered_by_each_door(door: LocalService, scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3):
        (tmp_path / "in" / f"{number}.jpg").write_bytes(to_jpeg(scene.image, 80 + number))
    assert main([str(tmp_path / "in"), "--url", door.url, "--results", str(tmp_path / "r")]) == 0
    assert [bool(line["detections"]) for line in lines(tmp_path / "r")] == [True] * 3
