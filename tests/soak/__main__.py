"""Runs a real service under mixed load with overload and faults; ends with a table, and with 1 when there are findings.

A finding is: a response that is not of the contract, a missing response other than in the seconds after the service was
killed, a result of a failed request in the output bucket, a missing result, or memory, threads or open files that grow.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.soak.run import soak


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="length of the test (default: 30)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="seed of the requests (default: the time)")
    parser.add_argument(
        "--log",
        type=Path,
        default=Path(".local/soak.log"),
        help="file for the logs of the service, numbered by its starts",
    )
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="yolov7-soak-"))
    try:
        tally = soak(given.minutes * 60, given.seed, folder, given.log.resolve(), lambda line: print(line, flush=True))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{tally.table()}\n\nseed {given.seed}, logs of the service: {given.log.with_stem(given.log.stem + '-*')}")
    for text, times in tally.findings.items():
        print(f"FOUND {times} x {text}")
    return int(bool(tally.findings))


if __name__ == "__main__":
    sys.exit(main())
