from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from local.processes import free_port
from model_store.download import Release, catalogue, fetch
from model_store.errors import DownloadError
from model_store.network.variants import VARIANTS

DATA = bytes(range(256)) * 10_000
SHA256 = hashlib.sha256(DATA).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves DATA; `cut` is after how many bytes it breaks off, `resumes` whether it knows ranges."""

    cut: int | None = None
    resumes = True
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.server.resumes else 0
        self.send_response(self.server.status if self.server.status != 200 else 206 if start else 200)
        self.send_header("Content-Length", str(len(DATA) - start))
        self.end_headers()
        self.wfile.write(DATA[start : self.server.cut])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def release(server: Server, sha256: str | None = None) -> Release:
    return Release(url=f"http://127.0.0.1:{server.server_port}/x.pt", input_size=640, licence="GPL-3.0", sha256=sha256)


def silent(_done: int, _total: int | None) -> None:
    """Show nothing."""


def test_the_catalogue_has_every_variant() -> None:
    assert set(catalogue()) == set(VARIANTS)
    assert {r.licence for r in catalogue().values()} == {"GPL-3.0"}


def test_a_download_is_whole_and_reported(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    file = fetch("x", release(server, SHA256), tmp_path, lambda done, total: seen.append((done, total)))
    assert file.read_bytes() == DATA
    assert seen[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_an_interrupted_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.cut = 1_500_000
    with pytest.raises(DownloadError, match=r"could not be downloaded .*: try again"):
        fetch("x", release(server), tmp_path, silent)
    assert [f.name for f in tmp_path.iterdir()] == ["x.pt.part"]
    server.cut = None
    assert fetch("x", release(server), tmp_path, silent).read_bytes() == DATA
    assert server.ranges == [None, "bytes=1500000-"]


def test_a_server_that_does_not_resume_sends_all_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "x.pt.part").write_bytes(b"wrong" * 1000)
    server.resumes = False
    assert fetch("x", release(server, SHA256), tmp_path, silent).read_bytes() == DATA


def test_a_wrong_checksum_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=f"has SHA-256 {SHA256}, not {'0' * 64}, pinned in the catalogue: nothing"):
        fetch("x", release(server, "0" * 64), tmp_path, silent)
    assert list(tmp_path.iterdir()) == []


def test_the_first_checksum_is_remembered_and_enforced(server: Server, tmp_path: Path) -> None:
    fetch("x", release(server), tmp_path, silent)
    assert json.loads((tmp_path / "checksums.json").read_text()) == {release(server).url: SHA256}
    (tmp_path / "x.pt").write_bytes(b"another file")
    with pytest.raises(DownloadError, match="recorded in "):
        fetch("x", release(server), tmp_path, silent)
    assert not (tmp_path / "x.pt").exists()


def test_a_file_that_is_here_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        fetch("x", release(server), tmp_path, silent)
    assert len(server.ranges) == 1


def test_a_release_that_has_moved_is_one_clear_line(server: Server, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(DownloadError, match="answered 404: see whether the release has moved"):
        fetch("x", release(server), tmp_path, silent)


def test_no_server_is_one_clear_line(tmp_path: Path) -> None:
    nowhere = Release(url=f"http://127.0.0.1:{free_port()}/x.pt", input_size=640, licence="x", sha256=None)
    with pytest.raises(DownloadError, match=r"could not be downloaded .*Connection refused"):
        fetch("x", nowhere, tmp_path, silent)
