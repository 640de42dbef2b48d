"""Pictures are listed from a bucket, a folder or a list, whatever their names have in them."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from backfill.errors import SourceError
from backfill.job import parse_source
from backfill.lists import ListSource
from backfill.pictures import Picture
from backfill.sources import BucketSource, FolderSource, Source, parse_s3, short_name
from local.doors import INPUT_BUCKET
from local.s3 import LocalS3
from tests.conftest import upload

HOSTILE = ["a b.jpg", "100%.jpg", "%41.jpg", "é/ü.PNG", "a+b.webp", "\u202egpj.exe.jpg", "'\"&<>.gif", "日本.tiff"]


def names(source: Source) -> list[str]:
    return [picture.key for picture in source.pictures() if picture]


@pytest.fixture
def aws(s3: LocalS3, monkeypatch: pytest.MonkeyPatch) -> LocalS3:
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    return s3


def test_a_bucket_gives_every_key_as_it_is(aws: LocalS3) -> None:
    for key in HOSTILE:
        upload(aws, f"sources/{key}", b"1234")
    upload(aws, "sources/readme.txt", b"1")
    upload(aws, "sourcesother.jpg", b"1")
    found = list(BucketSource(INPUT_BUCKET, "sources/").pictures())
    assert {picture.key for picture in found if picture} == {f"sources/{key}" for key in HOSTILE}
    assert found.count(None) == 1
    assert {(picture.size, len(picture.tag)) for picture in found if picture} == {(4, 32)}


def test_a_bucket_is_listed_page_by_page(aws: LocalS3) -> None:
    client = aws.client()
    for number in range(1005):
        client.put_object(Bucket=INPUT_BUCKET, Key=f"many/{number:04}.jpg", Body=b"1")
    assert names(BucketSource(INPUT_BUCKET, "many/")) == [f"many/{number:04}.jpg" for number in range(1005)]


def test_a_bucket_that_is_not_there_is_one_line(aws: LocalS3) -> None:
    with pytest.raises(SourceError, match=r"bucket no-such-bucket cannot be listed: AWS refused it \(NoSuchBucket\)"):
        names(BucketSource("no-such-bucket", ""))


def test_missing_credentials_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SourceError, match="there are no AWS credentials"):
        names(BucketSource("bucket", ""))


def test_a_folder_gives_files_of_all_folders_in_it(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("1.jpg", "a/2.JPEG", "a/b/3 %é.png", "a/note.txt", ".4.jpg", "a/new\nline.gif"):
        (tmp_path / name).write_bytes(b"1234")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    source = FolderSource(tmp_path)
    assert set(names(source)) == {"1.jpg", "a/2.JPEG", "a/b/3 %é.png", "a/new\nline.gif"}
    assert all(p.size == 4 and p.file and p.file.is_file() and p.tag for p in source.pictures() if p)


def test_a_file_name_that_is_not_utf_8_is_escaped(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/\xff.jpg", "wb"):
        pass
    found = [picture for picture in FolderSource(tmp_path).pictures() if picture]
    assert [(picture.name, picture.key) for picture in found] == [(b"\xff.jpg", "\\xff.jpg")]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("keys.txt", "a b.jpg\r\n\né%41.png\nnote.txt\n", [Picture(b"a b.jpg"), Picture("é%41.png".encode())]),
        ("keys.jsonl", '{"key": "a\\nb.jpg", "etag": "\\"1\\"", "size": 5, "bucket": "b"}\n',
         [Picture(b"a\nb.jpg", "1", 5)]),
        ("keys.csv", 'b,a%20b%25+c.jpg,5\r\nb,"x%2C.jpg"\r\n', [Picture(b"a b% c.jpg"), Picture(b"x,.jpg")]),
        ("keys.csv", 'Bucket,Key,ETag,Size\nb,a%20.jpg,"1",7\n', [Picture(b"a%20.jpg", "1", 7)]),
        ("keys.csv", "key\n\"a\nb.jpg\"\n", [Picture(b"a\nb.jpg")]),
        ("keys.txt", "\ufeffa.jpg", [Picture(b"a.jpg")]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("packed", [False, True])
def test_a_list_gives_its_keys(tmp_path: Path, name: str, content: str, expected: list[Picture], packed: bool) -> None:
    path = tmp_path / (name + ".gz" * packed)
    path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    source = parse_source(str(path))
    assert [picture for picture in source.pictures() if picture] == expected
    assert source.bucket in ("", "b")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("keys.txt", b"\xff.jpg", "keys.txt: line 1 is not UTF-8"),
        ("keys.txt", b"a.jpg\n" + b"x" * 70_000, "keys.txt: line 2 has more than 65536 bytes"),
        ("keys.jsonl", b'{"key": "a.jpg"}\n{"name": 1}', "keys.jsonl: line 2 has no key"),
        ("keys.jsonl", b"[1]", "keys.jsonl: line 1 is not a JSON object"),
        ("keys.csv", b"b,a.jpg\nc,b.jpg", "keys.csv: line 2 is in bucket c, not b: make one list per bucket"),
        ("keys.csv", b"a.jpg", "keys.csv: line 1 has one column"),
        ("keys.csv", b'b,"a.jpg', "keys.csv: line 1 is not CSV"),
        ("keys.parquet", b"", "keys.parquet is not a list of keys"),
        ("keys.txt.gz", b"a.jpg", "cannot be read"),
    ],
)
def test_a_wrong_list_is_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message):
        names(ListSource(tmp_path / name))


@pytest.mark.parametrize("url", ["s3:///a", "s3://", "http://a/b", "s3://a b/c", "s3://u@b/c"])
def test_a_wrong_url_of_a_bucket_is_one_line(url: str) -> None:
    with pytest.raises(SourceError, match="is not the URL of a bucket: write s3://bucket/prefix"):
        parse_s3(url)


def test_the_name_of_a_job_is_legible_and_unique() -> None:
    one, other = short_name("s3://my-pictures/2024/", "a"), short_name("s3://my-pictures/2024/", "b")
    assert one.startswith("my-pictures-2024-")
    assert one != other
