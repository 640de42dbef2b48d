"""Read mutated inputs until the time is up; exits with 1 if a reader crashed or took too much time or memory.

The current input is always in the folder of the findings, so an input that kills the process is kept as well.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from random import Random

from tests.fuzz.targets import Target, targets

MAX_S, MAX_MB = 2.0, 500.0


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="time for each reader (default: 1)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="seed of the mutations (default: the time)")
    parser.add_argument("--findings", type=Path, default=Path(".local/fuzz"), help="folder for inputs that fail")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    given.findings.mkdir(parents=True, exist_ok=True)
    # Decoders in C print a warning for every damaged file.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    found = [_fuzz(name, target, given) for name, target in targets().items()]
    return int(any(found))


def _fuzz(name: str, target: Target, given: argparse.Namespace) -> int:
    """Fuzz one target and print its figures; returns the number of findings."""
    random, end = Random(given.seed), time.monotonic() + given.minutes * 60
    outcomes: Counter[str] = Counter()
    slowest_s = largest_mb = 0.0
    current = given.findings / f"{name}-current"
    findings = 0
    for count in itertools.count(1):
        case = target.make(random)
        current.write_bytes(case)
        before_mb, start = _peak_mb(), time.perf_counter()
        try:
            target.read(case)
            outcome = "read"
        except target.expected as exc:
            outcome = type(exc).__name__
        except BaseException as exc:  # noqa: BLE001  # Any other exception is a finding.
            outcome = f"FOUND {type(exc).__name__}: {exc!s:.80}"
        took_s, took_mb = time.perf_counter() - start, _peak_mb() - before_mb
        if took_s > MAX_S or took_mb > MAX_MB:
            outcome = f"FOUND {took_s:.1f} s and {took_mb:.0f} MB"
        if outcome.startswith("FOUND"):
            findings += 1
            current.rename(given.findings / f"{name}-{given.seed}-{count}")
        outcomes[outcome] += 1
        slowest_s, largest_mb = max(slowest_s, took_s), max(largest_mb, took_mb)
        if time.monotonic() > end:
            break
    current.unlink(missing_ok=True)
    listed = ", ".join(f"{outcome} {n}" for outcome, n in outcomes.most_common())
    figures = f"{count} cases with seed {given.seed}; slowest {slowest_s:.2f} s, largest {largest_mb:.0f} MB"
    print(f"{name}: {figures}; {listed}", flush=True)
    return findings


def _peak_mb() -> float:
    """The peak memory of this process since the last call, in MB; 0 outside Linux."""
    try:
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        Path("/proc/self/clear_refs").write_text("5")
    except (OSError, StopIteration):
        return 0.0
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())
