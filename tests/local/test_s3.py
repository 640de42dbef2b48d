from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import psutil
import pytest

from local.processes import free_port
from local.s3 import local_s3

pytestmark = pytest.mark.slow


def test_nothing_is_left_in_tmp_however_the_block_is_left(tmp_path: Path) -> None:
    port = free_port()
    earlier = Path(f"/tmp/seaweedfs-s3-{free_port()}.sock")
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(earlier))
    os.utime(earlier, (time.time() - 100,) * 2)
    with pytest.raises(KeyboardInterrupt), local_s3(tmp_path / "s3", "bucket", port=port):
        assert not earlier.exists()
        [process] = [child.pid for child in psutil.Process().children() if str(tmp_path) in " ".join(child.cmdline())]
        raise KeyboardInterrupt
    assert (tmp_path / "s3.log").read_text()
    assert not list(Path("/tmp").glob(f"seaweedfs-*-{port}.sock"))
    assert not list(Path("/tmp").glob(f"weed.*.{process}"))
