"""Samples of a bucket's pictures, from a real S3 server."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from local.doors import INPUT_BUCKET
from local.processes import free_port
from local.s3 import LocalS3
from model_store import sample as module
from model_store import store
from model_store.cli import main
from model_store.sample import SEED, _Object, reservoir, sample
from tests.conftest import smooth_picture, to_jpeg, upload


@pytest.fixture
def bucket(s3: LocalS3, monkeypatch: pytest.MonkeyPatch) -> str:
    """The input bucket, which boto3 reaches by the environment."""
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    return INPUT_BUCKET


def test_a_sample_has_pictures_only_and_is_the_same_again(
    bucket: str, s3: LocalS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"mixed/{number}.JPG": to_jpeg(smooth_picture(40, 30, number)) for number in range(20)}
    for key, data in {**files, "mixed/notes.txt": b"text", "mixed/empty.jpg": b"", "mix/other.jpg": b"x"}.items():
        upload(s3, key, data)
    monkeypatch.setattr(module, "MOST", 9)
    samples = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        assert str(sample(f"s3://{bucket}/mixed/", tmp_path / name)) == (
            f"s3://{bucket}/mixed/: 9 of 20 pictures, chosen at random (seed {SEED})"
        )
        samples.append({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()})
    assert samples[0] == samples[1]
    assert len(set(samples[0].values()) & set(files.values())) == 9


def test_a_sample_keeps_to_its_bytes(bucket: str, s3: LocalS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = to_jpeg(smooth_picture(40, 30))
    for number in range(12):
        upload(s3, f"bounded/{number}.jpg", data)
    upload(s3, "bounded/large.jpg", data + bytes(1000))
    monkeypatch.setattr(module, "MOST_BYTES_EACH", len(data))
    monkeypatch.setattr(module, "MOST_BYTES", 10 * len(data) + 1)
    assert sample(f"s3://{bucket}/bounded/", tmp_path)[1:] == (12, 10, 0)
    assert len(list(tmp_path.iterdir())) == 10


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("s3://no-such-bucket/x", "s3://no-such-bucket/x could not be listed (An error occurred (NoSuchBucket)"),
        ("s3://{bucket}/nothing", "s3://{bucket}/nothing holds 0 pictures; calibration needs at least 8, better 300"),
        ("s3://{bucket}/broken", "s3://{bucket}/broken, without 8 that cannot be decoded, holds 0 pictures; calibr"),
    ],
)
def test_a_bucket_that_cannot_be_used_is_one_line_and_nothing_is_stored(
    source: str, message: str, bucket: str, s3: LocalS3, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(8):
        upload(s3, f"broken/{number}.png", b"no picture")
    before = list(store.cards())
    assert main(["add", "bundled", "--calibrate", source.format(bucket=bucket)]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: " + message.format(bucket=bucket))
    assert printed.count("\n") == 1
    assert list(store.cards()) == before


def test_no_server_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in LocalS3(f"http://127.0.0.1:{free_port()}").env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert main(["add", "bundled", "--calibrate", "s3://bucket"]) == 1
    assert capsys.readouterr().err.startswith("error: s3://bucket could not be listed (Could not connect to the endp")


def test_a_reservoir_holds_all_of_a_few() -> None:
    few = [_Object(str(number), 1) for number in range(5)]
    chosen, count = reservoir(iter(few), 5, SEED)
    assert (sorted(chosen), count) == (few, 5)
    assert reservoir(iter([]), 5, SEED) == ([], 0)


def test_a_reservoir_chooses_all_objects_equally_often() -> None:
    objects = [_Object(str(number), 1) for number in range(10)]
    often = Counter(entry for seed in range(2000) for entry in reservoir(iter(objects), 3, seed)[0])
    assert len(often) == 10
    assert all(500 < count < 700 for count in often.values())  # 600 expected, standard deviation 20
