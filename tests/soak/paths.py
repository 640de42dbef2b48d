"""Asks a real service for unknown paths, each another one, and shows how large its metrics are before and after.

Run it with `python -m tests.soak.paths`. It ends with 1 when the metrics have more than 200 KB.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import tempfile
from pathlib import Path

from local.doors import INPUT_BUCKET, OUTPUT_BUCKET, local_service
from local.processes import free_port
from local.s3 import local_s3
from tests.conftest import BUNDLED

MOST_BYTES = 200_000


def metrics_bytes(connection: http.client.HTTPConnection) -> int:
    """The size of /metrics."""
    connection.request("GET", "/metrics")
    return len(connection.getresponse().read())


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.paths", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="number of paths (default: %(default)s)")
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory() as name, local_s3(Path(name) / "s3", INPUT_BUCKET, OUTPUT_BUCKET) as s3:
        env = {"MODEL_FOLDER": str(BUNDLED), "BENTOML_HOME": f"{name}/home"}
        with local_service(s3, port=free_port(), log=Path(name) / "log", env=env) as service:
            connection = http.client.HTTPConnection(service.url.removeprefix("http://"), timeout=10)
            before, statuses = metrics_bytes(connection), set[int]()
            for number in range(count):
                connection.request("GET", f"/{number:x}/{'x' * (number % 1000)}")
                response = connection.getresponse()
                response.read()
                statuses.add(response.status)
            after = metrics_bytes(connection)
    print(f"{count} unknown paths, answered {statuses}: /metrics had {before} bytes before, {after} after")
    return int(after > MOST_BYTES or statuses != {404})


if __name__ == "__main__":
    sys.exit(main())
